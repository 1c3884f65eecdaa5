"""Token classification: names are counted as seqeval counts them, and no word of a text is ever lost."""

import ast
import html
import json
import random
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import torch
from processes import in_child
from test_every_task import names_file
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, BertForTokenClassification, PreTrainedTokenizerFast

import hfkit
from hfkit.base.errors import HfkitError
from hfkit.cli import main
from hfkit.config import TrainConfig
from hfkit.data.text.special_tokens import space_before_words
from hfkit.evaluation.metric import figures
from hfkit.evaluation.stats import intervals
from hfkit.hub import verification
from hfkit.inference import predict_file
from hfkit.tasks.token_classification import baselines
from hfkit.tasks.token_classification.errors import errors, seen_and_unseen, surfaces
from hfkit.tasks.token_classification.metrics import metrics_of
from hfkit.tasks.token_classification.task import TokenClassification
from hfkit.tasks.token_classification.words.schemes import entities, lenient_entities, names_in, scheme_of_labels
from hfkit.tasks.token_classification.words.windows import NOT_HERE, Reader

LABELS = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER", "B-ORG", "I-ORG"]
SETTINGS = {"name": "token-classification", "labels": LABELS}


def random_tags(rows: int, seed: int) -> list[list[int]]:
    draw = random.Random(seed)
    return [[draw.choice([0, 0, *range(7)]) for _ in range(draw.randint(1, 9))] for _ in range(rows)]


def named(rows: list[list[int]]) -> list[list[str]]:
    return [[LABELS[tag] for tag in row] for row in rows]


# --- figures ----------------------------------------------------------------------------------------------------------


def test_names_are_counted_as_seqeval_counts_them() -> None:
    """10,000 random sequences, orphans and all: strict IOB2, and seqeval's lenient default."""
    from seqeval.metrics import accuracy_score, f1_score, precision_score, recall_score
    from seqeval.scheme import IOB2

    truth, noise = random_tags(10_000, 1), random_tags(10_000, 2)
    draw = random.Random(3)
    answer = [
        [tag if draw.random() < 0.7 else other for tag, other in zip(row, (found * 9)[: len(row)], strict=True)]
        for row, found in zip(truth, noise, strict=True)
    ]
    found = figures(metrics_of(SETTINGS), {"label": truth, "prediction": answer})
    strict: dict[str, Any] = {"mode": "strict", "scheme": IOB2}
    pairs = named(truth), named(answer)
    assert found["f1"] == pytest.approx(f1_score(*pairs, **strict), abs=1e-12)
    assert found["precision"] == pytest.approx(precision_score(*pairs, **strict), abs=1e-12)
    assert found["recall"] == pytest.approx(recall_score(*pairs, **strict), abs=1e-12)
    assert found["f1_lenient"] == pytest.approx(f1_score(*pairs), abs=1e-12)
    assert found["tag_accuracy"] == pytest.approx(accuracy_score(*pairs), abs=1e-12)


def test_an_orphan_belongs_to_no_name_and_begins_one_leniently() -> None:
    tags = ["I-PER", "B-LOC", "I-LOC", "I-PER", "O", "I-PER", "I-PER", "B-PER", "B-PER"]
    assert entities(tags) == [(1, 3, "LOC"), (7, 8, "PER"), (8, 9, "PER")]
    assert lenient_entities(tags)[:3] == [(0, 1, "PER"), (1, 3, "LOC"), (3, 4, "PER")]
    assert names_in(["NN", "NN", "O", "VB"], "plain") == [(0, 2, "NN"), (3, 4, "VB")]


def test_tags_without_a_scheme_are_judged_word_by_word() -> None:
    settings = {"labels": ["DT", "NN", "VB"]}
    found = figures(metrics_of(settings), {"label": [[0, 1], [2, 1, 1]], "prediction": [[0, 1], [2, 1, 0]]})
    assert found["tag_accuracy"] == pytest.approx(0.8)
    assert found["f1_macro"] == pytest.approx((2 / 3 + 4 / 5 + 1) / 3)


