"""Question answering: official figures, the best span exactly, nothing of a context lost, places in the user's text."""

import collections
import dataclasses
import json
import random
import re
import shutil
import string
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch
from datasets import Dataset
from test_every_task import questions_file, trained
from tiny_classifiers import ARCHITECTURES, READ_PADDING, classifier
from tokenizers import processors
from transformers import AutoModelForQuestionAnswering, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES as KINDS

import hfkit
from hfkit.base.errors import HfkitError
from hfkit.cli import main
from hfkit.evaluation.metric import figures
from hfkit.inference import predict_file
from hfkit.runs.run import Run
from hfkit.tasks.discover import find
from hfkit.tasks.question_answering import baselines
from hfkit.tasks.question_answering.inference import QuestionAnsweringPipeline
from hfkit.tasks.question_answering.metrics import METRICS
from hfkit.tasks.question_answering.models import settle_padding_of_rows
from hfkit.tasks.question_answering.spans.overlap import score
from hfkit.tasks.question_answering.spans.search import best_spans, best_threshold, top_spans
from hfkit.tasks.question_answering.spans.windows import OUTSIDE, Reader
from hfkit.tasks.question_answering.task import QuestionAnswering

# --- figures ----------------------------------------------------------------------------------------------------------


def normalize(text: str) -> str:
    """As both official scripts have it."""
    text = "".join(one for one in text.lower() if one not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def squad_1(answer: str, rights: list[str]) -> tuple[float, float]:
    """evaluate-v1.1.py, of one question."""

    def f1(right: str) -> float:
        said, gold = normalize(answer).split(), normalize(right).split()
        same = sum((collections.Counter(said) & collections.Counter(gold)).values())
        if same == 0:
            return 0
        precision, recall = 1.0 * same / len(said), 1.0 * same / len(gold)
        return (2 * precision * recall) / (precision + recall)

    return max(float(normalize(answer) == normalize(one)) for one in rights), max(map(f1, rights))


def squad_2(answer: str, rights: list[str]) -> tuple[float, float]:
    """evaluate-v2.0.py, of one question."""
    known = [one for one in rights if normalize(one)] or [""]

    def f1(right: str) -> float:
        gold, said = normalize(right).split() if right else [], normalize(answer).split() if answer else []
        same = sum((collections.Counter(gold) & collections.Counter(said)).values())
        if len(gold) == 0 or len(said) == 0:
            return int(gold == said)
        if same == 0:
            return 0
        precision, recall = 1.0 * same / len(said), 1.0 * same / len(gold)
        return (2 * precision * recall) / (precision + recall)

    return max(float(normalize(one) == normalize(answer)) for one in known), max(map(f1, known))


WORDS = [
    "the",
    "The",
    "a",
    "An",
    "cat",
    "Cat's",
    "sat",
    "on",
    "mat.",
    "(1998)",
    "U.S.",
    "-",
    "in",
    "",
    "Zürich",
    "the-cat",
]


def drawn(draw: random.Random, most: int = 5) -> str:
    return draw.choice(["", " "]).join(["", *(draw.choice(WORDS) + " " for _ in range(draw.randint(1, most)))])


@pytest.mark.parametrize(("may_lack", "official"), [(False, squad_1), (True, squad_2)])
def test_figures_are_the_official_scripts(may_lack: bool, official: Any) -> None:
    draw = random.Random(1)
    rights = [[drawn(draw) for _ in range(draw.randint(0 if may_lack else 1, 3))] for _ in range(5000)]
    said = [draw.choice([*right, drawn(draw), drawn(draw), ""]) for right in rights]
    expected = np.array([official(answer, right) for answer, right in zip(said, rights, strict=True)])
    assert 0.2 < expected[:, 1].mean() < 0.9
    found = np.array([score(right, answer, may_lack) for answer, right in zip(said, rights, strict=True)])
    assert found == pytest.approx(expected, abs=1e-12)
    told = figures(METRICS, {"reference": rights, "prediction": said})
    assert [told["exact_match"], told["f1"]] == pytest.approx(expected.mean(axis=0), abs=1e-12)
    if may_lack:
        has = np.array([bool(right) for right in rights])
        assert [told["has_answer_exact"], told["has_answer_f1"]] == pytest.approx(expected[has].mean(axis=0))
        assert told["no_answer_accuracy"] == pytest.approx(expected[~has, 0].mean())
    else:
        assert set(told) == {"f1", "exact_match"}


def test_chinese_and_japanese_count_by_character() -> None:
    assert squad_1("马里奥·爱迪", ["马里奥·爱迪生"])[1] == 0, "the official F1 knows no Chinese words"
    assert score(["马里奥·爱迪生"], "马里奥·爱迪", False) == (0.0, pytest.approx(10 / 11))
    assert score(["《红楼梦》"], "红楼梦。", False) == (1.0, 1.0)
    assert score(["1998年"], "1998年", False) == (1.0, 1.0)
    assert score(["1998年"], "1999年", False) == (0.0, 0.5)
    assert score(["東京タワー"], "タワー", False)[1] == pytest.approx(6 / 8)
    assert score(["308"], "308分", False)[1] == 0, "a right answer without such characters is counted by words"


def test_only_unanswerable_rows_have_no_figures_of_the_others() -> None:
    found = figures(METRICS, {"reference": [[], []], "prediction": ["", "x"]})
    assert found == {"f1": 0.5, "exact_match": 0.5, "no_answer_accuracy": 0.5}


# --- the best span ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("longest", [None, 1, 2, 5, 30])
def test_the_best_span_is_the_one_that_brute_force_finds(longest: int | None) -> None:
    torch.manual_seed(0)
    for width in (1, 2, 7, 23):
        start, end, inside = torch.randn(40, width), torch.randn(40, width), torch.rand(40, width) > 0.3
        found = [each.tolist() for each in best_spans(start, end, inside, longest)]
        for window in range(40):
            every = sorted(
                (float(start[window, first] + end[window, last]), first, last)
                for first in range(width)
                for last in range(first, min(width, first + (longest or width)))
                if inside[window, first] and inside[window, last]
            )[::-1]
            total, first, last = (each[window] for each in found)
            assert (total, first, last) == (every[0] if every else (float("-inf"), first, last))
            top = top_spans(start[window], end[window], inside[window], longest, 5)
            assert [one[1:] for one in top] == [one[1:] for one in every[:5]]


def test_the_threshold_is_the_best_of_all() -> None:
    draw = random.Random(2)
    for rows in (1, 2, 30):
        scores = [round(draw.gauss(0, 2), 1) for _ in range(rows)]
        answered, empty = [draw.random() for _ in scores], [float(draw.random() < 0.4) for _ in scores]

        def total(threshold: float) -> float:
            return sum(e if s > threshold else a for s, a, e in zip(scores, answered, empty, strict=True))  # noqa: B023

        chosen = best_threshold(scores, answered, empty)
        assert total(chosen) == pytest.approx(max(map(total, [-100, *scores, 100])))
        assert chosen not in scores, "it lies between two scores, and no rounding turns an answer"


# --- windows ----------------------------------------------------------------------------------------------------------

LONG = (
    "  A warm film.  The plot was hollow, and the actor (tired) \t said so: "
    + "the story goes on and on. " * 8
    + "End!"
)


@pytest.mark.parametrize(("length", "stride"), [(24, None), (24, 0), (24, 12), (16, 3), (64, None), (None, None)])
def test_nothing_of_a_context_is_lost(tiny_bert: Path, length: int | None, stride: int | None) -> None:
    processor = AutoTokenizer.from_pretrained(tiny_bert)
    reader = Reader(processor, length, stride)
    whole = processor("who was tired", LONG, return_offsets_mapping=True)
    places = {tuple(place) for place, text in zip(whole["offset_mapping"], whole.sequence_ids(0), strict=True) if text}
    (windows,) = reader.read(["who was tired"], [LONG], ["a"])
    assert {(b, e) for one in windows for b, e in zip(one.begins, one.ends, strict=True) if b != OUTSIDE} == places
    assert all(len(one.input_ids) <= (length or 10**6) for one in windows)
    assert (len(windows) == 1) == (length is None)
    assert windows[0].input_ids == [*whole["input_ids"][: len(windows[0].input_ids) - 1], processor.sep_token_id]
    for one in windows:
        assert one.input_ids[0] == processor.cls_token_id and one.null == 0
        assert {kind for kind, at in zip(one.types, one.begins, strict=True) if at != OUTSIDE} == {1}


def test_an_answer_is_learnt_where_a_window_holds_it_whole(tiny_bert: Path) -> None:
    reader = Reader(AutoTokenizer.from_pretrained(tiny_bert), 20, 6)
    (windows,) = reader.read(["who"], [LONG], ["a"])
    for answer in ("hollow, and the actor", "tired", "A warm", "End!", "on. the story"):
        begin = LONG.index(answer)
        spans = [window.span(begin, begin + len(answer)) for window in windows]
        held = [(window, span) for window, span in zip(windows, spans, strict=True) if span != (0, 0)]
        assert held, "an answer shorter than the stride stands whole in one of them"
        for window, (first, last) in held:
            assert LONG[window.begins[first] : window.ends[last]] == answer
    assert all(window.span(2, len(LONG)) == (0, 0) for window in windows)


def test_a_question_that_fills_the_window_is_told_with_its_row(tiny_bert: Path) -> None:
    reader = Reader(AutoTokenizer.from_pretrained(tiny_bert), 16, None)
    with pytest.raises(HfkitError) as caught:
        reader.read(["film", "the film " * 9], [LONG, LONG], ["one", "two"])
    assert "The question fills the window: 21 of 16 tokens" in str(caught.value) and "row two" in str(caught.value)


def rows_of(pairs: list[tuple[str, str, str]]) -> Dataset:
    columns = {"id": [str(row) for row in range(len(pairs))], "text": [pair[0] for pair in pairs]}
    columns |= {"text_pair": [pair[1] for pair in pairs], "answers": [[pair[2]] for pair in pairs]}
    return Dataset.from_dict(columns | {"starts": [[pair[1].find(pair[2])] for pair in pairs]})


PAIRS = [("who", "a warm film", "warm"), ("who was tired", LONG, "the actor"), ("film", "the film ! 1 2", "film")]


TEMPLATES = {
    "bert": "[CLS] $A [SEP] $B:1 [SEP]:1", "bart": "<s> $A </s> </s> $B </s>", "t5": "$A </s> $B </s>", "gpt": "$A $B",
    "llama": "<s> $A <s> $B", "xlnet": "$A <sep> $B:1 <sep>:1 <cls>:2",
}  # fmt: skip
"""How tokenizers of each style write two texts."""


@pytest.mark.parametrize("kind", sorted(set(ARCHITECTURES) & set(KINDS)))
def test_a_row_is_answered_alone_as_in_a_batch(kind: str) -> None:
    model, tokenizer = classifier(kind, auto_model=AutoModelForQuestionAnswering)
    template = TEMPLATES[ARCHITECTURES[kind][0]]
    special = [(token, tokenizer.convert_tokens_to_ids(token)) for token in tokenizer.all_special_tokens]
    used = [pair for pair in special if pair[0] in template]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A", pair=template, special_tokens=used
    )
    settle_padding_of_rows(model, tokenizer, kind)
    assert (model.config.hfkit["padding"] == "none") == (kind in READ_PADDING | {"funnel"})  # which pools tokens
    pipe = QuestionAnsweringPipeline(model=model, tokenizer=tokenizer, mixed_precision="no", device="cpu")
    rows = [{"question": pair[0], "context": pair[1]} for pair in PAIRS]
    together, alone = pipe(rows, top_k=3), [pipe(row, top_k=3) for row in rows]
    for one, other, row in zip(together, alone, rows, strict=True):
        assert [found["answer"] for found in one] == [found["answer"] for found in other]
        assert [f["score"] for f in one] == pytest.approx([f["score"] for f in other], rel=0.02)
        assert all(row["context"][f["start"] : f["end"]] == f["answer"] == f["answer"].strip() != "" for f in one)


