"""State: what the training loop counts."""

from dataclasses import dataclass, field


@dataclass
class State:
    """What the training loop counts. All of it is in a checkpoint.

    Attributes:
        step: Updates done.
        epoch: Epochs done, with the fraction.
        examples, tokens: Rows and real tokens seen.
        loss_sum, loss_weight: The summed loss since the last line of the log, and what it is divided by.
        rows_per_batch: The batch size in force, which `auto_find_batch_size` may have halved.
        best_value, best_step: The best figure on validation and where it was.
        stopped: Why training ended before its last update.
        due: What is still to be done after the last update: `eval`, `save`.
    """

    step: int = 0
    epoch: float = 0.0
    examples: int = 0
    tokens: int = 0
    loss_sum: float = 0.0
    loss_weight: float = 0.0
    rows_per_batch: int = 0
    best_value: float | None = None
    best_step: int | None = None
    stopped: str | None = None
    due: list[str] = field(default_factory=list)
