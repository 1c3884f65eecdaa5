"""What a job means: how a row becomes model inputs, what is learnt from them, and how the answer is judged. A task is a
folder beside this file. Importing this package loads neither torch nor transformers.
"""

from typing import TYPE_CHECKING, Any

from hfkit.tasks.base import BaseTask as Task
from hfkit.tasks.discover import find

if TYPE_CHECKING:
    from datasets import DatasetDict

    from hfkit.config import TrainConfig

__all__ = ["Processor", "Task", "build_task", "find"]

Processor = Any  # a tokenizer or an image processor: transformers has no class for both


def build_task(config: "TrainConfig", data: "DatasetDict") -> Task:
    """The task that `config`, of the task's own class, asks for, with what it reads from the training rows: labels,
    problem type, class weights. `data` are splits from `hfkit.load_data`, or any DatasetDict with a `train` split of
    columns `text`, perhaps `text_pair`, or `image`; and `label`, but for language models. Raises HfkitError: an unknown
    task, labels that do not fit `problem_type`, a knob's value that cannot be, or settings that exclude each other."""
    from hfkit.config.rules import check  # the configuration finds its task through this package

    check(config)
    return find(config.task).task_class.build(config, data)