def test_the_loss_is_the_models_own_and_of_single_windows(tiny_bert: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    torch.manual_seed(0)
    model = AutoModelForQuestionAnswering.from_pretrained(tiny_bert).train(False)
    task = QuestionAnswering(max_length=24).for_model(model.config, tokenizer)
    encoded = task.encode(rows_of(PAIRS), tokenizer)
    learnt = task.to_train(encoded)
    assert len(learnt) == sum(map(len, encoded["nulls"])) > 3
    assert len(set(learnt["id"])) == len(learnt) and max(learnt["length"]) <= 24
    for row in learnt:
        batch = task.collate([row])
        names = ("input_ids", "attention_mask", "token_type_ids")
        (target,) = batch["targets"]
        own = model(**{name: batch[name] for name in names}, start_positions=target[:1], end_positions=target[1:]).loss
        assert task.weight(batch) == 1
        with torch.no_grad():
            assert task.loss_and_predictions(model, batch)[0] == pytest.approx(float(own), rel=1e-5)
    whole = task.collate([learnt[row] for row in range(len(learnt))])
    apart = [float(task.loss_and_predictions(model, task.collate([row]))[0]) for row in learnt]
    assert float(task.loss_and_predictions(model, whole)[0]) == pytest.approx(sum(apart), rel=1e-5), (
        "padding counts not"
    )
    assert "1 row of more than 24 tokens: read in overlapping windows, whole" in task.truncation(encoded)["notes"]
    short = dataclasses.replace(task, max_answer_length=1)
    assert "1 answer of more than 1 tokens (--max_answer_length)" in short.truncation(encoded)["notes"][1]
    long = task.encode(rows_of([("who", LONG, LONG.strip())]), tokenizer)
    assert "1 answer whole in no window" in task.truncation(long)["notes"][1]


# --- a run that may find no answer ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("answers")
    data = questions_file(folder / "questions.jsonl")
    flags = f"--task question-answering --dataset {data} --model {tiny_bert} --output_dir {folder / 'run'} --use_cpu"
    flags += " --learning_rate 5e-3 --num_train_epochs 8 --mixed_precision no --disable_tqdm --max_length 24"
    with pytest.raises(SystemExit) as ended:
        main(["train", *flags.split(), "--validation_size", "0.2", "--test_size", "0.2"])
    assert ended.value.code == 0
    return folder / "run"


def test_the_threshold_is_chosen_on_validation_and_kept(run: Path) -> None:
    info, config = Run(run).info, json.loads((run / "model" / "config.json").read_text())
    threshold = info["task_settings"]["threshold"]
    assert config["hfkit"]["threshold"] == threshold != 0 and config["hfkit"]["no_answer"]
    rows = parquet.read_table(run / "validation.parquet").to_pylist()

    def total(at: float) -> float:
        said = ["" if row["no_answer_score"] > at else row["best"] for row in rows]
        return sum(score(row["reference"], one, True)[1] for row, one in zip(rows, said, strict=True))

    assert total(threshold) == pytest.approx(max(total(row["no_answer_score"] + 1e-6) for row in rows))
    for name in ("validation", "predictions"):
        for row in parquet.read_table(run / f"{name}.parquet").to_pylist():
            assert row["prediction"] == ("" if row["no_answer_score"] > threshold else row["best"])
            assert row["text_pair"][row["start"] : row["end"]] == row["best"]
    from hfkit.cli.runs import verify

    assert verify(run)[1] == []


def test_a_run_that_dies_after_the_threshold_is_chosen_goes_on(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual: dict[str, Any] = {"task": "question-answering", "model": str(tiny_bert), "use_cpu": True, "max_steps": 4}
    usual |= {"dataset": str(questions_file(tmp_path / "questions.jsonl")), "output_dir": str(tmp_path / "run")}
    usual |= {"mixed_precision": "no", "disable_tqdm": True, "max_length": 24, "validation_size": 0.2}

    def dies(*_: Any, **__: Any) -> Any:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("hfkit.training.judging.test_split.fit_baselines", dies)
        with pytest.raises(MemoryError):
            trained(usual)
    finished = trained(usual)
    config = json.loads((finished.model_path / "config.json").read_text())
    assert config["hfkit"]["threshold"] == finished.info["task_settings"]["threshold"] != 0


def test_runs_that_may_find_no_answer_and_others_are_judged_alike() -> None:
    rows = {"reference": [["Oslo"], []], "prediction": ["Oslo", ""]}
    found = figures(find("question-answering").metrics({"no_answer": False}), rows)
    assert (found["f1"], found["no_answer_accuracy"]) == (1.0, 1.0)


def test_the_pipeline_says_what_transformers_4_said(run: Path) -> None:
    """Scores of one window: the product of two softmaxes over the context's tokens and [CLS], by hand."""
    pipe = hfkit.pipeline(run, mixed_precision="no")
    question, context = "film", "the warm film was brilliant 5"
    inputs = pipe.tokenizer(question, context, return_tensors="pt")
    with torch.no_grad():
        said = pipe.model(**inputs)
    allowed = torch.tensor([text == 1 or place == 0 for place, text in enumerate(inputs.sequence_ids(0))])
    start, end = (each[0].masked_fill(~allowed, -10000).softmax(dim=0) for each in (said.start_logits, said.end_logits))
    products = torch.triu(start[:, None] * end[None, :])
    none = float(products[0, 0])
    products[0] = 0
    found = pipe(question=question, context=context, top_k=60)
    best = products.flatten().topk(3).values.tolist()
    assert [one["score"] for one in found if one["answer"]][:3] == pytest.approx(best, rel=1e-4)
    assert next(one for one in found if not one["answer"])["score"] == pytest.approx(none, rel=1e-4)
    assert all(set(one) == {"score", "start", "end", "answer"} for one in found)
    alone = pipe(question=question, context=context, handle_impossible_answer=False)
    assert alone["answer"] == context[alone["start"] : alone["end"]] != ""


def test_the_pipeline_takes_rows_in_any_form(run: Path) -> None:
    pipe = hfkit.pipeline(run)
    row = {"question": "film", "context": "the warm film"}
    one = pipe(row)
    assert isinstance(one, dict) and pipe(**row) == one
    two = [one | {"score": pytest.approx(one["score"], rel=1e-6)}] * 2  # in a batch float32 adds in another order
    assert pipe([row, row]) == two == list(pipe(each for each in [row, row]))
    assert pipe(question=["film", "film"], context="the warm film") == two
    assert pipe([{"text": "film", "text_pair": "the warm film"}]) == [one]
    assert len(pipe(row, top_k=2)) == 2 and pipe([]) == []
    assert len(pipe(row, top_k=2, max_answer_length=1)[0]["answer"].split()) <= 1
    for wrong, told in (
        ({"question": "film"}, "has no context"), ("film", "has no question"),
        ({"question": " ", "context": "a"}, "has no question"), ({"question": "a", "context": "\ud800"}, "half a char"),
    ):  # fmt: skip
        with pytest.raises(HfkitError, match=told):
            pipe([wrong])
    with pytest.raises(HfkitError, match="2 questions and 3 contexts"):
        pipe(question=["a", "b"], context=["a", "b", "c"])
    with pytest.raises(HfkitError, match="did you mean max_answer_length"):
        pipe(row, max_answer_len=3)
    with pytest.raises(HfkitError, match="top_k=0 is no such number"):
        pipe(row, top_k=0)


def test_an_answer_far_into_a_long_context_is_found(run: Path) -> None:
    """Whatever stands before it: the pipeline's answer is the best over windows asked one by one."""
    pipe = hfkit.pipeline(run, mixed_precision="no")
    context = "the plot and the actor " * 60 + "superb " + "the story and the scene " * 60
    scores = pipe.answered([{"question": "film", "context": context}])[0].scores
    assert len(scores.start) > 50
    sums = [
        float(start[a] + end[b])
        for start, end, begins in zip(scores.start, scores.end, scores.begins, strict=True)
        for a in range(len(begins)) for b in range(a, len(begins)) if begins[a] >= 0 and begins[b] >= 0
    ]  # fmt: skip
    found = scores.best(context, None)[0]
    assert found.logit == pytest.approx(max(sums), abs=1e-5)


def test_files_of_every_kind_are_answered(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": f"q{n}", "question": "film", "context": f"the warm film {n}", "answers": "warm"} for n in range(5)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert predict_file(run, "in.jsonl", "out.jsonl", disable_tqdm=True) == 5
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    expected = hfkit.pipeline(run)([{"question": row["question"], "context": row["context"]} for row in rows])
    assert [row["answer"] for row in found] == [one["answer"] for one in expected]
    assert found[0].keys() == {*rows[0], "answer", "start", "end", "score"}
    paragraphs = [{"context": row["context"], "qas": [{"id": row["id"], "question": "film"}]} for row in rows]
    (tmp_path / "squad.json").write_text(json.dumps({"data": [{"title": "a", "paragraphs": paragraphs}]}))
    assert predict_file(run, "squad.json", "said.json", output_format="squad", disable_tqdm=True) == 5
    assert json.loads((tmp_path / "said.json").read_text()) == {row["id"]: row["answer"] for row in found}
    assert "5 answers written to said.json" in capsys.readouterr().err
    assert predict_file(run, "squad.json", "out.csv", disable_tqdm=True) == 5
    assert (tmp_path / "out.csv").read_text().startswith("title,context,id,question,answer,start,end,score\n")


@pytest.mark.parametrize(
    ("row", "options", "told"),
    [
        ({"question": "", "context": "a"}, {}, "no text in its column 'question'"),
        ({"frage": "a", "context": "a"}, {}, "say --text_column NAME"),
        ({"question": "a", "context": "a"}, {"text_column": "q"}, "There is no column 'q'"),
        ({"question": "a", "context": "a"}, {"output_format": "squd"}, "did you mean squad"),
        ({"question": "a", "context": "a"}, {"output_format": "squad"}, "No column holds ids"),
        ({"id": None, "question": "a", "context": "a"}, {"output_format": "squad"}, "The id is missing"),
    ],
)
def test_files_that_cannot_be_answered_are_told(
    run: Path, tmp_path: Path, row: dict[str, Any], options: dict[str, Any], told: str
) -> None:
    (tmp_path / "in.jsonl").write_text((json.dumps(row) + "\n") * 2)
    with pytest.raises(HfkitError, match=told):
        predict_file(run, "in.jsonl", "out.jsonl", disable_tqdm=True, **options)
    assert not (tmp_path / "out.jsonl").exists()


def test_rows_without_a_text_can_be_skipped(run: Path, tmp_path: Path) -> None:
    rows = [{"question": "film", "context": context} for context in ("the warm film", "")]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    predict_file(run, "in.jsonl", "out.jsonl", disable_tqdm=True, skip_bad_rows=True)
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[1])["answer"] is None


def test_the_report_shows_answers_in_their_context(run: Path) -> None:
    page = (run / "report.html").read_text()
    for part in ("What the answers are", "Question word by question word", "F1 by length of the answer",
                 "Does it know when it is wrong?", "Wrong answers in their context",
                 "right where there is no answer"):  # fmt: skip
        assert part.lower() in page.lower(), part
    from hfkit.tasks.question_answering.report import _marked

    row = {"text_pair": "He is in Oslo now.", "reference": ["in Oslo"], "reference_start": 6, "prediction": "Oslo now",
           "start": 9, "end": 17}  # fmt: skip
    assert [(one["text"], one["gold"], one["said"]) for one in _marked(row)] == [
        ("He is ", False, False), ("in ", True, False), ("Oslo", True, True), (" now", False, True),
        (".", False, False),
    ]  # fmt: skip


def test_the_cards_snippet_answers_the_same(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from hfkit.tasks.question_answering import app

    said = app.plain(Run(run).info)
    asked = {"Who wrote it?": "film", "The book was written by Ada in 1843.": "the warm film was brilliant 5"}
    code = said["code"].replace("@PLACE@", repr(str(run / "model")))
    for shown, short in asked.items():  # which the tiny model reads in one window
        assert shown in code and shown in app.example
        code = code.replace(shown, short)
    exec(code, {})
    pipe = hfkit.pipeline(run, mixed_precision="no")
    own = pipe(**dict(zip(("question", "context"), asked.values(), strict=True)), handle_impossible_answer=False)
    assert capsys.readouterr().out.strip().splitlines()[-1] == own["answer"]
    assert "at most 24 tokens together and there is one" in said["same"]


def test_a_run_is_evaluated_with_its_threshold(run: Path, tmp_path: Path) -> None:
    table = Run(run).predictions().to_pylist()
    rows = [{"id": row["id"], "question": row["text"], "context": row["text_pair"],
             "answers": {"text": row["reference"], "answer_start": [row["reference_start"]] * len(row["reference"])}}
            for row in table]  # fmt: skip
    (tmp_path / "again.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(run), "--dataset", "again.jsonl", "--output", str(tmp_path / "found")])
    assert ended.value.code == 0
    found = json.loads((tmp_path / "found" / "metrics.json").read_text())
    assert found["f1"]["value"] == pytest.approx(Run(run).metrics["f1"]["value"])
    assert found["seen_in_training"] == 0


def test_a_model_that_was_trained_elsewhere_answers(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run / "model", tmp_path / "plain")
    config = json.loads((tmp_path / "plain" / "config.json").read_text())
    del config["hfkit"]
    (tmp_path / "plain" / "config.json").write_text(json.dumps(config))
    found = hfkit.pipeline(tmp_path / "plain")(question="film", context="the warm film")
    assert found["answer"] in "the warm film" and found["answer"]


def test_rivals_answer_by_sentence_and_by_rule() -> None:
    context = "Ann Lee moved to New York in 1998. She sold 12 shops. It rained."
    found = baselines.nearest_sentences([context], ["When did Ann move?", "How many shops?"], [context] * 2)
    assert found == ["Ann Lee moved to New York in 1998.", "She sold 12 shops."]
    assert baselines.by_rule("When did Ann move to York?", found[0]) == "1998"
    assert baselines.by_rule("Where did Ann Lee move to?", found[0]) == "New York"
    assert baselines.by_rule("Why?", "it rained.") == "it rained."
    assert baselines.by_rule("黑豹队丢了多少分？", "黑豹队的防守只丢了308分。") == "308"
    assert baselines.by_rule("谁写了红楼梦？", "红楼梦是曹雪芹写的。") == "是曹雪芹写的"
    assert list(baselines.sentences("Pi is 3.14. 是的。对！ok")) == ["Pi is 3.14.", "是的。", "对！", "ok"]


def test_an_adapter_passes_segments_on(tiny_bert: Path) -> None:
    """PEFT's class for questions takes token_type_ids and leaves them out."""
    from peft import LoraConfig, get_peft_model

    from hfkit.config import TrainConfig
    from hfkit.models.adapting.lora import add_lora

    torch.manual_seed(0)
    inputs = AutoTokenizer.from_pretrained(tiny_bert)("film", "the warm film", return_tensors="pt")
    plain = AutoModelForQuestionAnswering.from_pretrained(tiny_bert).eval()
    with torch.no_grad():
        wanted = plain(**inputs).start_logits
        ours = add_lora(plain, TrainConfig(task="question-answering", lora=True)).eval()(**inputs).start_logits
        theirs = get_peft_model(
            AutoModelForQuestionAnswering.from_pretrained(tiny_bert), LoraConfig(task_type="QUESTION_ANS")
        )
        theirs.base_model.model.qa_outputs = plain.qa_outputs
        forgot = theirs.eval()(**inputs).start_logits
    assert torch.allclose(ours, wanted, atol=1e-6)
    assert not torch.allclose(forgot, wanted, atol=1e-3), "PEFT has mended it: `_with_all_inputs` can go"


def test_a_merged_adapter_answers_the_same(tiny_bert: Path, tmp_path: Path) -> None:
    from hfkit.models.adapting.adapters import merge

    data = questions_file(tmp_path / "questions.jsonl")
    knobs = {"max_length": 24, "max_steps": 2, "mixed_precision": "no", "use_cpu": True, "disable_tqdm": True}
    made = trained({"task": "question-answering", "dataset": str(data), "model": str(tiny_bert), "lora": True,
                    "output_dir": str(tmp_path / "run"), "learning_rate": 1e-2, **knobs})  # fmt: skip
    folder, difference = merge(made.path)
    assert difference < 1e-5
    row = {"question": "film", "context": "the warm film"}
    own, merged = (hfkit.pipeline(place)(row, top_k=3) for place in (made.path, folder))
    assert [one["answer"] for one in own] == [one["answer"] for one in merged]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--stride", "30", "--max_length", "24"], "--stride 30 is not below --max_length 24"),
        (["--max_length", "500"], "The model reads at most 64 tokens"),
        (["--max_answer_length", "0"], "--max_answer_length"),
        (["--drop_unseen_labels"], "--drop_unseen_labels belongs to"),
    ],
)
def test_knobs_that_cannot_be_are_told(
    tiny_bert: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], told: str
) -> None:
    data = questions_file(tmp_path / "questions.jsonl")
    with pytest.raises(SystemExit):
        main(["train", "--task", "question-answering", "--dataset", str(data), "--model", str(tiny_bert), *flags])
    assert told in capsys.readouterr().err
