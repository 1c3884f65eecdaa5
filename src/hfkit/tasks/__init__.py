"""What a job means: how a row becomes model inputs, what is learnt from them, and how the answer is judged.

A task is a folder beside this file. The engine knows only the `Task` protocol: it never asks which one runs.
Importing this package loads neither torch nor transformers, so that names can be checked early.
"""

from typing import TYPE_CHECKING, Any, Protocol

from hfkit.tasks.discover import find

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import torch
    from accelerate import Accelerator
    from datasets import Dataset, DatasetDict
    from transformers import PreTrainedConfig

    from hfkit.config import TrainConfig
    from hfkit.runs.run import Run
    from hfkit.training.callbacks import Callback

Processor = Any
"""A tokenizer or an image processor: transformers has no class for both."""


class Task(Protocol):
    """What the engine, the report and the pipeline ask of a job. Every setting is plain JSON (`settings`).

    The last six, `primary_metric` and `best_metric`, are `hfkit.tasks.base`'s where a task does not say
    otherwise. What an answer is judged by stands beside the task, in metrics.py.
    """

    @property
    def name(self) -> str: ...
    @property
    def auto_model(self) -> str:
        """Name of the transformers Auto class that builds a model for the job."""
        ...

    @property
    def primary_metric(self) -> str:
        """The figure that says which model is best, and that a report shows first."""
        ...

    @property
    def best_metric(self) -> str: ...

    def settings(self) -> dict[str, Any]:
        """Everything that the task knows, as JSON; `from_settings` takes it back."""
        ...

    def model_kwargs(self) -> dict[str, Any]:
        """What the model's config has to hold: labels by name, problem type, and `hfkit`, the task's own settings."""
        ...

    def for_model(self, model_config: "PreTrainedConfig", processor: "Processor") -> "Task":
        """A copy that fits the model: its order of the labels, its limits, its padding."""
        ...

    def encode(self, dataset: "Dataset", processor: "Processor") -> "Dataset":
        """Rows -> model inputs in the same order, with `id`, `labels` where there are any, `length`, `truncated`."""
        ...

    def truncation(self, encoded: "Dataset") -> dict[str, Any]:
        """How many encoded rows lost something to `max_length`."""
        ...

    def to_train(self, encoded: "Dataset") -> "Dataset":
        """Encoded rows as training batches them: the same, or windows of long ones, or several in one."""
        ...

    def to_evaluate(self, encoded: "Dataset") -> "Dataset":
        """Encoded rows as evaluation batches them: the same, or windows of long ones."""
        ...

    def by_example(
        self, encoded: "Dataset", rows: "Dataset", predictions: "dict[str, np.ndarray]"
    ) -> "dict[str, np.ndarray]":
        """Predictions for the rows of `to_evaluate` as predictions for those of `encoded`."""
        ...

    def read(self, dataset: "Dataset", rows: list[int], epoch: int | None) -> list[dict[str, Any]]:
        """Encoded rows for `collate`; in training as `epoch` sees them, in evaluation (None) always the same.

        Called where batches are prepared, which may be another process: nothing but the arguments and the task's own
        seed may decide what comes out.
        """
        ...

    def collate(self, features: list[dict[str, Any]]) -> "dict[str, torch.Tensor]":
        """Encoded rows -> one padded batch."""
        ...

    def weight(self, batch: "dict[str, torch.Tensor]") -> float:
        """What the batch weighs in the mean loss of the update it is part of."""
        ...

    def loss_and_predictions(
        self, model: "torch.nn.Module", batch: "dict[str, torch.Tensor]"
    ) -> "tuple[torch.Tensor, dict[str, Any]]":
        """The SUM of the rows' losses (divide by `weight`), and tensors with one row per example, or lists of a tensor
        a row where they differ in length: what its metrics read, and `loss`, a row's own, where no metric has that
        name."""
        ...

    def finished(self) -> "Task": ...
    def before_training(self, run: "Run", model: "torch.nn.Module") -> None: ...
    def learner(
        self, config: "TrainConfig", model: "torch.nn.Module", encoded: "DatasetDict", accelerator: "Accelerator"
    ) -> "tuple[torch.nn.Module, DatasetDict] | None": ...
    def callbacks(
        self, config: "TrainConfig", run: "Run", encoded: "DatasetDict", processor: "Processor"
    ) -> "list[Callback]": ...
    def chosen(self, model_config: "PreTrainedConfig", validated: "dict[str, np.ndarray]") -> "Task": ...
    def keep(
        self,
        run: "Run",
        processor: "Processor",
        model: Any,
        data: "DatasetDict",
        encoded: "DatasetDict",
        table: "pa.Table",
    ) -> None: ...


def build_task(config: "TrainConfig", data: "DatasetDict") -> Task:
    """The task that `config` asks for, with what it reads from the training rows: labels, problem type, class weights.

    Args:
        config: Of the task, as `TrainConfig.for_task` gives its class.
        data: Splits from `hfkit.load_data`, or any DatasetDict with a `train` split of columns `text`, perhaps
            `text_pair`, or `image`; and `label`, but for language models.

    Raises:
        HfkitError: an unknown task, labels that do not fit `problem_type`, a knob's value that cannot be, or settings
            that exclude each other.
    """
    from hfkit.config.rules import check  # the configuration finds its task through this package

    check(config)
    task: Task = find(config.task).task_class.build(config, data)
    return task
