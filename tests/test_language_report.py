"""What a run of a language model keeps for its report, and what the report makes of it."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from transformers import pipeline

import hfkit
from hfkit import HfkitError, TrainConfig
from hfkit.base.untrusted import read_json_file
from hfkit.baselines.language.tokenizers import train_byte_bpe
from hfkit.tasks.text_generation.hardest_documents import text_pieces
from hfkit.tasks.text_generation.report import shade
from hfkit.tasks.text_generation.samples import Samples

SIZES = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}


def job(csv: Path, folder: str, **changes: object) -> hfkit.Run:
    config = TrainConfig(
        task="text-generation",
        dataset=str(csv),
        model="baseline:transformer_lm",
        model_args=json.dumps(SIZES),
        max_length=32,
        vocab_size=400,
        num_train_epochs=3,
        learning_rate=3e-3,
        mixed_precision="no",
        disable_tqdm=True,
        output_dir=folder,
    )
    for name, value in changes.items():
        setattr(config, name, value)
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    return hfkit.fit(config, task, model, processor, data)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, reviews: list[tuple[str, str]]) -> hfkit.Run:
    folder = tmp_path_factory.mktemp("language")
    csv = folder / "reviews.csv"
    csv.write_text("review,sentiment\n" + "".join(f'"{text}",{label}\n' for text, label in reviews))
    return job(csv, str(folder / "run"))


def test_the_same_beginnings_are_continued_at_every_look(run: hfkit.Run) -> None:
    entries = list(run.lines("samples.jsonl"))
    steps = sorted({line["step"] for line in run.log() if "eval_loss" in line})
    assert len(steps) == 3
    assert [entry["step"] for entry in entries] == [step for step in steps for _ in range(3)]
    prompts = [entry["prompt"] for entry in entries]
    assert prompts == prompts[:3] * 3
    assert all(1 <= len(prompt) < 60 for prompt in prompts)
    assert entries[0]["completion"] != entries[-3]["completion"]  # it has learnt in between


def test_samples_are_as_reproducible_as_the_log(run: hfkit.Run, tmp_path: Path) -> None:
    again = job(run.path.parent / "reviews.csv", "again")
    for name in ("log.jsonl", "samples.jsonl", "passages.json"):
        assert (again.path / name).read_bytes() == (run.path / name).read_bytes()
    without = job(run.path.parent / "reviews.csv", "without", sample_prompts=["the film was", "it"])
    assert (without.path / "log.jsonl").read_bytes() == (run.path / "log.jsonl").read_bytes()
    assert [entry["prompt"] for entry in without.lines("samples.jsonl")] == ["the film was", "it"] * 3


def test_a_checkpoint_holds_the_samples(run: hfkit.Run, tmp_path: Path) -> None:
    class Engine:
        class accelerator:
            is_main_process = True

    shutil.copy(run.path / "samples.jsonl", tmp_path)
    state = Samples.__new__(Samples)  # which knows no more of the run than its file
    state.path = tmp_path / "samples.jsonl"
    kept = state.state_dict()
    with state.path.open("a") as file:
        file.write('{"step": 99')  # written after the checkpoint, by what was then killed
    state.load_state_dict(Engine(), kept)  # type: ignore[arg-type]
    assert state.path.read_bytes() == (run.path / "samples.jsonl").read_bytes()


def test_the_log_counts_tokens(run: hfkit.Run) -> None:
    tokens = [line["tokens"] for line in run.log()]
    assert tokens == sorted(tokens)
    assert tokens[-1] == run.info["training"]["tokens"]


def test_passages_are_what_the_predictions_say(run: hfkit.Run) -> None:
    found, rows = read_json_file(run.path / "passages.json"), {row["id"]: row for row in run.predictions().to_pylist()}
    bits = {name: row["nll"] / row["bytes"] / math.log(2) for name, row in rows.items() if row["bytes"] >= 40}
    order = sorted(bits, key=lambda name: bits[name])
    assert [entry["id"] for entry in found if entry["kind"] == "easiest"] == order[:3]
    assert [entry["id"] for entry in found if entry["kind"] == "hardest"] == order[:-4:-1]
    whole = 0
    for entry in found:
        row = rows[entry["id"]]
        text = "".join(piece for piece, _ in entry["tokens"])
        assert entry["bits_per_byte"] == pytest.approx(bits[entry["id"]])
        if not entry["more"]:
            whole += 1
            assert text == row["text"] + "<|endoftext|>"
            assert sum(loss for _, loss in entry["tokens"]) == pytest.approx(row["nll"], abs=0.01)
        else:
            assert row["text"].startswith(text)
    assert whole > 0


def test_pieces_join_to_the_text_and_no_character_is_cut() -> None:
    tokenizer = train_byte_bpe(["ab"], vocab_size=258)
    ids = tokenizer("a你b")["input_ids"]
    assert text_pieces(tokenizer, ids) == ["a", "", "", "你", "b"]


def test_a_shade_darkens_with_the_loss() -> None:
    assert [shade(nats) for nats in (0.0, 0.3, 1.0, 2.0, 4.0, 6.0, 50.0)] == list(range(7))


def test_the_report_shows_it(run: hfkit.Run, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run.path, copy)
    hfkit.write_report(copy)
    page = (copy / "report.html").read_text()
    for words in (
        "Document by document",
        "Hardest and easiest passages",
        "Samples along the way",
        "tokens learnt from",
        "tokens a second",
    ):
        assert words in page
    assert page.count('class="heat h') > 60
    for plot in ("Loss over the tokens", "Perplexity over the tokens", "Bits per byte over the tokens"):
        assert plot in page
    assert "Confusion" not in page
    assert "<th>Bytes</th>" in page and ">Labels<" not in page

    entries = [json.loads(line) for line in (copy / "samples.jsonl").read_text().splitlines()]
    entries[0]["completion"] = "<script>alert(1)</script>\x1b[2J"
    (copy / "samples.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    found = json.loads((copy / "passages.json").read_text())
    found[0]["tokens"][0] = ["<b>", 3.0]
    (copy / "passages.json").write_text(json.dumps(found))
    hfkit.write_report(copy)
    page = (copy / "report.html").read_text()
    assert "<script>" not in page
    assert "&lt;b&gt;" in page
    assert "\x1b" not in page

    for name in ("samples.jsonl", "passages.json"):
        (copy / name).unlink()
    hfkit.write_report(copy)  # an older run keeps neither
    assert "Samples along the way" not in (copy / "report.html").read_text()
    for content in (
        "[1]",
        '[{"kind": "other"}]',
        '{"kind": "hardest"}',
        '[{"kind": "hardest", "tokens": [["a", "b"]]}]',
    ):
        (copy / "passages.json").write_text(content)
        with pytest.raises(HfkitError, match="holds what hfkit does not write"):
            hfkit.write_report(copy)


def test_a_generation_of_the_run_goes_on_as_it_was_trained(run: hfkit.Run) -> None:
    """Documents begin with the start token in training, so a prompt does too."""
    pipe = hfkit.pipeline(run.path)
    plain = pipeline("text-generation", str(run.model_path))
    assert plain("the film", max_new_tokens=20, do_sample=False) == pipe("the film", max_new_tokens=20)
    assert pipe.tokenizer("the film")["input_ids"][0] == pipe.tokenizer.bos_token_id
    torch.manual_seed(0)
    text = pipe("the film", max_new_tokens=8)[0]["generated_text"]
    assert text.startswith("the film")
    assert len(text) > len("the film")
