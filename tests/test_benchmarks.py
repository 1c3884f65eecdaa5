"""The benchmarks' own arithmetic, and that their sides take turns, do the same work, and fail loudly."""

import importlib
import inspect
import json
from pathlib import Path

import pytest
from benchmarks import fresh, pairing

BENCHMARKS = Path(pairing.__file__).parent
TWO_SIDES = ("scaling", "train_text", "train_text_tuned", "predict_text", "predict_stream", "evaluate_memory", "lstm")


def side(name: str, order: Path, seconds: str) -> fresh.Side:
    """A program that notes its turn in a file, and says how long it took."""
    said = f"{{'seconds': {seconds}, 'rows': 3}}"
    code = f"import json; open({str(order)!r}, 'a').write('{name}{{turn}} '); print('noise'); print(json.dumps({said}))"
    return fresh.Side(name, ["-c", code])


def test_sides_take_turns_and_a_stopped_benchmark_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh, "WORK", tmp_path / "work")
    order = tmp_path / "order"
    sides = [side("a", order, "2 * (1 + {turn})"), side("b", order, "1 + {turn}")]
    assert len(fresh.in_turns("trial", sides, 1)) == 1
    turns = fresh.in_turns("trial", sides, 3)
    assert order.read_text().split() == ["a0", "b0", "b1", "a1", "a2", "b2", "b3", "a3"], "each once, in turns"
    assert fresh.pairs_of(turns, "a", "b") == [(4, 2), (6, 3), (8, 4)], "the warm-up does not count"
    assert all(figures["process_seconds"] > 0 for turn in turns for figures in turn.values())
    fresh.same_work(turns, "rows")
    with pytest.raises(ValueError, match="the sides did not do the same work: seconds is"):
        fresh.same_work(turns, "seconds")
    other = [sides[0], side("b", order, "7")]
    assert fresh.in_turns("trial", other, 1)[0]["b"]["seconds"] == 7, "another program is measured anew"
    monkeypatch.setattr(fresh, "code", lambda: b"a changed line")
    assert len(fresh.in_turns("trial", sides, 1)) == 1
    assert order.read_text().split()[-4:] == ["a0", "b0", "b1", "a1"], "other code is measured anew"


def test_a_side_that_fails_ends_the_benchmark_with_its_last_words() -> None:
    failing = fresh.Side("rival", ["-c", "raise SystemExit('no such model')"])
    with pytest.raises(RuntimeError, match=r"rival ended with 1: no such model"):
        failing.run(0)


def test_each_side_has_all_threads_and_its_own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    code = "import json, os; print(json.dumps({name: os.environ.get(name) for name in ('OMP_NUM_THREADS', 'OWN')}))"
    said = fresh.Side("one", ["-c", code], {"OWN": "yes"}).run(0)
    assert (said["OMP_NUM_THREADS"], said["OWN"]) == (None, "yes")


def test_the_ratio_is_the_median_of_the_pairs_ratios() -> None:
    found = pairing.summary([(10.0, 2.0), (30.0, 10.0), (8.0, 2.0), (9.0, 9.0), (6.0, 1.0)])
    assert (found["ratio"], found["pairs"], found["first_seconds"]) == (4.0, 5, 9.0)
    assert found["ratio_interval"] == [1.0, 6.0], "of five values a median's interval is the lowest and the highest"
    assert pairing.interval([float(value) for value in range(20)]) == [5.0, 14.0]
    with pytest.raises(ValueError, match="4 pairs are too few"):
        pairing.in_turns(lambda: 1.0, lambda: 1.0, pairs=4)


@pytest.mark.parametrize(
    ("pairs", "equivalent", "not_worse"),
    [
        ([(0.801, 0.8), (0.8, 0.801), (0.8, 0.8), (0.801, 0.801)], True, True),
        ([(0.83, 0.8), (0.81, 0.8), (0.82, 0.8), (0.82, 0.8)], False, True),  # better, and so not equal
        ([(0.85, 0.8), (0.75, 0.8), (0.84, 0.8), (0.76, 0.8)], False, False),  # equal in the mean, and nothing shown
        ([(0.8, 0.8)], False, False),  # of one pair there is no spread
    ],
)
def test_equal_means_that_the_interval_lies_within_the_margin(
    pairs: list[tuple[float, float]], equivalent: bool, not_worse: bool
) -> None:
    found = pairing.equivalent(pairs, 0.005)
    assert (found["equivalent"], found["not_worse"]) == (equivalent, not_worse)


def test_a_report_writes_figures_and_a_plot_but_not_the_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing, "RESULTS", tmp_path)
    found = pairing.summary([(6.0, 2.0)] * 5)
    turns = [{"rival": {"seconds": 6.0, "labels": ["a"]}, "hfkit": {"seconds": 2.0, "labels": ["a"]}}] * 5
    assert not pairing.report("trial", "How fast?", "rival / hfkit", found, 3.5, False, turns)
    written = json.loads((tmp_path / "trial.json").read_text())
    assert (written["results"]["ratio"], written["results"]["limit"]) == (3.0, 3.5)
    assert written["results"]["turns"][0] == {"rival": {"seconds": 6.0}, "hfkit": {"seconds": 2.0}}
    assert written["hardware"]["cores"] >= 1
    assert "<svg" in (tmp_path / "trial.svg").read_text()
    assert pairing.report("quick", "How fast?", "rival / hfkit", found, 2.5, True, turns)
    assert not (tmp_path / "quick.json").exists(), "a trial writes no result"


@pytest.mark.parametrize("name", TWO_SIDES)
def test_a_comparison_can_be_tried_on_a_handful_of_rows(name: str) -> None:
    parameters = inspect.signature(importlib.import_module(f"benchmarks.{name}").main).parameters
    assert {"pairs", "quick"} <= set(parameters)


def test_rivals_know_nothing_of_hfkit() -> None:
    for path in (BENCHMARKS / "rivals").glob("[a-z]*.py"):
        assert "hfkit" not in path.read_text(encoding="utf-8"), path.name


def test_results_name_the_machine_and_the_versions() -> None:
    results = sorted((BENCHMARKS / "results").glob("*.json"))
    assert results
    for path in results:
        content = json.loads(path.read_text(encoding="utf-8"))
        assert {"question", "results", "hardware", "versions"} <= set(content), path.name
        assert str(Path.home()) not in path.read_text(encoding="utf-8"), path.name
