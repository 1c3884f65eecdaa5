"""What a seq2seq task can be asked for, beside what every task has."""

from dataclasses import dataclass

from hfkit.config import TextArguments, TrainConfig
from hfkit.config.knobs import knob


@dataclass
class PairArguments:
    """Which columns or files hold the two sides."""

    source_column: str | None = knob(None, "The column with the source text. Found by name when not given.")
    target_column: str | None = knob(None, "The column with the target text, or a list of them.")
    source_lang: str | None = knob(None, "The language to read from, as the data name it: en.")
    target_lang: str | None = knob(None, "The language to write in, as the data name it: zh.")


@dataclass
class Config(PairArguments, TextArguments, TrainConfig):
    """Seq2seq."""

    task: str = "translation"
