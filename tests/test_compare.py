"""Runs are compared on the same rows, by name of label, with Holm's correction; other rows are refused."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from run_fixture import write_run
from test_report import Page

from hfkit.base.errors import HfkitError
from hfkit.evaluation import stats
from hfkit.report import compare
from hfkit.report.analysis import Predictions
from hfkit.runs.run import Run


def runs(folder: Path, *skills: float, **options: object) -> list[Path]:
    return [write_run(folder / f"skill{skill}", skill=skill, seed=i, **options) for i, skill in enumerate(skills)]


def edit(path: Path, **columns: list) -> None:
    table = parquet.read_table(path / "predictions.parquet")
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    parquet.write_table(table, path / "predictions.parquet")


def test_ranking_tests_and_files(tmp_path: Path) -> None:
    paths = runs(tmp_path, 1.0, 3.0, 2.9)
    found = compare(paths, tmp_path / "out")
    data = found.data
    assert [row["name"] for row in data["ranking"]][-1] == "skill1.0"
    assert data["ranking"][2]["behind_best"]
    assert not data["ranking"][1]["behind_best"]
    assert len(data["pairs"]) == 3
    assert [p["p_holm"] for p in data["pairs"]] == stats.holm([p["p_value"] for p in data["pairs"]])
    a, b = (Predictions.of(Run(tmp_path / data["pairs"][0][side])) for side in ("first", "second"))
    assert data["pairs"][0]["p_value"] == stats.mcnemar_exact(a.right(), b.right()).p_value
    assert data["pairs"][0]["value"] == pytest.approx(a.right().mean() - b.right().mean())
    assert json.loads((tmp_path / "out" / "compare.json").read_text()) == data
    page = Page((tmp_path / "out" / "compare.html").read_text())
    for said in ("skill3.0", "22.7 M", "4 min 22 s", "17.9", "exact McNemar"):
        assert said in page.text
        assert said in str(found)
    assert "do not tell it from" in str(found)


def test_nothing_is_written_unless_asked(tmp_path: Path) -> None:
    paths = runs(tmp_path, 1.0, 3.0, rows=50)
    before = sorted(tmp_path.rglob("*"))
    compare(paths)
    assert sorted(tmp_path.rglob("*")) == before


def test_rows_in_another_order_and_labels_in_another_order_are_the_same_answers(tmp_path: Path) -> None:
    first, second = runs(tmp_path, 1.0, 3.0)
    expected = compare([first, second]).data["pairs"]
    table = parquet.read_table(second / "predictions.parquet")
    table = table.take(np.random.default_rng(0).permutation(len(table)))
    parquet.write_table(table, second / "predictions.parquet")
    edit(
        second,
        label=[1 - x for x in table["label"].to_pylist()],
        prediction=[1 - x for x in table["prediction"].to_pylist()],
        probabilities=[x[::-1] for x in table["probabilities"].to_pylist()],
    )
    info = json.loads((second / "run.json").read_text())
    info["task_settings"]["labels"] = ["Positive", "Negative"]
    (second / "run.json").write_text(json.dumps(info))
    assert compare([first, second]).data["pairs"] == expected


@pytest.mark.parametrize("problem", ["multi_label_classification", "regression"])
def test_other_problems(problem: str, tmp_path: Path) -> None:
    found = compare(runs(tmp_path, 0.5, 3.0, problem=problem), tmp_path / "out").data
    assert [row["name"] for row in found["ranking"]] == ["skill3.0", "skill0.5"]
    assert found["ranking"][1]["behind_best"]
    assert found["pairs"][0]["test"] == "paired bootstrap"


def test_other_rows_are_refused_with_the_count(tmp_path: Path) -> None:
    first, second = runs(tmp_path, 1.0, 3.0, rows=60)
    ids = parquet.read_table(second / "predictions.parquet")["id"].to_pylist()
    edit(second, id=["other-1", "other-2", *ids[2:]])
    with pytest.raises(HfkitError, match="58 in common, 2 only in the first, 2 only in the second"):
        compare([first, second])


def test_same_ids_with_another_text_are_refused(tmp_path: Path) -> None:
    first, second = runs(tmp_path, 1.0, 3.0, rows=60)
    info = json.loads((second / "run.json").read_text())
    info["data"]["splits"]["test"]["fingerprint"] = "f" * 64
    (second / "run.json").write_text(json.dumps(info))
    with pytest.raises(HfkitError, match="same ids and different contents"):
        compare([first, second], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_problems_and_labels_are_refused(tmp_path: Path) -> None:
    first = write_run(tmp_path / "first", rows=60)
    with pytest.raises(HfkitError, match="different problems"):
        compare([first, write_run(tmp_path / "second", "regression", rows=60)])
    with pytest.raises(HfkitError, match="different labels"):
        compare([first, write_run(tmp_path / "third", names=["a", "b"], rows=60)])
    with pytest.raises(HfkitError, match="at least two"):
        compare([first])
    with pytest.raises(HfkitError, match="first is named twice"):
        compare([first, first / ".." / "first"])


def test_runs_of_one_name_are_told_apart_by_path(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / side / "same", rows=60, seed=i) for i, side in enumerate("ab")]
    assert sorted(row["name"] for row in compare(paths).data["ranking"]) == sorted(str(path) for path in paths)


def test_other_machines_are_named(tmp_path: Path) -> None:
    first, second = runs(tmp_path, 1.0, 3.0, rows=60)
    info = json.loads((second / "run.json").read_text())
    info["hardware"]["name"] = "Other CPU"
    (second / "run.json").write_text(json.dumps(info))
    assert "Times are from different machines" in str(compare([first, second]))


def test_a_comparison_that_found_nothing_says_what_it_would_have_found(tmp_path: Path) -> None:
    found = compare(runs(tmp_path, 3.0, 2.9, rows=200))
    pair = found.data["pairs"][0]
    assert pair["p_holm"] > 0.05
    least = 100 * 2.8 * (pair["high"] - pair["low"]) / 3.92
    assert f"200 rows show a difference of {least:.1f} points four times in five" in str(found)
    assert f"one of {100 * abs(pair['value']):.1f} takes about" in found.html() or round(100 * pair["value"], 1) == 0
    assert "four times in five" not in str(compare(runs(tmp_path / "far", 0.5, 3.0, rows=300)))


@pytest.mark.parametrize("problem", ["single_label_classification", "multi_label_classification", "regression"])
def test_an_ensemble_is_the_mean_of_what_all_say(tmp_path: Path, problem: str) -> None:
    paths = runs(tmp_path, 1.5, 1.6, 1.7, problem=problem)
    found = compare(paths, tmp_path / "out", ensemble=True)
    row = next(row for row in found.data["ranking"] if row["name"] == "mean of 3")
    tables = [Predictions.of(Run(path)) for path in paths]
    mean = np.mean([one.answer if one.shares is None else one.shares for one in tables], axis=0)
    figure, truth = found.data["figure"], tables[0].truth
    expected = {
        "regression": lambda: np.square(truth - mean).mean(),
        "single_label_classification": lambda: (mean.argmax(axis=1) == truth).mean(),
    }
    if problem in expected:
        assert row["figures"][figure]["value"] == pytest.approx(expected[problem](), abs=1e-6)
    assert row["rank"] == 1 and row["parameters"] == 3 * 22_713_986, "independent mistakes cancel out"
    assert len(found.data["pairs"]) == 6 and "mean of 3" in (tmp_path / "out" / "compare.html").read_text()


def test_answers_without_a_mean_have_no_ensemble(tmp_path: Path) -> None:
    paths = runs(tmp_path, 1.0, 3.0, rows=50)
    for path in paths:
        table = parquet.read_table(path / "predictions.parquet")
        parquet.write_table(table.drop_columns(["probabilities"]), path / "predictions.parquet")
    with pytest.raises(HfkitError, match="have no mean"):
        compare(paths, ensemble=True)
