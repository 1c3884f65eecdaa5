"""Image processors: how a saved model wants its pictures, read from its folder."""

from pathlib import Path
from typing import Any

from transformers import AutoImageProcessor, PreTrainedConfig

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import read_json_file
from hfkit.models.inspection import refusing
from hfkit.models.loading import quiet
from hfkit.models.names import check_weights

PROCESSOR = "preprocessor_config.json"


def read_processor(
    folder: Path | None, settings: PreTrainedConfig, code: bool = False, image_size: int | None = None
) -> Any:
    """The image processor: timm's is made from the model's config, transformers' is a file beside it. Raises
    HfkitError: there is none, or it is damaged."""
    with refusing("the image processor cannot be read", str(folder)), quiet():
        if settings.model_type == "timm_wrapper":
            from transformers import TimmWrapperImageProcessor

            return TimmWrapperImageProcessor(settings.pretrained_cfg, settings.architecture)
        processor = AutoImageProcessor.from_pretrained(folder, trust_remote_code=code)
    if image_size is not None:
        crops = getattr(processor, "do_center_crop", False)
        processor.size = {"shortest_edge": image_size} if crops else {"height": image_size, "width": image_size}
        if crops:
            processor.crop_size = {"height": image_size, "width": image_size}
    return processor


def check_folder(folder: Path, name: str | Path) -> None:
    """Refuse a folder without the processor that says how pictures are looked at; timm keeps it in config.json. Raises
    HfkitError: a part is missing, or the weights are pickles."""
    if not (folder / "config.json").is_file():
        raise HfkitError(f"{name} holds no model: there is no config.json", where=str(folder))
    check_weights(folder, name)
    timm = "pretrained_cfg" in read_json_file(folder / "config.json")
    if not timm and not (folder / PROCESSOR).is_file() and not (folder / "processor_config.json").is_file():
        fix = "save it beside the model: processor.save_pretrained(folder); or choose an image model"
        raise HfkitError(f"{name} has no image processor: there is no {PROCESSOR}", where=str(folder), fix=fix)
