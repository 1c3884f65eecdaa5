"""What a segmenter can be asked for, beside what every task has."""

from dataclasses import dataclass
from typing import Literal

from hfkit.config import ImageColumns, TrainConfig
from hfkit.config.knobs import Broken, knob


@dataclass
class MaskColumns:
    """Which column holds the masks, and how they are read."""

    mask_column: str | None = knob(None, "The column with the masks, or their paths. Found by name when not given.")
    class_names: list[str] = knob([], "The names of the classes 0, 1, ... of the masks. Default: the card's.")
    class_table: str | None = knob(
        None,
        "A file with a class a line: name,value or name,red,green,blue. Default: class_dict.csv or labelmap.txt in the"
        " folder of the data.",
        against=("class_names",),
    )
    ignore_index: int | None = knob(
        None,
        "The value of masks that is void, neither learnt nor judged. Default: 255, where there are two more at least.",
        low=0,
    )


@dataclass
class Config(MaskColumns, ImageColumns, TrainConfig):
    """Image segmentation: each pixel gets a class."""

    task: str = "image-segmentation"
    tile_size: int | None = knob(
        None,
        "Pixels of each side of what the model sees at once: training cuts such tiles at random, answers blend"
        " overlapping ones. Default: the model's own size; a baseline's is 256.",
        low=16,
        high=4096,
        lead=4,
    )
    image_size: int | None = knob(
        None,
        "Pixels that the longer side is made smaller to before tiles are cut. Figures are of the picture's own size.",
        low=16,
    )
    loss: Literal["both", "cross_entropy", "dice", "focal"] = knob(
        "both", "What is learnt: cross-entropy, Dice, the sum of both, or focal loss, which weighs hard pixels more."
    )
    class_weights: Literal["none", "balanced"] = knob(
        "none", "balanced weighs a pixel by 1 / its class's frequency.", against=("loss dice",)
    )
    augment: list[str] = knob(
        ["light"],
        "How training tiles and masks are changed: none, light, medium or strong, or names: flip, vertical_flip,"
        " transpose, affine, elastic, color, blur.",
    )
    test_time_augmentation: Literal["none", "flip", "turn"] = knob(
        "none",
        "flip answers with the mean over the picture and its mirror image, turn over all eight ways to turn and mirror"
        " it, of the finished model.",
    )

    def rules(self) -> Broken:
        if self.ignore_index is not None and self.ignore_index >= 1 << 24:
            yield "--ignore_index is no value of a mask", "give one of those that stand there"
