"""From-scratch reference models, and the classical baselines every run is held against.

Their names stand here, without torch, so that a wrong one is told before anything heavy is imported.
"""

from pkgutil import resolve_name
from typing import Any

from hfkit.base.errors import HfkitError, nearest

_TEXT, _LANGUAGE, _VISION = (f"hfkit.baselines.{room}configs" for room in ("", "language.", "vision."))
_RESNET = f"{_VISION}:BaselineResNetConfig"
_IMAGENET = {"widths": (64, 128, 256, 512), "stem": "imagenet", "shortcut": "B"}

BASELINES: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "text-classification": {
        "lstm": (f"{_TEXT}:RecurrentConfig", {"cell": "lstm"}),
        "bilstm": (f"{_TEXT}:RecurrentConfig", {"cell": "lstm", "bidirectional": True}),
        "gru": (f"{_TEXT}:RecurrentConfig", {"cell": "gru"}),
        "rnn": (f"{_TEXT}:RecurrentConfig", {"cell": "rnn"}),
        "transformer": (f"{_TEXT}:BaselineTransformerConfig", {}),
    },
    "image-classification": {
        "mlp": (f"{_VISION}:MlpConfig", {}),
        "lenet5": (f"{_VISION}:LeNetConfig", {}),
        "cnn": (f"{_VISION}:CnnConfig", {}),
        "resnet": (_RESNET, {}),
        "resnet20": (_RESNET, {}),
        "resnet32": (_RESNET, {"depths": (5, 5, 5)}),
        "resnet44": (_RESNET, {"depths": (7, 7, 7)}),
        "resnet56": (_RESNET, {"depths": (9, 9, 9)}),
        "resnet18": (_RESNET, {"depths": (2, 2, 2, 2), **_IMAGENET}),
        "resnet34": (_RESNET, {"depths": (3, 4, 6, 3), **_IMAGENET}),
        "vgg": (f"{_VISION}:VggConfig", {}),
        "mobilenet": (f"{_VISION}:MobileNetConfig", {}),
        "vit": (f"{_VISION}:BaselineViTConfig", {}),
    },
    "text-generation": {
        "transformer_lm": (f"{_LANGUAGE}:TransformerLMConfig", {}),
        "lstm_lm": (f"{_LANGUAGE}:LSTMLMConfig", {}),
    },
}
"""By task, baseline:<name> -> where its config's class lives, and the fields that make it the one of that name."""


def named(model: str, task: str) -> tuple[str, dict[str, Any]]:
    """What BASELINES has of a task's `baseline:<name>`, without an import; a name that it has not is refused."""
    name, known = model.removeprefix("baseline:"), BASELINES[task]
    if name not in known:
        raise HfkitError(f"there is no baseline {name!r} for {task}", where="--model", fix=nearest(name, known))
    return known[name]


def config_of(model: str, task: str) -> tuple[Any, dict[str, Any]]:
    """The class of a baseline's config, and its fields."""
    place, fields = named(model, task)
    return resolve_name(place), fields
