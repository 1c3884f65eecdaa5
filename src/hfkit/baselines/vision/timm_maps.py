"""Feature maps of timm's classifiers, on which other networks stand."""

from pathlib import Path
from typing import Any

from torch import nn

from hfkit.base.errors import HfkitError


def timm_maps(name: str, arguments: dict[str, Any] | None) -> tuple[Any, list[int], list[int]]:
    """timm's network without its classifier, which answers (batch, channels, height, width) with a list of maps; the
    channels of each, and their strides in pixels of the picture. Its weights are random until they are loaded."""
    import timm

    body: Any = timm.create_model(name, pretrained=False, features_only=True, **(arguments or {}))
    return body, body.feature_info.channels(), body.feature_info.reduction()


def of_classifier(settings: Any) -> dict[str, Any]:
    """What a config of ours takes from a classifier's: the backbone's network, and how it wants its pixels."""
    shown = settings.pretrained_cfg
    made = dict(getattr(settings, "model_args", None) or {})
    pixels = {"image_mean": list(shown["mean"]), "image_std": list(shown["std"])}
    return {"backbone": settings.architecture, "backbone_args": made, **pixels}


def fill(model: nn.Module, folder: Path, name: str) -> list[str]:
    """Give `model.backbone.body` the weights of the classifier in a folder; the parameters that stay new. Raises
    HfkitError: the classifier, which the user calls `name`, lacks one."""
    from safetensors.torch import load_file

    own: Any = model
    body, named = own.backbone.body, dict(model.named_parameters())
    known = {key.removeprefix("timm_model."): value for key, value in load_file(folder / "model.safetensors").items()}
    lacking = [key for key in dict(body.named_parameters()) if key not in known]
    if lacking:
        what = f"{name} lacks {lacking[0]}, which its features have"
        raise HfkitError(what, where=str(folder), fix="choose another model of timm's, such as resnet18.a1_in1k")
    body.load_state_dict({key: value for key, value in known.items() if key in body.state_dict()}, strict=False)
    return [key for key in named if not key.startswith("backbone.body.")]
