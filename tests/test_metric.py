"""A metric is defined once: its figure, interval and paired test are those of the code that had nine definitions."""

import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from datasets import Dataset
from run_fixture import write_run

from hfkit import report
from hfkit.evaluation import metric, stats, wording
from hfkit.evaluation.metric import Columns, Metric, as_array, figures, looked_at, mean_of, named
from hfkit.evaluation.stats import groups_of, intervals
from hfkit.tasks import discover
from hfkit.tasks.spec import TaskSpec
from hfkit.training.judging.test_split import prediction_table

ROWS = 240
Answers = tuple[str, pa.Table, dict[str, np.ndarray]]


def classes(rng: np.random.Generator, k: int, seen: int) -> Answers:
    truth = rng.integers(0, seen, ROWS)
    scores = np.round(rng.normal(size=(ROWS, k)) + 1.2 * np.eye(k)[truth], 1)
    shares = np.float32(np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True))
    columns = {"label": truth, "prediction": shares.argmax(axis=1), "probabilities": pa.array(list(shares))}
    rivals = {"tfidf_logreg": np.where(rng.random(ROWS) < 0.5, truth, 0), "majority": np.full(ROWS, 1)}
    return "single_label_classification", pa.table(columns), rivals


def labels(rng: np.random.Generator) -> Answers:
    truth = (rng.random((ROWS, 4)) < 0.3).astype(np.int8)
    truth[:, 3] = 0  # a label that never occurs
    shares = np.float32(np.clip(0.4 * truth + 0.7 * rng.random((ROWS, 4)), 0.01, 0.99))
    columns = {"label": truth, "prediction": (shares > 0.5).astype(np.int8), "probabilities": shares}
    rivals = {"tfidf_logreg": np.where(rng.random((ROWS, 4)) < 0.8, truth, 1 - truth), "majority": truth * 0}
    return "multi_label_classification", pa.table({name: pa.array(list(one)) for name, one in columns.items()}), rivals


def numbers(rng: np.random.Generator) -> Answers:
    truth = np.round(rng.normal(3, 1, ROWS), 1).astype(np.float32)
    columns = {"label": truth, "prediction": np.float32(truth + rng.normal(0, 0.6, ROWS))}
    rivals = {"tfidf_logreg": truth + rng.normal(0, 0.9, ROWS), "majority": np.full(ROWS, 3.1)}
    return "regression", pa.table(columns), rivals


