"""What several pains share: a finished run, a job on made reviews, and Ctrl-C at a chosen update."""

from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, DatasetDict

import hfkit
from hfkit.runs.run import Run
from hfkit.training.engine import Engine

Job = Callable[..., Run]


def job_on(folder: Path, model: Path, reviews: list[tuple[str, str]], **knobs: Any) -> Run:
    """A recipe's verbs on a CSV of made reviews, with a column that is no text and no label."""
    table = folder / "reviews.csv"
    rows = [f'"{text}",cinema {place},{label}\n' for place, (text, label) in enumerate(reviews)]
    table.write_text("review,seen_at,sentiment\n" + "".join(rows))
    basics: dict[str, Any] = {"dataset": str(table), "model": str(model), "output_dir": str(folder / "run")}
    basics |= {"max_length": 24, "learning_rate": 3e-3, "mixed_precision": "no", "use_cpu": True, "disable_tqdm": True}
    config = hfkit.TrainConfig(**(basics | knobs))
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    return hfkit.fit(config, task, *hfkit.build_model(config, task, data), data)


@pytest.fixture(scope="session")
def finished(tiny_bert: Path, reviews: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One small finished run with its report, read-only."""
    run = job_on(tmp_path_factory.mktemp("finished"), tiny_bert, reviews, num_train_epochs=6)
    hfkit.write_report(run)
    return run


@pytest.fixture
def job(tiny_bert: Path, reviews: list[tuple[str, str]], tmp_path: Path) -> Job:
    """The same job in this test's folder; `name` is the run's."""

    def call(name: str = "run", **knobs: Any) -> Run:
        return job_on(tmp_path, tiny_bert, reviews, **({"output_dir": str(tmp_path / name)} | knobs))

    return call


@pytest.fixture
def few(splits: DatasetDict) -> Dataset:
    """48 rows: three updates of 16."""
    return splits["train"].select(range(48))


@pytest.fixture
def ctrl_c(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], AbstractContextManager[None]]:
    """`with ctrl_c(13):` a run that is begun inside is interrupted after its 13th update."""

    @contextmanager
    def interrupted(step: int) -> Any:
        count = Engine._count

        def counted(self: Engine, *arguments: Any) -> None:
            count(self, *arguments)
            self.interrupted = self.state.step == step

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Engine, "_count", counted)
            yield

    return interrupted
