"""What an image classifier can be asked for, beside what every task has."""

import math
from dataclasses import dataclass
from typing import Literal

from hfkit.config import ImageColumns, LabelArguments, TrainConfig
from hfkit.config.knobs import Broken, knob


@dataclass
class Config(ImageColumns, LabelArguments, TrainConfig):
    """Image classification: images get labels."""

    task: str = "image-classification"
    image_size: int | None = knob(
        None,
        "Pixels of each side of what the model sees. Default: the model's own; a baseline's is the images'.",
        low=2,
        lead=4,
    )
    augment: list[str] = knob(
        ["light"],
        "How training images are changed: none, light, medium or strong, or names: flip, vertical_flip, crop,"
        " resized_crop, rotate, zoom, color, randaugment, autoaugment, trivialaugment, erase.",
    )
    mixup: float = knob(0.0, "Add images up in pairs, with shares drawn from Beta(a, a) of this a; 0 is off.", low=0)
    cutmix: float = knob(
        0.0, "Paste boxes of other images in, with shares drawn from Beta(a, a) of this a; 0 is off.", low=0
    )
    test_time_augmentation: Literal["none", "flip"] = knob(
        "none", "flip answers with the mean over the image and its mirror image: twice the work."
    )
    drop_path: float | None = knob(
        None,
        "Stochastic depth: share of the residual branches that training leaves out. Default: the model's own.",
        low=0,
        below=1,
    )
    from_scratch: bool = knob(False, "Take the architecture of the model and not its weights.")
    linear_probe: bool = knob(
        False, "Train the head alone, on features that the model computes once: seconds instead of minutes."
    )

    def rules(self) -> Broken:
        if self.linear_probe:
            clashes = {
                "--augment": bool([name for name in self.augment if name != "none"]),
                "--mixup or --cutmix": bool(self.mixup or self.cutmix),
                "--lora": self.lora,
                "--freeze": bool(self.freeze),
                "--from_scratch": self.from_scratch,
            }
            for flag, used in clashes.items():
                if used:
                    fix = "add --augment none" if flag == "--augment" else f"drop {flag}"
                    yield f"--linear_probe computes each image's features once, and {flag} would change them", fix
        window = self.pixel_range
        if window and not (len(window) == 2 and -math.inf < window[0] < window[1] < math.inf):
            yield f"--pixel_range {' '.join(map(str, window))} is no range", "give two numbers, the smaller one first"
        if self.from_scratch and (self.lora or self.freeze):
            yield "--from_scratch leaves nothing to freeze: no weight has learnt yet", "drop --lora and --freeze"