def documents(rng: np.random.Generator) -> Answers:
    size = rng.integers(20, 900, ROWS)
    nats = size * rng.gamma(9, 0.1, ROWS)
    columns = {"nll": nats, "tokens": size // 4 + 1.0, "right": size // 9 * 1.0}
    columns |= {"bytes": size * 1.0, "words": size // 6 * 1.0}
    rivals = {"byte_ngram": nats * rng.gamma(20, 0.055, ROWS), "byte_unigram": size * 3.1}
    return "language_modeling", pa.table(columns), rivals


def flat(figures: dict[str, Any], *at: str) -> dict[str, Any]:
    found = {}
    for name, value in figures.items():
        found |= flat(value, *at, name) if isinstance(value, dict) else {"/".join((*at, name)): value}
    return found


def test_figures_intervals_and_tests_are_those_that_were_recorded() -> None:
    """Of metrics.json, made by the code before there was a Metric, with scikit-learn and scipy for the figures."""
    rng = np.random.default_rng(77)
    answers = {"two classes": classes(rng, 2, 2), "twelve classes": classes(rng, 12, 10), "labels": labels(rng)}
    answers |= {"numbers": numbers(rng), "documents": documents(rng)}
    recorded = json.loads((Path(__file__).parent / "recorded_figures.json").read_text())
    for name, (problem, table, rivals) in answers.items():
        task = "text-generation" if name == "documents" else "image-classification"
        baselines = {rival: {"prediction": said} for rival, said in rivals.items()}
        found = flat(intervals(table, {"name": task, "problem_type": problem}, baselines, n_resamples=400, seed=3))
        told = flat(recorded[name])
        words = {key for key, value in told.items() if isinstance(value, str)}
        assert {key: found.pop(key) for key in words} == {key: told.pop(key) for key in words}
        assert found == pytest.approx(told, rel=1e-13, abs=0), name


@pytest.mark.parametrize("problem", ["classes", "labels"])
def test_rows_of_a_group_are_drawn_together(problem: str) -> None:
    """Nine copies of each row tell no more than the row does; drawn one by one they make intervals too narrow."""
    rng = np.random.default_rng(5)
    kind, table, rivals = classes(rng, 3, 3) if problem == "classes" else labels(rng)
    settings = {"name": "text-classification", "problem_type": kind}
    copies = table.take(np.repeat(np.arange(ROWS), 9))
    together = copies.append_column("group", pa.array([f"patient {row // 9}" for row in range(len(copies))]))
    few, apart, grouped = (
        intervals(one, settings, {"majority": {"prediction": np.repeat(rivals["majority"], times, axis=0)}}, 300)
        for one, times in ((table, 1), (copies, 9), (together, 9))
    )
    primary = few["primary_metric"]
    width, narrow, whole = (one[primary]["high"] - one[primary]["low"] for one in (few, apart, grouped))
    assert narrow < 0.45 * width
    assert whole == pytest.approx(width, rel=0.2)
    assert grouped[primary]["value"] == pytest.approx(few[primary]["value"])
    assert (grouped["groups"], "groups" in apart) == (ROWS, False)
    # McNemar's test takes each row for a witness of its own.
    assert grouped["baselines"]["majority"]["difference"]["test"] == "paired bootstrap"


def test_a_block_of_groups_holds_no_more_numbers_than_one_of_rows() -> None:
    groups = np.repeat(np.arange(4), [1, 2, 3, 94])
    blocks = list(stats.resample_counts(100, 30, seed=1, entries=1000, groups=groups))
    assert [len(block) for block in blocks] == [10, 10, 10]
    drawn = np.concatenate(blocks)
    assert (drawn[:, 1] == drawn[:, 2]).all()
    assert (drawn[:, 6:] == drawn[:, 6:7]).all()
    assert drawn[:, [0, 1, 3, 6]].sum(axis=1) == pytest.approx(np.full(30, 4))


def test_a_predictions_table_keeps_groups_and_ragged_answers() -> None:
    rows = Dataset.from_dict({"id": ["a", "b"], "group": ["x", "x"]})
    encoded = Dataset.from_dict({"id": ["a", "b"], "length": [1, 2], "truncated": [False, False]})
    table = prediction_table(rows, encoded, {"prediction": [[1, 2], [3]], "loss": np.ones(2)}, {})  # type: ignore[dict-item]
    assert groups_of(table).tolist() == ["x", "x"]
    assert table["prediction"].to_pylist() == [[1, 2], [3]]


def test_columns_may_be_ragged() -> None:
    table = pa.table({"a": [[1, 2], [3]], "b": [[1, 2], [3, 4]], "c": [["x"], ["y"]], "d": ["p", "q"]})
    assert as_array(table["a"]).tolist() == [[1, 2], [3]]
    assert as_array(table["b"]).shape == (2, 2)
    assert as_array(table["c"]).tolist() == [["x"], ["y"]]
    assert as_array(table["d"]).tolist() == ["p", "q"]
    assert as_array(table["b"].slice(1)).tolist() == [[3, 4]]
    found = Columns({"said": [["x", "y"], ["z"]]})
    assert [len(row) for row in found["said"]] == [2, 1]


def test_sums_are_made_once_for_each_set_of_weights() -> None:
    asked = []
    columns, weights, others = Columns({"label": np.arange(3)}), np.ones((1, 3)), np.ones((2, 3))

    def sums(columns: Columns, weights: np.ndarray) -> int:
        asked.append(len(weights))
        return len(weights)

    def rows(columns: Columns) -> int:
        asked.append(0)
        return 0

    assert [columns.of_sums(sums, one) for one in (weights, weights, others, others)] == [1, 1, 2, 2]
    assert columns.of_rows(rows) == columns.of_rows(rows) == 0
    assert asked == [1, 2, 0]


def test_a_figure_without_its_columns_or_without_a_value_is_left_out() -> None:
    half = Metric("half", "half", ("label",), mean_of(lambda columns: columns["label"] / 2))
    never = Metric("never", "never", ("label",), lambda _, weights: np.full(len(weights), np.nan))
    other = Metric("other", "other", ("absent",), mean_of(lambda columns: columns["absent"]))
    assert figures([half, never, other], {"label": [2, 4]}) == {"half": 1.5}
    assert figures([other], {}) == {}


STRANGER = {
    "__init__.py": """
from hfkit.tasks.spec import TaskSpec
from hfkit.training.judging.test_split import prediction_table
SPEC = TaskSpec(("word-finding",), "Finding", "AutoModel", ("ForFinding",), ("tokens",))
""",
    "metrics.py": """
import numpy as np
from hfkit.evaluation.metric import Metric, total

def sums(columns):
    rows = zip(columns["tags"], columns["prediction"])
    return np.array([[sum(a == b for a, b in zip(*row)), len(row[0])] for row in rows])

def share(columns, weights):
    right, words = total(weights, columns.of_rows(sums)).T
    return right / words

METRICS = (Metric("words_missed", "words missed", ("tags", "prediction"), lambda *asked: 1 - share(*asked),
                  given=("tags",), better="lower"),)
""",
    "app.py": "def example(info):\n    return repr('a text')\n",
}


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A task of somebody else's package, with ragged answers and no problem type."""
    package = tmp_path / "strangers" / "word_finding"
    package.mkdir(parents=True)
    for name, text in STRANGER.items():
        (package / name).write_text(text)
    monkeypatch.syspath_prepend(package.parent)
    spec = discover._spec("word_finding")
    monkeypatch.setattr(discover, "_others", lambda: (spec,))
    metric._known.cache_clear()
    yield spec
    metric._known.cache_clear()
    for name in [name for name in sys.modules if name.startswith("word_finding")]:
        del sys.modules[name]


def finding(path: Path, skill: float, seed: int) -> Path:
    """A finished run of it."""
    write_run(path, rows=80)
    rng = np.random.default_rng(3)
    tags = [rng.integers(0, 3, size).tolist() for size in rng.integers(1, 9, 80)]
    said, other = ([[tag if rng.random() < at else 3 for tag in row] for row in tags] for at in (skill, 0.5))
    table = parquet.read_table(path / "predictions.parquet").select(["id", "text", "length", "truncated"])
    table = table.append_column("tags", pa.array(tags)).append_column("prediction", pa.array(said))
    parquet.write_table(table, path / "predictions.parquet")
    settings = {"name": "word-finding"}
    found = intervals(table, settings, {"frequent": {"prediction": other}}, 300) | {"split": "test"}
    assert "problem_type" not in found
    (path / "metrics.json").write_text(json.dumps(found))
    info = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps(info | {"task": "word-finding", "task_settings": settings}))
    return path


def test_a_strangers_task_needs_its_metrics_file_alone(stranger: TaskSpec, tmp_path: Path) -> None:
    good, bad = finding(tmp_path / "good", 0.9, 0), finding(tmp_path / "bad", 0.6, 1)
    shown = report.table(good)
    assert "words missed" in shown
    assert "The model beats frequent by" in shown
    compared = report.compare([bad, good])
    assert [row["name"] for row in compared.data["ranking"]] == ["good", "bad"]
    assert compared.data["pairs"][0]["p_value"] < 0.05
    report.write_report(good)
    assert "words missed" in (good / "README.md").read_text()
    assert "Words missed" in (good / "report.html").read_text()
    task = types.SimpleNamespace(name="word-finding", settings=lambda: {"name": "word-finding"})
    seen = {"tags": [[1, 2], [0]], "prediction": [[1, 1], [0]], "loss": np.array([1.0, 3.0])}
    assert looked_at(task, seen) == {"loss": 2.0, "words_missed": pytest.approx(1 / 3)}


def test_a_name_that_tasks_share_is_written_in_one_way() -> None:
    shown: dict[str, set[tuple[str, str, str]]] = {}
    for spec in discover.specs():
        for one in spec.offers("metrics", "METRICS") or ():
            shown.setdefault(one.name, set()).add((one.title, one.unit, one.better))
    assert {name: ways for name, ways in shown.items() if len(ways) > 1} == {}


def test_names_come_from_the_metric() -> None:
    assert wording.title("mcc") == "Matthews correlation"
    assert wording.number(12.3456, "perplexity") == "12.35"
    assert wording.unit("f1_macro") == " points"
    assert wording.unit("mse") == ""
    assert wording.better(2.0, "ece") == -2.0
    assert named("of_nobody").title == "of nobody"
    assert named("ndcg_at_10_of_8_dimensions").title == "nDCG@10 of 8 dimensions"
    assert [wording.capital(one) for one in ("nDCG@10", "exact match")] == ["nDCG@10", "Exact match"]
