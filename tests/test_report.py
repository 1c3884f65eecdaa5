"""The report and the model card say what the run's files say, whole, escaped and without a network."""

import json
import re
import shlex
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from huggingface_hub import ModelCard
from run_fixture import NAMES, write_run

from hfkit.base.errors import HfkitError
from hfkit.evaluation import wording as words
from hfkit.report import table, write_report
from hfkit.report.analysis import Predictions, by_length, confusion, mistakes, per_class, reliability
from hfkit.report.page import command
from hfkit.report.svg import short, ticks
from hfkit.runs.run import Run

_VOID = {"meta", "br", "hr", "img", "input", "link"}
HOSTILE = "</style><script>alert(1)</script> & \"q\" 'x' | `c` \x1b[31m\x00 \u202etxt"


class Page(HTMLParser):
    """Collects tags and text, and fails on tags that do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(run: Path) -> tuple[str, str]:
    write_report(run)
    return (run / "report.html").read_text(), (run / "README.md").read_text()


@pytest.mark.parametrize("problem", list(NAMES))
def test_page_is_whole_and_self_contained(problem: str, tmp_path: Path) -> None:
    html, _ = read(write_run(tmp_path / "one", problem))
    page = Page(html)
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "img", "object"}
        assert not {"src", "href", "onload", "onclick"} & set(attributes)
    assert "http:" not in html
    assert "https:" not in html
    assert "nan" not in re.sub("<style>.*</style>", "", html, flags=re.S).lower().split()
    figures = json.loads((tmp_path / "one" / "metrics.json").read_text())
    for name, entry in figures.items():
        if isinstance(entry, dict) and "low" in entry:
            assert words.number(entry["value"], name) in page.text
            assert words.interval(entry, name) in page.text
    assert words.verdict(figures) in page.text
    for said in (
        "python recipes/bert_imdb.py --demo",
        "96 duplicated texts removed",
        "Example CPU",
        "0.1.0",
    ):
        assert said in page.text
    assert len([tag for tag, _ in page.tags if tag == "svg"]) >= 6


def test_settings_that_differ_come_first(tmp_path: Path) -> None:
    html, card = read(write_run(tmp_path / "one"))
    settings = Page(html).text.split("differ from the defaults")[1]
    assert settings.index("max_length") < settings.index("weight_decay")
    changed = settings[: settings.index("Default")]
    assert "learning_rate" in changed
    assert "weight_decay" not in changed
    assert "| learning_rate | 0.0001 |" in card


def test_strings_from_data_stay_strings(tmp_path: Path) -> None:
    path = write_run(tmp_path / "one", names=[HOSTILE, "positive"], rows=60, skill=0.5, name=HOSTILE)
    info = json.loads((path / "run.json").read_text())
    info["data"] |= {"reading": HOSTILE, "notes": [HOSTILE], "pretty_name": HOSTILE, "license": HOSTILE}
    info["command"] = ["python", HOSTILE]
    (path / "config.json").write_text("{}")  # as in a published run, which has a name of its own
    (path / "run.json").write_text(json.dumps(info))
    predictions = parquet.read_table(path / "predictions.parquet")
    texts = [[HOSTILE] * len(predictions)]
    parquet.write_table(
        predictions.set_column(predictions.column_names.index("text"), "text", texts), path / "predictions.parquet"
    )
    html, card = read(path)
    assert "script" not in {tag for tag, _ in Page(html).tags}
    for character in "\x00\x1b\u202e":
        assert character not in html + card + table(path)
    prose = re.sub(r"```.*?```", "", ModelCard(card).text, flags=re.S)
    assert not re.search(r"(?<!\\)[<|]/?(script|style)", prose)
    assert ModelCard(card).data.model_name.startswith("</style>")


def test_card_is_complete_and_the_hub_can_read_it(tmp_path: Path) -> None:
    path = write_run(tmp_path / "one")
    _, text = read(path)
    assert "More information" not in text
    assert "{{" not in text
    card = ModelCard(text)
    assert card.data.pipeline_tag == "text-classification"
    assert card.data.library_name == "transformers"
    results = {result.metric_name: result for result in card.data.eval_results}
    figures = json.loads((path / "metrics.json").read_text())
    assert results["accuracy"].metric_value == pytest.approx(figures["accuracy"]["value"], abs=1e-6)
    assert results["F1 (macro)"].metric_type == "f1"
    assert results["F1 (macro)"].metric_args["average"] == "macro"
    assert results["accuracy"].dataset_split == "test"
    assert words.verdict(figures)[:40] in text
    assert f'hfkit.pipeline("{path}")' in text
    assert "It also works in plain transformers" in text


def test_card_of_a_hub_model_and_of_one_that_needs_hfkit(tmp_path: Path) -> None:
    path = write_run(tmp_path / "one", rows=60)
    info = json.loads((path / "run.json").read_text())
    info["model"] |= {"name": "google-bert/bert-base-uncased", "plain_transformers": False}
    info["data"] |= {"source": "hub", "location": "stanfordnlp/imdb", "revision": "abc"}
    info["git"] = None
    (path / "run.json").write_text(json.dumps(info))
    html, text = read(path)
    card = ModelCard(text)
    assert card.data.base_model == "google-bert/bert-base-uncased"
    assert card.data.datasets == ["stanfordnlp/imdb"]
    assert card.data.eval_results[0].dataset_type == "stanfordnlp/imdb"
    assert card.data.eval_results[0].dataset_revision == "abc"
    assert "from transformers import pipeline" not in text + html


def test_many_classes_list_their_confusions(tmp_path: Path) -> None:
    html, _ = read(write_run(tmp_path / "one", names=[f"intent_{i}" for i in range(20)]))
    assert "Most frequent confusions" in html
    assert 'class="matrix"' not in html


def test_a_perfect_model_has_no_mistakes(tmp_path: Path) -> None:
    html, _ = read(write_run(tmp_path / "one", skill=60, rows=50))
    assert "every test row was answered right" in html


def test_run_without_evaluations_or_baselines(tmp_path: Path) -> None:
    path = write_run(tmp_path / "one", rows=50)
    (path / "log.jsonl").write_text('{"step": 1, "epoch": 1.0, "loss": 0.5, "learning_rate": 0.1, "grad_norm": NaN}\n')
    (path / "timing.jsonl").write_text("")
    figures = json.loads((path / "metrics.json").read_text())
    (path / "metrics.json").write_text(json.dumps(figures | {"baselines": {}}))
    html, _ = read(path)
    assert Page(html)
    assert "demo:minilm" in table(path)


def test_second_process_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    path = write_run(tmp_path / "one", rows=50)
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    write_report(path)
    assert not (path / "report.html").exists()
    assert capsys.readouterr().out == ""


def test_unfinished_run_is_refused(tmp_path: Path) -> None:
    path = write_run(tmp_path / "one", rows=50)
    (path / "metrics.json").unlink()
    Run(path).update(state="running")  # as a kill leaves it
    with pytest.raises(HfkitError, match="is stopped: it has no figures yet"):
        write_report(path)
    assert not (path / "report.html").exists()


def test_table_shows_model_baselines_test_and_verdict(tmp_path: Path) -> None:
    path = write_run(tmp_path / "one")
    text, figures = table(path), Run(path).metrics
    model, tfidf = (next(x for x in text.splitlines() if x.strip().startswith(s)) for s in ("demo:minilm", "TF-IDF"))
    assert words.interval(figures["accuracy"]) in model
    gap = figures["baselines"]["tfidf_logreg"]["difference"]
    assert f"{100 * gap['value']:+.1f} points" in tfidf
    assert tfidf.endswith(words.p_value(gap["p_value"]))
    assert text.splitlines()[-1] == words.verdict(figures)


def test_verdict_says_beats_level_and_worse() -> None:
    def said(value: float, low: float, high: float, p: float, figure: str = "accuracy") -> str:
        test = {"value": value, "low": low, "high": high, "p_value": p, "test": "exact McNemar"}
        problem = "regression" if figure == "mse" else "single_label_classification"
        return words.verdict(
            {"primary_metric": figure, "problem_type": problem, "baselines": {"tfidf_logreg": {"difference": test}}}
        )

    assert said(0.048, 0.034, 0.063, 1e-10) == (
        "The model beats TF-IDF + logistic regression by 4.8 points"
        " (95 % interval +3.4 to +6.3, exact McNemar p = 1e-10)."
    )
    assert said(-0.048, -0.063, -0.034, 0.002) == (
        "The model is worse than TF-IDF + logistic regression by 4.8 points"
        " (95 % interval -6.3 to -3.4, exact McNemar p = 0.002)."
    )
    assert said(0.001, -0.01, 0.012, 0.85) == (
        "The model does not beat TF-IDF + logistic regression: it is 0.1 points ahead, which may be chance"
        " (95 % interval -1.0 to +1.2, exact McNemar p = 0.85)."
    )
    assert said(-0.0004, -0.01, 0.0002, 0.85) == (
        "The model does not beat TF-IDF + logistic regression: the two are level"
        " (95 % interval -1.0 to 0.0, exact McNemar p = 0.85)."
    )
    assert said(-0.5, -0.6, -0.4, 0.002, "mse").startswith(
        "The model beats TF-IDF + ridge regression by 0.5 in mean squared error (95 % interval -0.6 to -0.4"
    )


@pytest.mark.parametrize(
    ("value", "figure", "shown"),
    [(-0.0004, "accuracy", "0.0"), (0.0004, "accuracy", "0.0"), (-0.0, "mse", "0"), (-0.031, "mcc", "-3.1")],
)
def test_what_is_rounded_to_nothing_has_no_sign(value: float, figure: str, shown: str) -> None:
    assert words.gap(value, figure) == shown
    assert words.number(-0.0001, "mcc") == "0.000"


def test_analysis_counts(tmp_path: Path) -> None:
    seen = Predictions.of(Run(write_run(tmp_path / "one")))
    matrix = confusion(seen)
    assert matrix.sum() == 400
    assert matrix.trace() == seen.right().sum()
    rows = per_class(seen)
    assert [row["rows"] for row in rows] == matrix.sum(axis=1).tolist()
    assert rows[0]["recall"].value == pytest.approx(matrix[0, 0] / matrix[0].sum())
    groups = by_length(seen)
    assert sum(group["rows"] for group in groups) == 400
    assert sum(group["rows"] * group["score"].value for group in groups) == pytest.approx(seen.right().sum())
    assert sum(entry["rows"] for entry in reliability(seen)) == 400
    wrong = mistakes(seen)
    assert all(row["truth"] != row["answer"] for row in wrong)
    assert [row["sure"] for row in wrong] == sorted((row["sure"] for row in wrong), reverse=True)
    assert seen.shares is not None
    assert wrong[0]["sure"] == pytest.approx(np.max(seen.shares.max(axis=1)[~seen.right()]))


def test_words() -> None:
    assert words.duration(224) == "3 min 44 s"
    assert words.duration(7500) == "2 h 05 min"
    assert words.p_value(0.0342) == "0.034"
    assert words.p_equals(1e-120) == "p < 1e-99"
    assert words.big(22_713_986) == "22.7 M"
    assert words.line("a\n\tb\x07" + "c" * 300, 10) == "a b\ufffdccccc…"


def test_command_gets_its_launcher_back(tmp_path: Path) -> None:
    run = Run(write_run(tmp_path / "one", rows=50))
    assert command(run) == "python recipes/bert_imdb.py --demo"
    run.info["hardware"]["num_processes"] = 2
    assert command(run) == "ACCELERATE_USE_CPU=true torchrun --nproc_per_node 2 recipes/bert_imdb.py --demo"
    run.info["command"] = ["hfkit", "train", "--dataset", "my file.csv"]
    assert command(run) == "hfkit train --dataset 'my file.csv'"


@pytest.mark.parametrize("words", [["--output_dir", "runs/old"], ["--output_dir=runs/old"]])
def test_a_moved_run_says_where_it_is(tmp_path: Path, words: list[str]) -> None:
    path = write_run(tmp_path / "best", rows=50)
    info = json.loads((path / "run.json").read_text())
    info["command"], info["config"]["output_dir"] = ["hfkit", "train", *words], "runs/old"
    (path / "run.json").write_text(json.dumps(info))
    write_report(path)
    shown = (path / "report.html").read_text()
    assert "runs/old" not in shown and "<h1>best</h1>" in shown
    assert shlex.join([*words[:-1], words[-1].replace("runs/old", str(path))]) in shown
    assert "runs/old" not in (path / "README.md").read_text()
    kept = json.loads((path / "run.json").read_text())
    assert kept["command"][-1] == words[-1], "what was said stays as it was"


@pytest.mark.parametrize("high", [3.3e6, 2e-4, 1.7e4, 0.9, 730.0])
def test_an_axis_says_where_it_is(high: float) -> None:
    """3.3 million tokens had marks of 1e6, 1e6, 2e6, 2e6, 2e6 and 3e6."""
    places = ticks(0, high)
    assert [float(short(place)) for place in places] == pytest.approx(places)
    assert short(0.0001) == "1e-4" and short(1.5e6) == "1.5e6" and short(10_000) == "1e4"
