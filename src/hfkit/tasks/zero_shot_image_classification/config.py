"""What a model of pictures and texts can be asked for, beside what every task has."""

from dataclasses import dataclass
from typing import Literal

from hfkit.config import ImageColumns, TrainConfig
from hfkit.config.data import TextColumns
from hfkit.config.knobs import Broken, knob

TEMPLATE = "a photo of a {}."


@dataclass
class Config(ImageColumns, TextColumns, TrainConfig):
    """Zero-shot image classification: pictures and texts become vectors, near each other where they belong together.

    A row is a picture with a caption or a list of them (`--text_column`), with a class, or with both.
    """

    task: str = "zero-shot-image-classification"
    # Rows of like lengths would be each other's negatives: an easier job than the one that is asked for.
    train_sampling_strategy: Literal["random", "sequential", "group_by_length"] = "random"
    label_column: str | None = knob(
        None, "The column with the class of a picture, where there is one. Found by name when not given."
    )
    templates: list[str] = knob(
        [TEMPLATE],
        "Sentences around the name of a class, {} in its place. A class is the mean of its sentences' vectors; pictures"
        " without a caption are learnt with the first one.",
        lead=5,
    )
    loss: Literal["auto", "softmax", "sigmoid"] = knob(
        "auto",
        "softmax: a picture's own caption before all others of the update, and the other way (CLIP). sigmoid: each pair"
        " by itself (SigLIP). auto: as the model was trained; a baseline's is softmax.",
    )
    max_length: int | None = knob(
        None, "Tokens a caption may have, special ones included. Default: the model's limit.", low=2, high=100_000
    )
    vocab_size: int = knob(
        8000,
        "Entries of the tokenizer that a from-scratch baseline trains on the captions.",
        low=100,
        high=10_000_000,
        needs="model baseline:NAME",
    )
    image_size: int | None = knob(
        None,
        "Pixels of each side of what a baseline sees. Default: that of the pictures, 64 at most.",
        low=8,
        high=4096,
        needs="model baseline:NAME",
    )
    augment: list[str] = knob(
        [],
        "How training pictures are changed, names as for image classification. Default: not at all, since a caption may"
        " speak of left, of a colour, of the edge.",
    )

    def rules(self) -> Broken:
        if not self.templates:
            yield "--templates has no sentence", f"such as {TEMPLATE!r}"
        for one in self.templates:
            if "{}" not in one:
                yield f"--templates {one!r} has no {{}} for the name of a class", f"such as {TEMPLATE!r}"
        if len(set(self.templates)) < len(self.templates):
            yield "--templates holds a sentence twice", "give different ones"
