"""Adapters: the base that one stands on, and one merged into its base for good."""

import math
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from transformers import PreTrainedConfig, PreTrainedModel

from hfkit.base.atomic import whole_folder, writing
from hfkit.base.errors import HfkitError, nearest
from hfkit.base.untrusted import read_json_file
from hfkit.models.adapting import four_bit
from hfkit.models.adapting.lora import put_adapter, quiet_peft, read_adapter
from hfkit.models.inspection import say, token_ends
from hfkit.models.loading import load_model, quiet, read_config, task_of, ways, write_beside
from hfkit.models.names import locate
from hfkit.models.settings import settle_generation
from hfkit.runs.run import Run

if TYPE_CHECKING:
    from peft import PeftModel

CLOSE = 1e-5
"""What a merged model's logits may differ from the adapter's, as a share of the largest: rounding of float32."""

STORED = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
"""What safetensors calls the types in which a merged model may be written."""


def load_base(folder: Path, path: str | Path, whole: bool = False) -> tuple[PreTrainedModel, Any]:
    """The base of the adapter in `folder`, which `path` was said for, and the adapter's tokenizer or image processor.

    An adapter that was trained on a base of four bits a weight gets such a one, or with `whole` one in float32. The
    config, and the tokenizer or processor, are the base's where the folder has none. Raises as `load_model`."""
    name, revision = read_adapter(folder)
    base = locate(name, revision)
    bare, spec = not (folder / "config.json").is_file(), task_of(folder)
    if spec is None:
        raise HfkitError(f"{path} does not say what its adapter is for", where=str(folder / "adapter_config.json"))
    check, weights, read_processor = ways(spec)
    check(base, name)
    config = _config_of_base(folder, base, path, spec.labelled) if bare else read_config(folder, path)
    if whole:
        four_bit.mark(config, False)
    model, _ = weights(base, config)
    own = any((folder / file).is_file() for file in ("tokenizer_config.json", "preprocessor_config.json"))
    return model, read_processor(folder if own else base, config)


def _config_of_base(folder: Path, base: Path, path: str | Path, labelled: bool) -> PreTrainedConfig:
    """The base's config, with as many labels as the head has that the adapter brings."""
    config = read_config(base, path)
    heads = set(read_json_file(folder / "adapter_config.json").get("modules_to_save") or [])
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys() if heads & set(name.split("."))]  # noqa: SIM118
    labels = min((shape[0] for shape in shapes if len(shape) == 2), default=None)
    if labelled and labels not in (None, config.num_labels):
        config.num_labels = labels
        names = ", ".join((config.id2label or {}).values())
        warnings.warn(f"{path} does not say what its labels are called: {names[:80]}", stacklevel=4)
    return config


def merge(path: str | Path, output: str | Path | None = None, dtype: str = "auto") -> tuple[Path, float]:
    """Write an adapter, of a finished run or a folder, and its base as one plain model, which opens without PEFT.

    What was written is read again, and its logits are the adapter's, or nothing is left. The weights go to `output`, by
    default `merged` in the run, in float32, bfloat16 or float16; `auto` is that of the base's files. Returns the
    folder, and by how much its logits differ, as a share of the largest: by the rounding. Raises HfkitError: there is
    no adapter or no such dtype, the folder is in use, or the merged model answers otherwise."""
    if dtype not in ("auto", *STORED.values()):
        raise HfkitError(f"There is no dtype {dtype!r}", where="--dtype", fix=nearest(dtype, STORED.values()))
    folder = _adapter_folder(path)
    dtype = stored_dtype(locate(*read_adapter(folder))) if dtype == "auto" else dtype
    place = Path(output) if output is not None else Path(path) / "merged"
    if place.exists():
        raise HfkitError(f"{place} is there already", fix="set --output to a new folder")
    model, reader = load_model(path)
    inputs = _probe(reader)
    with torch.inference_mode():
        wanted = _logits(model(**inputs))
    if four_bit.is_four_bit(model.config):
        plain, _ = load_base(folder, path, whole=True)
        four_bit.unfold(model.get_base_model(), plain)
        model = put_adapter(plain, folder).eval()
    merged = summed(model)
    if merged.can_generate():
        settle_generation(merged, reader)
    with torch.inference_mode():
        _same(_logits(merged(**inputs)), wanted, folder)
        for parameter in merged.parameters():  # not the buffers: what rotates is computed anew, in float32
            parameter.data = parameter.data.to(getattr(torch, dtype))
    with quiet(), writing(place, "set --output"), whole_folder(place) as staged:
        merged.save_pretrained(staged)
        reader.save_pretrained(staged)
        write_beside(staged, merged)
        again, _ = load_model(staged)
        with torch.inference_mode():
            found = _logits(again(**inputs))
            _same(found, _logits(merged.float()(**inputs)), folder)
    say(f"weights: {dtype}")
    return place, _difference(found, wanted)


def summed(model: "PeftModel") -> Any:
    """The base with the adapter added. Where token vectors that are the output layer too have an adapter, each end is
    summed on its own; ends that differ then (PEFT adapts GPT-2's first one alone) stay two matrices."""
    base: Any = model.get_base_model()
    ends = token_ends(base)
    first, second = (getattr(end, "base_layer", end) for end in ends)
    apart = first is not ends[0] and second is not None and second.weight is first.weight
    if apart:
        second.weight = torch.nn.Parameter(second.weight.detach().clone())
    with quiet_peft():
        merged: Any = model.merge_and_unload()
    if apart:
        first, second = merged.get_input_embeddings(), merged.get_output_embeddings()
        merged.config.tie_word_embeddings = torch.allclose(first.weight, second.weight, atol=1e-6)
        if merged.config.tie_word_embeddings:
            second.weight = first.weight
    return merged


def _logits(said: Any) -> torch.Tensor:
    """What a model says, however many kinds of logits it has."""
    found = [value for name, value in said.items() if name.endswith("logits")]
    return torch.stack(found or [said.last_hidden_state])


def _difference(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """The largest difference, as a share of the largest of `wanted`."""
    return float((found - wanted).abs().max()) / max(float(wanted.abs().max()), 1.0)


def _same(found: torch.Tensor, wanted: torch.Tensor, folder: Path) -> None:
    if not (difference := _difference(found, wanted)) <= CLOSE:
        what = f"The merged model's logits differ from the adapter's by {difference:.1e} of the largest"
        fix = "keep the adapter on its base: this kind cannot be merged without loss"
        raise HfkitError(what, where=str(folder), fix=fix)


def stored_dtype(folder: Path) -> str:
    """In what most weights of a folder are stored."""
    sizes: Counter[str] = Counter()
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - it is no dictionary
                tensor = tensors.get_slice(name)
                sizes[STORED.get(tensor.get_dtype(), "float32")] += math.prod(tensor.get_shape())
    return max(sizes, key=sizes.__getitem__, default="float32")


def _adapter_folder(path: str | Path) -> Path:
    if (Path(path) / "run.json").is_file():
        Run(path).check_finished()
    folder = locate(path)
    if not (folder / "adapter_config.json").is_file():
        raise HfkitError(f"{path} has no adapter: its model is whole already", where=str(folder), fix="use it as it is")
    return folder


def _probe(reader: Any) -> dict[str, Any]:
    """Something for a model to answer: a sentence, or noise as an image."""
    if hasattr(reader, "decode"):
        text = "The merged model has to answer this as the adapter on its base does, to five digits."
        return dict(reader(text, truncation=True, return_tensors="pt"))
    from PIL import Image

    noise = torch.randint(0, 256, (64, 64, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return dict(reader(images=Image.fromarray(noise.numpy()), return_tensors="pt"))
