"""What a detector can be asked for, beside what every task has."""

from dataclasses import dataclass
from typing import Literal

from hfkit.config import ImageColumns, TrainConfig
from hfkit.config.knobs import Broken, knob


@dataclass
class BoxColumns:
    """Which columns hold the boxes and their classes, and how they are written."""

    boxes_column: str | None = knob(
        None, "The column with a list of boxes a picture, or of all that is known of its objects. Found when not given."
    )
    label_column: str | None = knob(None, "The column with the classes, where they are not with the boxes.")
    box_format: Literal["auto", "xywh", "xyxy", "cxcywh"] = knob(
        "auto",
        "How boxes are written: corner and size, two corners, or middle and size. auto: as the format of the files has"
        " it, else as the numbers alone can be.",
    )
    class_names: list[str] = knob([], "The names of the classes 0, 1, ... Default: those of the files, or the card's.")


@dataclass
class Config(BoxColumns, ImageColumns, TrainConfig):
    """Object detection: a box around each object, and its class."""

    task: str = "object-detection"
    image_size: int | None = knob(
        None,
        "Pixels of the longer side of what the model sees at once. Default: as its image processor has it; a"
        " baseline's is that of the training pictures, 512 at most.",
        low=32,
        high=4096,
        lead=4,
    )
    tile_size: int | None = knob(
        None,
        "For small objects in large pictures: pixels a side of the tiles that pictures are cut into. Training cuts at"
        " random; answers are merged of overlapping tiles and the whole picture.",
        low=32,
        high=4096,
        lead=5,
    )
    augment: list[str] = knob(
        ["light"],
        "How training pictures and boxes are changed: none, light, medium or strong, or names: flip, vertical_flip,"
        " transpose, affine, zoom, color, blur.",
    )
    max_boxes: int = knob(100, "Boxes that a picture is answered with at most, the surest ones.", low=1, high=10_000)

    def rules(self) -> Broken:
        if "elastic" in self.augment:
            yield "--augment elastic bends what a box cannot follow", "affine turns and shears a little"
