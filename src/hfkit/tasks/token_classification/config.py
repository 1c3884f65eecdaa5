"""What a tagger can be asked for, beside what every task has."""

from dataclasses import dataclass
from typing import Literal

from hfkit.config import LabelColumn, TextArguments, TrainConfig, WordVectorArguments
from hfkit.config.knobs import Broken, knob


@dataclass
class TagColumns(LabelColumn):
    """How the tags of words are read."""

    tag_scheme: Literal["auto", "iob1", "iob2", "iobes", "plain"] = knob(
        "auto",
        "How tags mark where a name begins: iob1, iob2 (BIO), iobes (BILOU is read too), or plain, where a tag stands"
        " for itself. auto finds it.",
    )


@dataclass
class Config(WordVectorArguments, TagColumns, TextArguments, TrainConfig):
    """Token classification: each word of a text gets a tag."""

    task: str = "token-classification"
    stride: int | None = knob(
        None,
        "Tokens that two neighbouring windows of a long text share: what a word at an edge sees to its other side."
        " Default: a quarter of max_length.",
        low=0,
    )
    label_all_pieces: bool = knob(
        False,
        "Learn the tag of a word from each of its pieces; else from the first alone, which is judged.",
        against=("model baseline:NAME",),
    )

    def rules(self) -> Broken:
        if self.stride is not None and self.max_length is not None and self.stride >= self.max_length:
            what = f"--stride {self.stride} is not below --max_length {self.max_length}: windows would not move on"
            yield what, f"give a smaller overlap, such as --stride {self.max_length // 4}"