def test_documents_are_drawn_whole() -> None:
    truth, answer = random_tags(60, 4), random_tags(60, 5)
    answer = [row if place % 2 else (other * 9)[: len(row)] for place, (row, other) in
              enumerate(zip(truth, answer, strict=True))]  # fmt: skip
    table = pa.table({"label": truth, "prediction": answer})
    alone = intervals(table, SETTINGS)["f1"]
    together = intervals(table.append_column("group", pa.array([str(row // 20) for row in range(60)])), SETTINGS)["f1"]
    assert alone["value"] == together["value"] and together["low"] != alone["low"]


def test_each_wrong_name_is_of_one_kind() -> None:
    gold = [(0, 2, "PER"), (3, 4, "LOC"), (5, 7, "ORG"), (8, 9, "PER"), (10, 11, "LOC")]
    said = [(0, 1, "PER"), (3, 4, "PER"), (5, 6, "LOC"), (10, 11, "LOC"), (12, 13, "ORG")]
    kinds = [kind for kind, *_ in errors(gold, said)]
    assert sorted(kinds) == ["both", "boundary", "missed", "spurious", "type"]


def test_seen_names_are_told_from_others() -> None:
    learnt = surfaces([["Ada", "Smith", "left"]], [[(0, 2, "PER")]])
    tokens, gold = [["ADA", "SMITH"], ["Lima"]], [[(0, 2, "PER")], [(0, 1, "LOC")]]
    found = seen_and_unseen(learnt, tokens, gold, [[(0, 2, "PER")], []])
    assert found["seen"] == {"right": 1, "names": 1} and found["unseen"] == {"right": 0, "names": 1}
    assert found["missed"] == [{"name": "Lima", "type": "LOC", "times": 1}]


# --- words and windows ------------------------------------------------------------------------------------------------


def words_of(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [draw.choice(["film", "warm", "unwatchable", "12345", "the", "!"]) for _ in range(count)]


@pytest.mark.parametrize(("length", "stride"), [(8, 2), (8, None), (16, 5), (16, 0), (7, 4), (None, None)])
def test_each_word_is_answered_once_where_it_has_most_context(
    tiny_bert: Path, length: int | None, stride: int | None
) -> None:
    processor = AutoTokenizer.from_pretrained(tiny_bert)
    reader = Reader(processor, length, stride)
    for size in (0, 1, 5, 6, 7, 13, 40):
        words = words_of(size, size)
        (windows,) = reader.read([words])
        answered = [word for window in windows for word in dict.fromkeys(window.words) if word != NOT_HERE]
        assert sorted(answered) == list(range(size)), "each once, none lost"
        pieces = processor(words, is_split_into_words=True, add_special_tokens=False)["input_ids"] if words else []
        read = [window.input_ids[1:-1] for window in windows]
        assert read[0][: len(pieces)] == pieces[: len(read[0])]
        assert all(len(window.input_ids) <= (length or 10**9) for window in windows)


def test_a_windows_edge_never_answers_what_another_shows_better(tiny_bert: Path) -> None:
    reader = Reader(AutoTokenizer.from_pretrained(tiny_bert), 12, 5)
    words = ["film"] * 30
    (windows,) = reader.read([words])
    begin = 0
    for number, window in enumerate(windows):
        places = [place for place, word in enumerate(window.words) if word != NOT_HERE]
        if 0 < number < len(windows) - 1:
            assert min(places) >= 1 + 2 and max(places) <= 10 - 2  # of ten pieces the outer ones are the neighbours'
        begin = max(begin, max(window.words))
    assert begin == 29


def test_what_the_tokenizer_loses_keeps_its_place(tiny_bert: Path) -> None:
    reader = Reader(AutoTokenizer.from_pretrained(tiny_bert), None, None)
    (windows,) = reader.read([["film", "\u200b", "warm"]])
    assert [word for word in windows[0].words if word != NOT_HERE][:2] == [0, 1]


def test_byte_level_tokenizers_get_the_space_before_each_word(tmp_path: Path) -> None:
    from hfkit.baselines.language.tokenizers import train_byte_bpe

    made = train_byte_bpe(["a warm film of a warm day"] * 9, vocab_size=300, max_length=32)
    whole = made(" a warm film", add_special_tokens=False)["input_ids"]
    space_before_words(made)
    assert made(["a", "warm", "film"], is_split_into_words=True, add_special_tokens=False)["input_ids"] == whole
    made.save_pretrained(tmp_path)
    again = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert again(["a", "warm", "film"], is_split_into_words=True, add_special_tokens=False)["input_ids"] == whole


def test_a_word_gets_one_space_where_the_tokenizer_parts_words_first() -> None:
    """The shape of Qwen's and Llama 3's: a Split, then bytes. A space at each part would make other words."""
    made = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(r"'t| ?[A-Za-z]+| ?[0-9]| ?[^\sA-Za-z0-9]+|\s+"), "isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    letters = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(["a U.S.-based day in 2024, don't"] * 9, trainers.BpeTrainer(initial_alphabet=letters))
    processor = PreTrainedTokenizerFast(tokenizer_object=made)
    words = ["U.S.-based", "don't", "2024"]
    whole = [piece for word in words for piece in processor.tokenize(f" {word}")]
    for _ in range(2):  # a second time changes nothing
        space_before_words(processor)
        encoded = processor(words, is_split_into_words=True, add_special_tokens=False)
        assert processor.convert_ids_to_tokens(encoded["input_ids"]) == whole


FOREIGN: list[tuple[list[str], list[str], list[Any]]] = [
    (["O", "B-PER", "I-PER"], ["I-PER", "I-PER", "O", "I-PER", "B-PER"], [(0, 2, "PER"), (3, 4, "PER"), (4, 5, "PER")]),
    (["O", "I-PER", "I-LOC"], ["I-PER", "I-LOC", "O"], [(0, 1, "PER"), (1, 2, "LOC")]),
    (["O", "U-LOC", "I-PER", "L-PER", "B-PER"], ["U-LOC", "B-PER", "I-PER", "L-PER"], [(0, 1, "LOC"), (1, 4, "PER")]),
    (["DT", "NN"], ["NN", "NN", "DT"], [(0, 2, "NN"), (2, 3, "DT")]),
]


@pytest.mark.parametrize(("labels", "tags", "expected"), FOREIGN)
def test_models_from_elsewhere_are_read_by_their_labels(
    labels: list[str], tags: list[str], expected: list[Any], tiny_bert: Path, tmp_path: Path
) -> None:
    assert names_in(tags, scheme_of_labels(labels)) == expected
    names = {"id2label": dict(enumerate(labels)), "label2id": {name: at for at, name in enumerate(labels)}}
    model = BertForTokenClassification.from_pretrained(tiny_bert, **names)
    model.classifier.bias.data[:] = torch.tensor([0.0, *[99.0] * (len(labels) - 1)]) if labels[0] == "O" else 0.0
    model.classifier.bias.data[2:] += 99.0 if "U-LOC" not in labels else 0.0
    model.save_pretrained(tmp_path / "model")
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path / "model")
    pipe = hfkit.pipeline(tmp_path / "model")
    assert pipe.reading.scheme == scheme_of_labels(labels)
    assert pipe("warm film"), "what it tags is told, whatever the scheme"


def test_all_pieces_learn_and_the_first_is_judged(tiny_bert: Path) -> None:
    processor = AutoTokenizer.from_pretrained(tiny_bert)
    (windows,) = Reader(processor, None, None).read([["unwatchable", "Oslo"]])
    row = {"input_ids": [windows[0].input_ids], "words": [windows[0].words], "count": 2, "labels": [3, 1]}
    first = TokenClassification(LABELS).collate([row])
    every = TokenClassification(LABELS, label_all_pieces=True).collate([row])
    of = windows[0].words
    assert [int(tag) for tag in first["targets"][0] if tag >= 0] == [3, 1]
    expected = [3 if of.index(word) == place and word == 0 else 4 if word == 0 else 1 if of.index(word) == place else 2
                for place, word in enumerate(of) if word >= 0]  # fmt: skip
    assert [int(tag) for tag in every["targets"][0] if tag >= 0] == expected
    assert torch.equal(first["words"], every["words"])


# --- rivals -----------------------------------------------------------------------------------------------------------


def test_the_most_frequent_tag_is_each_words_own() -> None:
    found = baselines.most_frequent_tag([["a", "b", "a"], ["a"]], [[1, 0, 1], [2]], [["a", "b", "new"]])
    assert found == [[1, 0, 1]]


def test_the_cheap_crf_learns_what_stands_before() -> None:
    words = [["Dr", f"N{number}", "ran"] for number in range(30)] + [
        ["the", f"N{number}", "ran"] for number in range(30)
    ]
    tags = [[0, 1, 0]] * 30 + [[0, 0, 0]] * 30
    assert baselines.crf(words, tags, [["Dr", "N99", "ran"], ["the", "N98", "ran"]]) == [[0, 1, 0], [0, 0, 0]]


# --- a run ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> Path:
    """A finished run on sentences, read in windows of 12 pieces; read-only."""
    folder = tmp_path_factory.mktemp("tagger")
    data = names_file(folder / "names.conll")
    flags = f"--task token-classification --dataset {data} --model {tiny_bert} --output_dir {folder / 'run'} --use_cpu"
    flags += " --learning_rate 5e-3 --max_length 12 --num_train_epochs 8 --mixed_precision no --disable_tqdm"
    with pytest.raises(SystemExit) as ended:
        main(["train", *flags.split()])
    assert ended.value.code == 0
    return folder / "run"


def test_a_long_text_is_answered_as_in_training_whatever_its_batch(tagger: Path) -> None:
    pipe = hfkit.pipeline(tagger, mixed_precision="no")
    long = " ".join(["Yesterday Ada Smith went to Oslo ."] * 9)
    alone = pipe(long)
    assert pipe([long, "Ada", long])[0] == alone
    assert alone and all(long[one["start"] : one["end"]] == one["word"] for one in alone)
    every = pipe(long, aggregation_strategy="none", ignore_labels=[])
    assert [one["word"] for one in every] == long.split() and every[0]["index"] == 1
    assert pipe("") == [] and pipe([" ", "Ada"])[0] == [] and pipe([]) == []
    assert pipe(["Ada", "went"], is_split_into_words=True) == pipe({"tokens": np.array(["Ada", "went"])})
    lower = hfkit.pipeline(tagger, mixed_precision="auto")(long, aggregation_strategy="none", ignore_labels=[])
    assert [one["entity"] for one in lower] == [one["entity"] for one in every]


def test_what_is_no_text_and_no_argument_is_refused(tagger: Path) -> None:
    pipe = hfkit.pipeline(tagger)
    for bad in (3, {"tokens": []}, {"tokens": ["a", ""]}, {"words": ["a"]}):
        if bad != {"tokens": []}:
            with pytest.raises(HfkitError, match="neither a text nor a list of words"):
                pipe([bad])
    with pytest.raises(HfkitError, match="half a character"):
        pipe("a\ud800b")
    with pytest.raises(HfkitError, match="takes no stride=3"):
        pipe("Ada", stride=3)
    with pytest.raises(HfkitError, match="no aggregation_strategy 'most'"):
        pipe("Ada", aggregation_strategy="most")


def test_predict_writes_spans_in_the_users_text_or_words_with_tags(tagger: Path, tmp_path: Path) -> None:
    texts = ["\u3000Ada Smith went to  Oslo\u200b.", "Boris likes Lima 4 n4 .", "nobody"]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"id": n, "text": t}) + "\n" for n, t in enumerate(texts)))
    assert predict_file(tagger, "in.jsonl", "out.jsonl", disable_tqdm=True) == 3
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == texts and rows[0]["id"] == 0
    for row in rows:
        assert all(row["text"][span["start"] : span["end"]] == span["text"] for span in row["spans"])
    assert {span["label"] for span in rows[1]["spans"]} <= {"PER", "LOC"} and rows[1]["spans"]
    predict_file(tagger, "in.jsonl", "out.parquet", output_format="words", disable_tqdm=True)
    table = parquet.read_table("out.parquet").to_pylist()
    assert table[1]["words"] == ["Boris", "likes", "Lima", "4", "n4", "."] and len(table[1]["tags"]) == 6
    shutil.copy(tagger.parent / "names.conll", "more.conll")
    assert predict_file(tagger, "more.conll", "tags.csv", output_format="words", disable_tqdm=True) == 120
    with pytest.raises(HfkitError, match="no --output_format bio"):
        predict_file(tagger, "in.jsonl", "out.jsonl", output_format="bio")  # type: ignore[arg-type]
    (tmp_path / "bad.jsonl").write_text('{"text": "Ada"}\n{"text": null}\n')
    with pytest.raises(HfkitError, match=r"no text in its column 'text'[^$]*line 2"):
        predict_file(tagger, "bad.jsonl", "bad.csv", disable_tqdm=True)
    assert not Path("bad.csv").exists()


def test_predict_reads_the_words_where_training_read_them(tagger: Path, tmp_path: Path) -> None:
    rows = ["1 Ada B-PER", "2 left O", "", "1 Lima B-LOC", "2 too O"]
    Path("numbered.conll").write_text("\n".join(rows))
    predict_file(tagger, "numbered.conll", "out.jsonl", text_column="2", disable_tqdm=True, output_format="words")
    first = json.loads(Path("out.jsonl").read_text().splitlines()[0])
    assert first["words"] == ["Ada", "left"]
    run = Path(shutil.copytree(tagger, tmp_path / "numbered"))
    info = json.loads((run / "run.json").read_text())
    info["data"]["text_column"] = "2"
    (run / "run.json").write_text(json.dumps(info))
    predict_file(run, "numbered.conll", "again.jsonl", disable_tqdm=True, output_format="words")
    assert Path("again.jsonl").read_text() == Path("out.jsonl").read_text()
    Path("lists.csv").write_text("tokens\n" + '"[""Ada"", ""left""]"\n')
    predict_file(tagger, "lists.csv", "lists.jsonl", disable_tqdm=True, output_format="words")
    assert json.loads(Path("lists.jsonl").read_text())["words"] == ["Ada", "left"]


@pytest.mark.parametrize("page", ["README.md", "report.html"])
def test_the_snippet_for_plain_transformers_gives_the_same_tags(
    page: str, tagger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["O'N", "St.-L", "a"]  # with their pieces a window of 12
    text = html.unescape((tagger / page).read_text())
    code = "from transformers import AutoModel" + text.split("from transformers import AutoModel")[1]
    code = re.split("```|</pre>", code)[0].replace('["Write", "your", "words", "here", "."]', repr(words))
    exec(compile(code, "snippet", "exec"), {})
    said = ast.literal_eval(capsys.readouterr().out.strip().splitlines()[-1])
    pipe = hfkit.pipeline(tagger, mixed_precision="no")
    expected = pipe({"tokens": words}, aggregation_strategy="none", ignore_labels=[])
    assert said == [word["entity"] for word in expected]


def test_what_is_verified_is_whole_in_one_window_and_never_nothing(tagger: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(tagger, tmp_path / "long"))
    table = parquet.read_table(run / "predictions.parquet")
    at = table.column_names.index("tokens")
    for text in (["Ada", "\u200b", "left"], ["film"] * 90):
        parquet.write_table(table.set_column(at, "tokens", pa.array([text] * len(table))), run / "predictions.parquet")
        rows = verification.examples(hfkit.Run(run))
        assert rows and all("\u200b" not in words for words in rows)
        reader = Reader(AutoTokenizer.from_pretrained(run / "model"), 12, None)
        assert all(len(windows) == 1 for windows in reader.read(rows))


def test_another_tasks_answers_have_one_form(tiny_run: Path) -> None:
    Path("in.csv").write_text("text\nAda\n")
    with pytest.raises(HfkitError, match="text-classification has no such choice"):
        predict_file(tiny_run, "in.csv", "out.csv", output_format="words")


def test_the_report_shows_types_kinds_and_marked_texts(tagger: Path) -> None:
    page = (tagger / "report.html").read_text()
    for heading in (
        "Type by type",
        "What is wrong with wrong names",
        "Names that training showed",
        "F1 by text length",
    ):
        assert heading in page
    assert (tagger / "names.json").is_file() and "names.json" in hfkit.Run(tagger).info["files"]
    info, table = hfkit.Run(tagger).info, hfkit.Run(tagger).predictions()
    assert info["truncation"]["test"]["notes"], "texts of more than 12 pieces are told"
    kept = [len(words) for words in table["tokens"].to_pylist()]
    assert (
        kept == [len(tags) for tags in table["prediction"].to_pylist()] == [len(t) for t in table["label"].to_pylist()]
    )


def test_evaluate_matches_tags_by_name(tagger: Path, tmp_path: Path) -> None:
    row = json.dumps({"tokens": ["Ada", "left", "Oslo"], "tags": ["I-PER", "O", "I-LOC"]})
    (tmp_path / "more.jsonl").write_text(f"{row}\n{row}\n")
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(tagger), "--dataset", "more.jsonl", "--output", "figures"])
    assert ended.value.code == 0
    table = parquet.read_table("figures/predictions.parquet")
    labels = hfkit.Run(tagger).info["task_settings"]["labels"]
    assert [labels[tag] for tag in table["label"].to_pylist()[0]] == ["B-PER", "O", "B-LOC"]


