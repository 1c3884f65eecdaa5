"""evaluate: what a finished run is worth on another data set."""

from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments
from hfkit.data import load_test
from hfkit.runs import run as runs
from hfkit.runs.run import Run
from hfkit.tasks.discover import find
from hfkit.training import test_split


def evaluate(
    run: str | Path,
    data: DataArguments,
    output: str | Path | None = None,
    trust_remote_code: bool = False,
    evaluations: Path | None = None,
) -> dict[str, Any]:
    """A finished run's figures on another data set: a file whole, anything else its test split.

    Writes `metrics.json` and `predictions.parquet` to `output`, by default as `test_split.folder_for` has it.

    Args:
        run: The run.
        data: Which rows; their labels are matched to the model's by name.
        output: The folder to write. Default: one of the data set's name in `evaluations`.
        trust_remote_code: Run Python code that the model ships. What the run's own config says does not count: a run
            may come from anyone.
        evaluations: Where each data set gets a folder. Default: `<run>/evaluations`.

    Returns:
        What metrics.json holds.

    Raises:
        HfkitError: The run is not finished, or the data has a label that the model does not know.
    """
    finished = Run(run)
    finished.check_finished()
    with runs.reading(finished):
        task = find(finished.info["task"]).task_class.from_settings(finished.info["task_settings"])
        config = test_split.saved_config(finished, trust_remote_code)
        settings = task.settings()
        labels = None if task.classes is None else list(task.classes)
    if data.pixel_range and data.pixel_range != settings.get("pixel_range"):
        raise HfkitError("--pixel_range: the model reads pixels as it did in training", fix="drop --pixel_range")
    asked = {"problem_type": settings.get("problem_type"), "task": task.name}
    rows = load_test(data, label_names=labels, trained=finished.config | (finished.info.get("data") or {}), **asked)
    pair = settings.get("pair")
    if pair is not None and pair != ("text_pair" in rows["test"].column_names):
        kind, other = ("pairs of texts", "single texts") if pair else ("single texts", "pairs")
        raise HfkitError(f"the model reads {kind}, and {data.dataset} holds {other}", fix="see --text_pair_column")
    place = evaluations or finished.path / "evaluations"
    folder = Path(output or test_split.folder_for(place, data.dataset, rows.summary))
    figures = test_split.evaluate_rows(finished, config, task, rows, folder)
    print(f"{finished.path} on {data.dataset}:\n{test_split.figure_lines(figures)}\nWritten to {folder}")
    return figures
