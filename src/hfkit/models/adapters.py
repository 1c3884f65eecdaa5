"""Adapters: several on one base, and one merged into its base for good."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from hfkit.disk import whole_folder, writing
from hfkit.errors import HfkitError
from hfkit.models import four_bit
from hfkit.models.inspection import first_line
from hfkit.models.loading import load_base, load_model, quiet
from hfkit.models.lora import put_adapter, quiet_peft, read_adapter
from hfkit.models.names import locate
from hfkit.run import Run

if TYPE_CHECKING:
    from peft import PeftModel

CLOSE = 1e-5
"""What a merged model's logits may differ from the adapter's, as a share of the largest: rounding of float32."""

PROBE = "The merged model has to answer this as the adapter on its base does, to five digits."


def load_adapters(paths: Sequence[str | Path]) -> "tuple[PeftModel, Any]":
    """Several adapters on one copy of their base: as many models in the memory of little more than one.

    Args:
        paths: Runs or adapters' folders, each named after its folder. The first one is active; `set_adapter(name)` of
            the model chooses another.

    Returns:
        A PeftModel, ready to answer, and the tokenizer or image processor of the first.

    Raises:
        HfkitError: One is no adapter, stands on another base or has other labels, or two have one name.
    """
    folders = [_adapter_folder(path) for path in paths]
    names = [Path(path).resolve().name for path in paths]
    twice = next((name for name in names if names.count(name) > 1), None)
    if not names or twice is not None:
        raise HfkitError(f"Two adapters are called {twice}" if names else "There are no adapters to load")
    base, reader = load_base(folders[0], paths[0])
    model = put_adapter(base, folders[0], names[0])
    for path, folder, name in zip(paths[1:], folders[1:], names[1:], strict=True):
        if read_adapter(folder) != read_adapter(folders[0]):
            mine, other = read_adapter(folder)[0], read_adapter(folders[0])[0]
            raise HfkitError(f"{path} stands on {mine}, and {paths[0]} on {other}", fix="load them apart")
        try:
            with quiet_peft():
                model.load_adapter(str(folder), adapter_name=name)
        except Exception as error:  # each kind of adapter fails in its own way
            what = f"The adapter {path} does not go beside {paths[0]}: {first_line(error)}"
            raise HfkitError(what, where=str(folder), fix="load them apart") from error
    model.set_adapter(names[0])
    return model.eval(), reader


def merge(path: str | Path, output: str | Path | None = None) -> tuple[Path, float]:
    """Write an adapter and its base as one plain model, which opens without PEFT.

    What was written is read again and asked: its logits are those of the adapter on its base, or nothing is left.

    Args:
        path: A finished run or an adapter's folder.
        output: The folder to write. Default: `merged` in the run.

    Returns:
        The folder, and by how much the logits differ at most, as a share of the largest.

    Raises:
        HfkitError: There is no adapter, the folder is in use, or the merged model answers otherwise.
    """
    folder = _adapter_folder(path)
    place = Path(output) if output is not None else Path(path) / "merged"
    if place.exists():
        raise HfkitError(f"{place} is there already", fix="set --output to a new folder")
    model, reader = load_model(path)
    inputs = _probe(reader)
    with torch.inference_mode():
        wanted = model(**inputs).logits
    if four_bit.is_four_bit(model.config):
        plain, _ = load_base(folder, path, whole=True)
        four_bit.unfold(model.get_base_model(), plain)
        model = put_adapter(plain, folder).eval()
    merged = model.merge_and_unload()
    with quiet(), writing(place, "set --output"), whole_folder(place) as staged:
        merged.save_pretrained(staged)
        reader.save_pretrained(staged)
        again, _ = load_model(staged)
        with torch.inference_mode():
            found = again(**inputs).logits
        scale = max(float(wanted.abs().max()), 1.0)
        difference = float((found - wanted).abs().max()) / scale
        if not difference <= CLOSE:
            raise HfkitError(
                f"The merged model's logits differ from the adapter's by {difference:.1e} of the largest",
                where=str(folder),
                fix="keep the adapter on its base: this kind cannot be merged without loss",
            )
    return place, difference


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
        return dict(reader(PROBE, truncation=True, return_tensors="pt"))
    from PIL import Image

    noise = torch.randint(0, 256, (64, 64, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return dict(reader(images=Image.fromarray(noise.numpy()), return_tensors="pt"))