def test_a_model_of_another_kind_and_a_trained_one(tagger: Path, tiny_run: Path, capsys: Any) -> None:
    data = tagger.parent / "names.conll"
    common = ["train", "--task", "token-classification", "--dataset", str(data), "--max_steps", "1", "--use_cpu"]
    with pytest.raises(SystemExit) as ended:
        main([*common, "--model", str(tiny_run), "--output_dir", "other", "--disable_tqdm"])
    assert ended.value.code == 1 and "a model for another task" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main([*common, "--model", str(tagger), "--output_dir", "again", "--max_length", "12", "--disable_tqdm"])
    assert ended.value.code == 0 and "head: kept, its labels are the same" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main([*common, "--model", str(tagger), "--output_dir", "x", "--max_length", "12", "--stride", "12"])
    assert ended.value.code == 1 and "--stride 12 is not below --max_length 12" in capsys.readouterr().err


def test_a_text_longer_than_a_training_window_learns_all_its_words(tiny_bert: Path, tagger: Path) -> None:
    data_file = str(tagger.parent / "names.conll")
    config = TrainConfig(task="token-classification", dataset=data_file, model=str(tiny_bert), max_length=8)
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    model, processor = hfkit.build_model(config, task, data)
    task = task.for_model(model.config, processor)
    encoded = task.encode(data["train"], processor)
    rows = task.to_train(encoded)
    assert len(rows) > len(encoded) and max(rows["length"][:]) <= 8
    assert sum(rows["count"][:]) == sum(encoded["count"][:]), "each word is learnt once"
    loss, _ = task.loss_and_predictions(model.train(), task.collate([rows[0], rows[1]]))
    assert bool(loss.isfinite())


def test_it_runs_in_a_process_without_network(tagger: Path) -> None:
    def work() -> None:
        assert hfkit.pipeline(tagger)("Ada Smith went to Oslo .") is not None

    assert in_child(work) == 0
    assert np.isfinite(hfkit.Run(tagger).metrics["f1"]["value"])
