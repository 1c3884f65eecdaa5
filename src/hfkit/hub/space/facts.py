"""What the app of a run says and offers: its title, its figures in a sentence, examples of the test rows."""

from dataclasses import dataclass, field

import numpy as np

from hfkit.base.sanitize import line
from hfkit.evaluation import wording
from hfkit.report import public
from hfkit.report.page import job
from hfkit.runs.run import Run, reading
from hfkit.tasks.discover import find

EXAMPLES = 6
LONGEST = 1500  # characters of an example: enough for a text of several windows


@dataclass
class Facts:
    """Of an app."""

    title: str  # the run's name
    task: str  # as transformers' pipelines call it
    about: str = ""  # Markdown, above the form
    labels: list[str] = field(default_factory=list)  # of a classifier
    regression: bool = False  # whether the answer is a number
    pair: bool = False  # whether the model reads two texts
    examples: list[list[str]] = field(default_factory=list)  # inputs: texts, or a picture's path in the app's folder
    pictures: dict[str, bytes] = field(default_factory=dict)  # by their paths in the app's folder


def facts(run: Run) -> Facts:
    """The facts of a finished run, from its files; one that is not finished, or damaged, is refused."""
    run.check_finished()
    with reading(run):
        settings, names = run.info["task_settings"], run.predictions().column_names
        pictures, own = _pictures(run), find(str(run.info["task"])).offers("app", "examples")
        return Facts(
            title=str(run.info["name"]),
            task=str(run.info["task"]),
            about=_about(run),
            labels=[str(name) for name in settings.get("labels") or []],
            regression="problem_type" in settings and "label" in names and "probabilities" not in names,
            pair=bool(settings.get("pair")),
            examples=[[path] for path in pictures] or (own(run, EXAMPLES) if own else _texts(run)),
            pictures=pictures,
        )


def _about(run: Run) -> str:
    """What the model is and how good, as Markdown."""
    info, found = run.info, run.metrics
    primary = found["primary_metric"]
    figure, data = found[primary], info["data"]
    said = (
        f"{wording.capital(job(info))}, learnt from {data.get('pretty_name') or public.path(data['name'])}."
        f" {wording.capital(wording.title(primary))} on {figure['n']:,} test rows:"
        f" {wording.number(figure['value'], primary)} (95 % interval {wording.interval(figure, primary)})."
    )
    if found.get("baselines"):
        said += f" {wording.verdict(found)}"
    return line(said, 1000).replace("<", "&lt;")


def _texts(run: Run) -> list[list[str]]:
    """Test texts: for each label in turn the one answered right and most surely, and a long one."""
    table = run.predictions()
    names = [name for name in ("text", "text_pair") if name in table.column_names]
    if not names or "label" not in table.column_names:
        return []
    columns = [table[name].to_pylist() for name in names]
    rows = [[line(text, LONGEST) for text in row] for row in zip(*columns, strict=True)]
    length = np.array([sum(map(len, row)) for row in rows])
    # The probability of a right answer, of a regression how close it was; wrong ones last.
    label, answer = table["label"].to_pylist(), table["prediction"].to_pylist()
    if "probabilities" in table.column_names:
        best = np.array([max(row) for row in table["probabilities"].to_pylist()])
        sure = np.where([one == other for one, other in zip(label, answer, strict=True)], best, -1.0)
    else:
        sure = -np.abs(np.array(label, dtype=float) - np.array(answer, dtype=float))
    order = np.argsort(-sure, kind="stable")
    surest: dict[str, int] = {}
    for row in order:
        if 20 <= length[row] <= 400:
            surest.setdefault(str(table["label"][int(row)].as_py()), int(row))
    chosen = [row for _, row in sorted(surest.items())][: EXAMPLES - 1]
    return [rows[row] for row in dict.fromkeys([*chosen, int(length.argmax())])]


def _pictures(run: Run) -> dict[str, bytes]:
    """Small test pictures that the run keeps, one a class."""
    table = run.table("pictures.parquet")
    found: dict[int, bytes] = {}
    for row in [] if table is None else table.to_pylist():
        if row["part"] == "class" and len(found) < EXAMPLES:
            found.setdefault(row["label"], row["image"])
    pictures = [found[label] for label in sorted(found)]
    endings = ["png" if picture.startswith(b"\x89PNG") else "jpg" for picture in pictures]
    return {f"examples/{number}.{endings[number]}": picture for number, picture in enumerate(pictures)}
