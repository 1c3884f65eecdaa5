"""Judging a sample: at each look, some validation rows as a finished model is judged on all of them."""

from datasets import Dataset

from hfkit.evaluation import metric
from hfkit.evaluation.predict import evaluate
from hfkit.models import sharding
from hfkit.tasks import Task
from hfkit.tasks.discover import find
from hfkit.training.callbacks import Callback
from hfkit.training.engine import Engine


class Sample(Callback):
    """Adds to a look's figures those that it has no time to take on the whole split, such as of written texts: of at
    `most` so many rows, spread evenly over the split `encoded`. All processes have the same figures. Sharded weights
    give none: writing would gather them for each token."""

    def __init__(self, task: Task, encoded: Dataset, most: int) -> None:
        count = min(most, len(encoded))
        self.task, self.rows = task.finished(), encoded.select([at * len(encoded) // count for at in range(count)])

    def on_evaluate(self, engine: Engine, figures: dict[str, float]) -> None:
        if sharding.is_sharded(engine.module):
            return
        found = evaluate(engine.accelerator, self.task, engine.module, self.rows, engine.config, "write")
        found = self.task.by_example(self.rows, self.rows, found)
        metrics = find(self.task.name).metrics(self.task.settings())
        added = {f"eval_{name}": value for name, value in metric.figures(metrics, found).items()}
        figures |= {name: value for name, value in added.items() if name not in figures}
