"""What a model that answers questions can be asked for, beside what every task has."""

from dataclasses import dataclass
from typing import Literal

from hfkit.config import PairColumns, TextArguments, TrainConfig
from hfkit.config.knobs import Broken, knob


@dataclass
class Config(PairColumns, TextArguments, TrainConfig):
    """Question answering: the answer to a question, as it stands in a text.

    The question is the text (`--text_column`), its context the second one (`--text_pair_column`). Both share a window
    of `max_length` tokens, by default 384; a longer context is read in several."""

    task: str = "question-answering"
    label_column: str | None = knob(
        None, "The column with the answers: texts, or texts with the places where they begin. Found when not given."
    )
    stride: int | None = knob(
        None,
        "Tokens of a long context that two neighbouring windows share. Default: 128, or half of a window's where that"
        " is less.",
        low=0,
    )
    max_answer_length: int | None = knob(
        None, "Tokens that an answer may have. Default: as many as a window holds.", low=1
    )
    no_answer: Literal["auto", "yes", "no"] = knob(
        "auto",
        "Whether a question may have no answer. auto: where training has such questions. From which score on it has"
        " none is chosen on the validation split.",
    )

    def rules(self) -> Broken:
        if self.stride is not None and self.max_length is not None and self.stride >= self.max_length:
            what = f"--stride {self.stride} is not below --max_length {self.max_length}: windows would not move on"
            yield what, f"give a smaller overlap, such as --stride {self.max_length // 3}"
