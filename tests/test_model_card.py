"""The model card tells a stranger everything that the run knows, nothing that it does not, and nothing private."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard, ModelCardData
from run_fixture import NAMES, write_run

from hfkit.evaluation import wording
from hfkit.report import public
from hfkit.report.card import amount, card, prose, weaknesses
from hfkit.report.energy import estimate
from hfkit.report.page import page
from hfkit.runs.run import Run

SECTIONS = [
    "How to use it",
    "What it is for, and its limits",
    "Results against the baselines",
    "Can its answers be believed?",
    "Where it fails",
    "Training data",
    "Training procedure",
    "Environment and energy",
    "How to reproduce it",
    "License",
    "Citation",
]


def changed(path: Path, **entries: dict[str, Any]) -> Run:
    """The run with other entries in run.json."""
    info = json.loads((path / "run.json").read_text())
    for name, values in entries.items():
        info[name] = info[name] | values if isinstance(values, dict) else values
    (path / "run.json").write_text(json.dumps(info))
    return Run(path)


@pytest.mark.parametrize("problem", list(NAMES))
def test_every_figure_stands_in_the_model_index_with_its_interval(problem: str, tmp_path: Path) -> None:
    run = Run(write_run(tmp_path / "one", problem))
    text = card(run)
    found = ModelCard(text).data
    index = {result.metric_name: result for result in found.eval_results}
    figures = {name: entry for name, entry in run.metrics.items() if isinstance(entry, dict) and "low" in entry}
    assert set(index) == {wording.title(name) for name in figures}
    for name, entry in figures.items():
        result = index[wording.title(name)]
        assert result.metric_value == pytest.approx(entry["value"], abs=1e-6)
        assert result.metric_args["confidence_interval"] == pytest.approx([entry["low"], entry["high"]], abs=1e-6)
        assert result.metric_args["rows"] == 400
    # What the Hub reads is what huggingface_hub writes: nothing is lost or changed on the way.
    front = yaml.safe_load(text.split("---\n")[1])
    assert front == found.to_dict()
    assert ModelCardData(**{**front, "model_name": "one"}).to_dict()["license"] == "apache-2.0"
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert "None" not in re.sub(r"<details>.*</details>", "", text, flags=re.S)


def test_what_is_not_known_is_neither_heading_nor_key(tmp_path: Path) -> None:
    path = write_run(tmp_path / "one", rows=60)
    (path / "timing.jsonl").write_text("")
    run = changed(path, git=None, command=[], model={"name": "/home/zoe/models/bert"}, data={"license": None})
    text = card(run)
    front = yaml.safe_load(text.split("---\n")[1])
    assert not {"license", "base_model", "datasets", "co2_eq_emissions", "base_model_relation"} & set(front)
    assert "kWh" not in text
    assert "```bash" not in text
    assert "at commit" not in text
    assert "more information" not in text.lower()
    assert "unknown" not in text.lower()


def test_a_license_that_is_given_counts_and_one_of_the_base_else(tmp_path: Path) -> None:
    run = Run(write_run(tmp_path / "one", rows=60))
    assert ModelCard(card(run)).data.license == "apache-2.0"
    assert ModelCard(card(run)).data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    run = changed(tmp_path / "one", model={"name": "baseline:lstm"})
    assert ModelCard(card(run)).data.license is None
    assert "trained from scratch" in card(run)
    assert ModelCard(card(changed(tmp_path / "one", license="mit"))).data.license == "mit"


def test_no_private_path_is_in_a_card(tmp_path: Path) -> None:
    home = "/home/zoe/work"
    path = write_run(tmp_path / "one", rows=60)
    run = changed(
        path,
        command=[f"{home}/.venv/bin/hfkit", "train", "--dataset", f"{home}/reviews.csv", f"--model={home}/bert"],
        model={"name": f"{home}/bert"},
        data={
            "name": f"{home}/reviews.csv",
            "location": f"{home}/reviews.csv",
            "source": "file",
            "pretty_name": None,
            "notes": [f"2 files of {home}/pictures/cats not read, and/or skipped"],
        },
        config={"dataset": f"{home}/reviews.csv", "model": f"{home}/bert", "output_dir": f"{home}/runs/one"},
    )
    text = card(run, "anna/reviews")
    assert "zoe" not in text
    assert str(tmp_path) not in text
    assert "hfkit train --dataset reviews.csv --model=bert" in text
    assert "Of paths only the last part is shown." in text
    assert "2 files of cats not read, and/or skipped" in text
    assert '\nmodel = hfkit.pipeline("anna/reviews")' in text
    assert "hfkit evaluate anna/reviews --dataset" in text
    assert "author = {anna}" in text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("/home/zoe/a.csv", "a.csv"),
        ("~/a.csv", "a.csv"),
        ("../zoe/a.csv", "a.csv"),
        ("C:\\Users\\zoe\\a.csv", "a.csv"),
        ("data/a.csv", "data/a.csv"),
        ("google-bert/bert-base-uncased", "google-bert/bert-base-uncased"),
        ("demo:imdb", "demo:imdb"),
    ],
)
def test_paths_lose_what_is_of_this_machine(given: str, shown: str) -> None:
    assert public.path(given) == shown
    assert public.argument(f"--dataset={given}") == f"--dataset={shown}"


def test_sentences_keep_what_only_looks_like_a_path() -> None:
    for same in ("and/or", "7 of 10/10", "https://huggingface.co/a/b", "text </b> text", "a / b"):
        assert public.text(same) == same
    assert public.text("see /tmp/x/y.csv, line 3") == "see y.csv, line 3"
    assert public.argument("/home/zoe/hfkit/recipes/bert_imdb.py") == "recipes/bert_imdb.py"


def test_energy_is_time_and_power_and_says_so() -> None:
    machine = {"device": "cpu", "name": "Example", "cores": 2, "memory_gib": 24.0, "num_processes": 1}
    found = estimate(machine, 3600)
    assert found.kwh == pytest.approx((2 * 12 + 24 * 0.3725) / 1000)
    assert found.grams == pytest.approx(found.kwh * 475)
    assert "2 cores at 12 W" in found.how
    cards = estimate(machine | {"device": "cuda", "name": "NVIDIA H100 80GB HBM3", "num_processes": 4}, 1800)
    assert cards.kwh == pytest.approx((24 + 4 * 700) / 2000)
    assert "power is not known" in estimate(machine | {"device": "cuda", "name": "Other"}, 1).how
    assert [amount(value) for value in (0.00234, 12.34, 1234.0, 0.0)] == ["0.0023", "12", "1,200", "0"]


def test_the_data_cards_text_becomes_a_part_of_the_page() -> None:
    shown = prose("# Title\n\nA <b>bold</b> claim of `<br />`.\n\n## Known faults\n\n- one\n")
    assert shown == "A &lt;b>bold&lt;/b> claim of `<br />`.\n\n#### Known faults\n\n- one"


def test_the_data_cards_text_reaches_the_card(tmp_path: Path) -> None:
    told = {"prose": "# X\n\nFrom letters.", "origin": "owner/letters"}
    run = changed(write_run(tmp_path / "one", rows=60), data=told)
    text = card(run)
    assert "### What its data card says\n\nFrom letters." in text
    assert ModelCard(text).data.datasets == ["owner/letters"]
    # The rows are of that data set, but not its test split: no figure claims to be one on it.
    assert ModelCard(text).data.eval_results[0].dataset_type == "imdb"


def test_failures_and_examples_are_the_predictions_own(tmp_path: Path) -> None:
    run = Run(write_run(tmp_path / "one"))
    text, table = card(run), run.predictions().to_pylist()
    wrong = max((row for row in table if row["label"] != row["prediction"]), key=lambda row: max(row["probabilities"]))
    assert f"{NAMES['single_label_classification'][wrong['label']]} was answered" in text
    assert f"with {max(wrong['probabilities']):.3f}:" in text
    for shown in ModelCard(text).data.widget:
        (answer,) = shown["output"]
        fits = [row for row in table if wording.line(row["text"]) == shown["text"]]
        assert any(abs(max(row["probabilities"]) - answer["score"]) < 1e-3 for row in fits)
        assert answer["label"] in NAMES["single_label_classification"]


def test_the_cards_snippet_runs(tiny_run: Path) -> None:
    from hfkit.report.card import card

    snippets = re.findall(r"```python\n(.*?)```", card(Run(tiny_run)), re.DOTALL)
    assert len(snippets) == 2
    answers = []
    for snippet in snippets:
        names: dict[str, Any] = {}
        exec(snippet.replace("print(", "answers = ("), names)
        answers.append(names["answers"][0])
    assert answers[0]["label"] == answers[1]["label"]
    assert answers[0]["score"] == pytest.approx(answers[1]["score"], abs=0.01)


def test_a_language_models_hardest_texts_stand_in_its_card(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    path = write_run(tmp_path / "one", rows=60)
    table = pa.table(
        {"text": ["easy", "hard", "some"], "bytes": [4.0, 4.0, 4.0], "nll": [1.0, 9.0, 4.0], "baseline_x": [4.0] * 3}
    )
    parquet.write_table(table, path / "predictions.parquet")
    Run(path).update(task="text-generation")
    found = weaknesses(Run(path))["passages"]
    assert [row["shown"] for row in found] == ["hard", "some", "easy"]
    assert found[0]["cost"] == pytest.approx(9 / 4 / 0.693147, rel=1e-5)
    assert "- 3.246 (1.443): hard" in card(Run(path))


@pytest.mark.parametrize("best", [True, False])
def test_page_and_card_say_which_weights_are_published(best: bool, tmp_path: Path) -> None:
    run = changed(write_run(tmp_path / "one", "single_label_classification"), config={"load_best_model_at_end": best})
    step = run.info["training"]["best_step"]
    assert step
    words = " ".join(card(run).split()), " ".join(re.sub("<[^>]+>", "", page(run)).split())
    assert (f"The published weights are those of update {step}, the best on the validation rows" in words[0]) == best
    assert (f"The published weights are the last ones; those of update {step} were the best" in words[0]) != best
    assert (f"The published model is that of update {step}" in words[1]) == best
    assert (f"The published model is the last one; the best was that of update {step}" in words[1]) != best
