"""What a text classifier can be asked for, beside what every task has."""

from dataclasses import dataclass
from typing import Literal

from hfkit.config import LabelArguments, PairColumns, TextArguments, TrainConfig, WordVectorArguments
from hfkit.config.knobs import Broken, knob


@dataclass
class Config(WordVectorArguments, PairColumns, LabelArguments, TextArguments, TrainConfig):
    """Text classification: texts, or pairs of texts, get labels."""

    task: str = "text-classification"
    long_text: Literal["head", "tail", "head_tail", "windows"] = knob(
        "head",
        "What is kept of a text that is too long: its head, its tail, a quarter head and three quarters tail,"
        " or all of it in overlapping windows.",
    )
    stride: int = knob(
        128, "Tokens that two neighbouring windows share (--long_text windows).", low=0, needs="long_text windows"
    )
    pooling: Literal["model", "mean"] = knob(
        "model", "model keeps the architecture's own head; mean puts a linear head on the mean of the token vectors."
    )
    few_shot: Literal["none", "contrastive"] = knob(
        "none",
        "contrastive learns from 8 to 64 labelled texts a class: the encoder from all their pairs, then a logistic"
        " regression on its vectors.",
        against=(
            "lora",
            "freeze",
            "long_text windows",
            "class_weights balanced",
            "label_smoothing_factor",
            "streaming",
        ),
    )

    def rules(self) -> Broken:
        if self.long_text == "windows" and self.max_length is not None and self.stride >= self.max_length:
            what = f"--stride {self.stride} is not below --max_length {self.max_length}: windows would not move on"
            yield what, f"give a smaller overlap, such as --stride {self.max_length // 4}"
        if self.few_shot != "none" and self.pooling != "mean":
            yield f"--few_shot {self.few_shot} compares the means of token vectors", "add --pooling mean"
        if self.pooling == "mean" and self.model.startswith("baseline:"):
            yield (f"--pooling mean replaces a pretrained model's head, and {self.model} has its own", "drop --pooling")
