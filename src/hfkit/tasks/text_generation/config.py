"""What a language model can be asked for, beside what every task has."""

from dataclasses import dataclass
from typing import Literal

from hfkit.config import StreamArguments, TextArguments, TrainConfig
from hfkit.config.knobs import Broken, knob


@dataclass
class Config(StreamArguments, TextArguments, TrainConfig):
    """Text generation: a language model learns texts, completions or chats."""

    task: str = "text-generation"
    packing: bool = knob(
        True, "Fill rows of max_length tokens with several documents, none of which sees another; false pads instead."
    )
    eval_stride: int | None = knob(
        None,
        "Tokens between two windows of a long text in evaluation: fewer show each token more of what came before it,"
        " for more work. Default: max_length, windows side by side.",
        low=1,
    )
    sample_prompts: list[str] = knob(
        [], "Texts that are continued at every look at the validation split. Default: how three of its texts begin."
    )
    tokenizer: Literal["bpe", "char"] = knob(
        "bpe",
        "What a baseline's tokenizer learns from the training texts: pairs of bytes, or single characters.",
        needs="model baseline:NAME",
    )

    def rules(self) -> Broken:
        if self.eval_stride and self.max_length and self.eval_stride > self.max_length:
            what = f"--eval_stride {self.eval_stride} is above --max_length {self.max_length}: tokens would be left out"
            yield what, f"give at most {self.max_length}, such as {max(1, self.max_length // 2)}"
