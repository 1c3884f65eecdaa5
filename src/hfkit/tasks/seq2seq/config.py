"""What a model that makes one text of another can be asked for, beside what every task has."""

from dataclasses import dataclass
from typing import Literal

from hfkit.config import DecodingArguments, TokenArguments, TrainConfig
from hfkit.config.knobs import Broken, knob


@dataclass
class PairArguments:
    """Which columns or files hold the two sides."""

    source_column: str | None = knob(None, "The column with the source text. Found by name when not given.")
    target_column: str | None = knob(None, "The column with the target text, or a list of them.")
    source_lang: str | None = knob(
        None, "The language to read from: as the data name it (en), or a code of a model that has such (en_XX)."
    )
    target_lang: str | None = knob(None, "The language to write in, said in the same way: zh, zh_CN.")


@dataclass
class Config(PairArguments, DecodingArguments, TokenArguments, TrainConfig):
    """Seq2seq: a text becomes another one. translation, summarization and text2text-generation differ in their figures,
    in their rivals, and in what the pipeline calls an answer.

    A source has `max_length` tokens at most, by default as many as the model reads."""

    task: str = "translation"
    max_target_length: int | None = knob(
        None,
        "Tokens of a target that are learnt at most. Default: as many as a source may have.",
        low=2,
        high=100_000_000,
    )
    source_prefix: str = knob(
        "", "What stands in front of every source, in training and later: T5 is told its job so, 'summarize: '."
    )
    label_smoothing_factor: float = knob(
        0.0, "Share of a target token's weight spread over all others, in training.", low=0, below=1
    )
    predict_with_generate: bool = knob(
        False, "Write some validation rows' texts at every look too, and not only when training is over."
    )
    max_generate_samples: int = knob(
        100,
        "Validation rows that are written at a look (--predict_with_generate).",
        low=1,
        needs="predict_with_generate",
    )
    tokenizer: Literal["bpe", "char"] = knob(
        "bpe",
        "What a baseline's tokenizer learns from both sides: pairs of bytes, or single characters.",
        needs="model baseline:NAME",
    )

    def rules(self) -> Broken:
        best = (self.metric_for_best_model or "loss").removeprefix("eval_")
        if best != "loss" and not self.predict_with_generate:
            what = f"--metric_for_best_model {best} is of written texts, and looks at the validation split write none"
            yield what, "add --predict_with_generate, or drop --metric_for_best_model: the loss decides"
        if self.source_lang is not None and self.source_lang == self.target_lang:
            yield f"--source_lang and --target_lang are both {self.source_lang}", "name two languages, or none"
