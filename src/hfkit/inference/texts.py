"""TextPipeline: what pipelines that read texts share: rows sorted by length, batched under a budget of tokens."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import transformers

from hfkit.base.errors import HfkitError, nearest
from hfkit.data.batching import evaluation_batches
from hfkit.inference.answering import AnsweringPipeline, check_count


class TextPipeline(AnsweringPipeline):
    """Stands before `AnsweringPipeline`'s other heirs, and transformers' pipeline of a kind."""

    of: ClassVar[Any]  # the task's class
    exact: ClassVar[bool] = False  # see `settle`
    # Rows that are sorted by length together, on a CPU and on an accelerator: enough to pad little, few enough to
    # stream. A CPU's batches are smaller.
    chunks: ClassVar[tuple[int, int]] = (256, 1024)
    # Padded tokens of a batch. A CPU gains nothing from more, and a program loses by it that is not told to keep its
    # memory: glibc gives blocks of more than 32 MiB back each time (benchmarks/NOTES.md).
    budgets: ClassVar[tuple[int, int]] = (2048, 65536)
    takes: ClassVar[tuple[str, ...]]  # arguments that a call may have
    tokenizer: Any

    def __init__(
        self,
        *,
        model: transformers.PreTrainedModel,
        tokenizer: transformers.PreTrainedTokenizerBase,
        mixed_precision: str = "auto",
        tokens_per_batch: int | None = None,
        **options: Any,
    ) -> None:
        own: Any = tokenizer  # declared to be one that is written in Python
        super().__init__(model=model, tokenizer=own, **{"task": self.of.name} | options)
        self.settle(self.of.from_model(model.config, tokenizer), mixed_precision, self.exact)
        if tokens_per_batch is not None:
            check_count("tokens_per_batch", tokens_per_batch)
        place = int(self.device.type != "cpu")
        self.chunk, self.tokens_per_batch = self.chunks[place], tokens_per_batch or self.budgets[place]

    @classmethod
    def over(
        cls, model: transformers.PreTrainedModel, processor: Any, *, tokens_per_batch: int | None = None, **options: Any
    ) -> Self:
        """What a task's inference.py gives as `pipeline`: see `hfkit.pipeline`."""
        return cls(model=model, tokenizer=processor, tokens_per_batch=tokens_per_batch, **options)

    def at_once(self, batch_size: int | None) -> int:
        return self.chunk

    def batches(self, features: Sequence[Mapping[str, Any]], batch_size: int | None) -> list[list[int]]:
        """The places of encoded rows that are computed together, by their `length`, the longest first."""
        lengths = np.array([feature["length"] for feature in features])
        return evaluation_batches(lengths, batch_size or len(features), self.tokens_per_batch)

    def refuse(self, arguments: Mapping[str, Any]) -> None:
        """The model says how its texts are read, and no argument of a call."""
        for name, value in arguments.items():
            what = f"The pipeline takes no {name}={value!r}: texts are read as the model was trained to read them."
            raise HfkitError(what, fix=nearest(name, (*self.takes, "batch_size")))


def check_whole(text: str, called: str = "A text", where: str | None = None) -> None:
    """Refuse what no tokenizer reads, half of a character of two."""
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        what = f"{called} holds half a character: {text[:80]!r}"
        raise HfkitError(what, where=where, fix="write it whole, or cut it")
