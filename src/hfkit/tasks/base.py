"""BaseTask: what a task may do otherwise with its rows, and add to training and to a run's folder."""

from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from hfkit.base.errors import HfkitError
from hfkit.tasks.discover import find

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    import torch
    from accelerate import Accelerator
    from datasets import Dataset, DatasetDict

    from hfkit.config import TrainConfig
    from hfkit.runs.run import Run
    from hfkit.training.callbacks import Callback


def mapped(
    dataset: "Dataset", rows: "Callable[..., dict[str, list[Any]]]", kinds: Any, *, places: bool = False
) -> "Dataset":
    """What `rows` makes of a split's texts, batch by batch: a row each, in their order.

    Args:
        dataset: The split; one without ids gets the numbers of its rows.
        rows: Columns of a batch -> columns.
        kinds: What `datasets.Features` takes.
        places: `rows` is told the numbers of the batch's rows too.
    """
    from datasets import Features

    if "id" not in dataset.column_names:
        dataset = dataset.add_column("id", [str(row) for row in range(len(dataset))])
    return dataset.map(
        rows,
        batched=True,
        with_indices=places,
        remove_columns=dataset.column_names,
        features=Features(kinds),
        desc="Reading texts",
        # Its own would be a hash of the pickled tokenizer, a tenth of a second each; no cache goes by it here.
        new_fingerprint=uuid4().hex,
    )


class BaseTask:
    """Stands before a task's class."""

    name: str
    settings: "Callable[[], dict[str, Any]]"

    @property
    def primary_metric(self) -> str:
        """The first of the metrics in metrics.py."""
        return find(self.name).metrics(self.settings())[0].name

    @property
    def best_metric(self) -> str:
        """The figure by which the best model is kept while it learns, where nobody says another: the primary one."""
        return self.primary_metric

    @property
    def classes(self) -> list[str] | None:
        """The labels that an answer is one or several of; None where it is a number or a text."""
        return None

    def to_train(self, encoded: "Dataset") -> "Dataset":
        """The encoded rows, as they are."""
        return encoded

    def to_evaluate(self, encoded: "Dataset") -> "Dataset":
        """The encoded rows, as they are."""
        return encoded

    def by_example(self, encoded: "Dataset", rows: "Dataset", predictions: dict[str, Any]) -> dict[str, Any]:
        """The predictions, as they are: there is one for each encoded row."""
        return predictions

    def read(self, dataset: "Dataset", rows: list[int], epoch: int | None) -> list[dict[str, Any]]:
        """Encoded rows for `collate`, as they are."""
        features: list[dict[str, Any]] = dataset.__getitems__(rows)
        return features

    def finished(self) -> Self:
        """A copy that judges a finished model, with what a look at the validation split has no time for, such as
        writing a text to every row. Here a look leaves nothing out."""
        return self

    def before_training(self, run: "Run", model: "torch.nn.Module") -> None:
        """Keep in the run what the model tells of itself, in the first process."""

    def learner(
        self, config: "TrainConfig", model: "torch.nn.Module", encoded: "DatasetDict", accelerator: "Accelerator"
    ) -> "tuple[torch.nn.Module, DatasetDict] | None":
        """A part of the model that learns alone, and the rows for it; None: all of the model, on its own rows."""
        return None

    def callbacks(self, config: "TrainConfig", run: "Run", encoded: "DatasetDict", processor: Any) -> "list[Callback]":
        """Callbacks of its own, where there are looks at the validation split."""
        return []

    def chosen(self, model_config: Any, validated: dict[str, Any]) -> Self:
        """A copy with what is chosen on the validation split's predictions, such as a threshold; then the model's
        config is told, and is saved anew. Here nothing is."""
        return self

    def keep(
        self, run: "Run", processor: Any, model: Any, data: "DatasetDict", encoded: "DatasetDict", table: "pa.Table"
    ) -> None:
        """Keep in the finished run what its report shows, by the test split's predictions: the spec's `keepsakes`."""


def check_reads(name: str, data: "DatasetDict") -> None:
    """Refuse rows that have none of the columns that a task reads.

    Raises:
        HfkitError: They were loaded for another task.
    """
    columns, known = data["train"].column_names, find(name).reads
    if not set(known) & set(columns):
        raise HfkitError(
            f"{name} reads {', '.join(known)}, and the rows have {', '.join(columns)}",
            fix=f"load them with hfkit.load_data(..., task={name!r})",
        )
