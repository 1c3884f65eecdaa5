"""BaseTask: what is asked of a task, and what one does where it does not say otherwise."""

from dataclasses import Field, asdict, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias
from uuid import uuid4

from hfkit.base.errors import HfkitError
from hfkit.tasks.discover import find

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    import torch
    from accelerate import Accelerator
    from datasets import Dataset, DatasetDict
    from transformers import PreTrainedConfig

    from hfkit.config import TrainConfig
    from hfkit.runs.run import Run
    from hfkit.training.callbacks import Callback

Tensors: TypeAlias = "dict[str, torch.Tensor]"


def mapped(
    dataset: "Dataset", rows: "Callable[..., dict[str, list[Any]]]", kinds: Any, *, places: bool = False
) -> "Dataset":
    """What `rows` makes of a split's texts, columns of a batch -> columns, a row each, in their order. With `places` it
    is told the numbers of the batch's rows too. `kinds` are what `datasets.Features` takes. A split without ids gets
    the numbers of its rows."""
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
    """What the engine, the report and the pipeline ask of a job, and what a task does where it does not say otherwise.
    A task's class is a dataclass, every setting plain JSON; its `build(config, data)` makes it by the training rows.
    What an answer is judged by stands in metrics.py."""

    joint: ClassVar[bool] = False
    """Its loss holds the rows of an update against each other: it is of `represent` and `joint_loss`, and the same
    however the update is cut into batches (`hfkit.training.gradient_cache`)."""

    READING: ClassVar[tuple[str, ...]] = ()
    """Fields that a model's config keeps under `hfkit`: how its inputs are read."""

    MADE: ClassVar[tuple[str, ...]] = ()
    """Fields that are no settings: `for_model` makes them of the processor, which is saved with the model."""

    name: str  # the task's main name
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def settings(self) -> dict[str, Any]:
        """All fields but those of `MADE` as JSON, after what all tasks of the class have in common."""
        common = [name for name in ("name", "problem_type") if hasattr(type(self), name)]
        own: Any = self  # a dataclass, which this class alone is not
        fields = asdict(replace(own, **dict.fromkeys(self.MADE)))  # which would copy a processor
        fields = {name: value for name, value in fields.items() if name not in self.MADE}
        return {name: getattr(self, name) for name in common if name not in fields} | fields

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """The task that `settings` came from."""
        return cls(**{key: value for key, value in settings.items() if key in cls.__dataclass_fields__})

    @property
    def primary_metric(self) -> str:
        """The figure that says which model is best, and that a report shows first: the first in metrics.py."""
        return find(self.name).metrics(self.settings())[0].name

    @property
    def best_metric(self) -> str:
        """The figure by which the best model is kept while it learns, where nobody says another: the primary one."""
        return self.primary_metric

    @property
    def classes(self) -> list[str] | None:
        """The labels that an answer is one or several of; None where it is a number or a text."""
        return None

    def judging(self, data: "DatasetDict") -> Self:
        """This task, as a finished run is judged by other data."""
        return self

    @classmethod
    def from_model(cls, model_config: "PreTrainedConfig", processor: Any) -> Self:
        """The task of a saved model, by what its config says: the fields `kept` as its own, and those of `READING`."""
        saved = getattr(model_config, "hfkit", None) or {}
        read = {name: saved[name] for name in cls.READING if name in saved}
        return cls(**cls.kept(model_config) | read).for_model(model_config, processor)

    @staticmethod
    def kept(model_config: "PreTrainedConfig") -> dict[str, Any]:
        return {}

    def reading(self) -> dict[str, Any]:
        """What the model's config keeps of the task under `hfkit`."""
        return {"task": self.name} | {name: getattr(self, name) for name in self.READING}

    def model_kwargs(self) -> dict[str, Any]:
        """What the model's config has to hold: labels by name, problem type, and `hfkit`, the task's own settings."""
        return {"hfkit": self.reading()}

    def telling(self, model_config: "PreTrainedConfig", **settled: Any) -> Self:
        """A copy with what was `settled`; the model's config is told what it keeps of the task."""
        own: Any = self
        task: Self = replace(own, **settled)
        model_config.hfkit = {**(getattr(model_config, "hfkit", None) or {}), **task.reading()}
        return task

    def for_model(self, model_config: "PreTrainedConfig", processor: Any) -> Self:
        """A copy that fits the model: its order of the labels, its limits, its padding."""
        raise NotImplementedError

    def encode(self, dataset: "Dataset", processor: Any) -> "Dataset":
        """Rows -> model inputs in the same order, with `id`, `labels` where there are any, `length`, `truncated`."""
        raise NotImplementedError

    def truncation(self, encoded: "Dataset") -> dict[str, Any]:
        """How many encoded rows lost something to `max_length`. The keys are those of texts: a picture has no length,
        and nothing of it is cut off."""
        cut, most = sum(encoded["truncated"][:]), getattr(self, "max_length", None)
        return {"rows": cut, "share": cut / max(1, len(encoded)), "max_length": most, "long_text": "head"}

    def to_train(self, encoded: "Dataset") -> "Dataset":
        """Encoded rows as training batches them: the same, or windows of long ones, or several in one."""
        return encoded

    def to_evaluate(self, encoded: "Dataset") -> "Dataset":
        """Encoded rows as evaluation batches them: the same, or windows of long ones."""
        return encoded

    def by_example(self, encoded: "Dataset", rows: "Dataset", predictions: dict[str, Any]) -> dict[str, Any]:
        """Predictions for the rows of `to_evaluate` as predictions for those of `encoded`: the same."""
        return predictions

    def read(self, dataset: "Dataset", rows: list[int], epoch: int | None) -> list[dict[str, Any]]:
        """Encoded rows for `collate`, as they are; in training as `epoch` sees them, in evaluation (None) always the
        same. Called where batches are prepared, perhaps in another process: the arguments and the task's own seed alone
        decide what comes out."""
        return dataset.__getitems__(rows)

    def collate(self, features: list[dict[str, Any]]) -> Tensors:
        """Encoded rows -> one padded batch."""
        raise NotImplementedError

    def weight(self, batch: Tensors) -> float:
        """What the batch weighs in the mean loss of the update it is part of."""
        raise NotImplementedError

    def loss_and_predictions(self, model: "torch.nn.Module", batch: Tensors) -> "tuple[torch.Tensor, dict[str, Any]]":
        """The SUM of the rows' losses (divide by `weight`), and tensors with one row per example, or lists of a tensor
        a row where they differ in length: what its metrics read, and `loss`, a row's own, where no metric has that
        name."""
        raise NotImplementedError

    def represent(self, model: "torch.nn.Module", batch: Tensors) -> "tuple[torch.Tensor, Tensors]":
        """Of a task with a `joint` loss: a batch's representations, (texts, numbers), and what the loss reads beside
        them."""
        raise NotImplementedError

    def joint_loss(self, parts: "list[tuple[torch.Tensor, Tensors]]") -> "torch.Tensor":
        """The SUM of the losses of an update's rows, by what `represent` gives of each of its batches."""
        raise NotImplementedError

    def together(self, rows: "Dataset", predictions: dict[str, Any]) -> dict[str, Any]:
        """What is made of the predictions of all evaluated rows, where an answer takes them all: a ranking."""
        return predictions

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

    def logged(self, model: "torch.nn.Module") -> dict[str, float]:
        """What a line of the log says of the model beside its loss, such as a temperature that is learnt."""
        return {}

    def callbacks(self, config: "TrainConfig", run: "Run", encoded: "DatasetDict", processor: Any) -> "list[Callback]":
        """Callbacks of its own; without looks at the validation split, `encoded` has the training rows alone."""
        return []

    def chosen(self, model_config: Any, validated: dict[str, Any]) -> Self:
        """A copy with what is chosen on the validation split's predictions, such as a threshold; then the model's
        config is told, and is saved anew. Here nothing is."""
        return self

    def calibrated(self, calibration: dict[str, Any] | None) -> Self:
        """A copy whose probabilities, and perhaps answers, are as `hfkit calibrate` chose them; None: the model's own.
        Raises HfkitError: they have none."""
        what = (
            f"A model for {self.name} gives no label of a whole row with a probability: there is none to be made true"
        )
        raise HfkitError(what, fix="hfkit calibrate is for classifiers")

    def keep(
        self, run: "Run", processor: Any, model: Any, data: "DatasetDict", encoded: "DatasetDict", table: "pa.Table"
    ) -> None:
        """Keep in the finished run what its report shows, by the test split's predictions: the spec's `keepsakes`."""


class Asked(BaseTask):
    """Stands in for a task in an evaluation that asks the model something else: what `answer` makes of a batch."""

    def __init__(self, task: BaseTask, answer: "Callable[[Any, Tensors], Tensors]") -> None:
        self.read, self.collate, self.answer = task.read, task.collate, answer  # type: ignore[method-assign]

    def loss_and_predictions(self, model: Any, batch: Tensors) -> Any:
        return None, self.answer(model, batch)


def check_reads(name: str, data: "DatasetDict") -> None:
    """Refuse, as an HfkitError, rows that have none of the columns that a task reads: they were loaded for another."""
    columns, known = data["train"].column_names, find(name).reads
    if not set(known) & set(columns):
        what = f"{name} reads {', '.join(known)}, and the rows have {', '.join(columns)}"
        raise HfkitError(what, fix=f"load them with hfkit.load_data(..., task={name!r})")
