"""predict_file: every column kept, answers in order, a file written whole or not at all."""

import csv
import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from hfkit.base.errors import HfkitError
from hfkit.inference import pipeline, predict_file
from hfkit.inference.readers import open_rows
from hfkit.tasks.text_classification.inference import TextClassificationPipeline
from hfkit.tasks.text_classification.task import TextClassification

SINGLE, MULTI, REGRESSION = "single_label_classification", "multi_label_classification", "regression"


def classifier(base: Path, labels: list[str], problem: str = SINGLE) -> TextClassificationPipeline:
    torch.manual_seed(1)
    tokenizer, config = AutoTokenizer.from_pretrained(base), AutoConfig.from_pretrained(base)
    task = TextClassification(labels, problem_type=problem).for_model(config, tokenizer)
    for key in ("id2label", "label2id", "problem_type"):
        setattr(config, key, task.model_kwargs()[key])
    model = AutoModelForSequenceClassification.from_pretrained(base, config=config)
    with torch.no_grad():
        model.classifier.weight *= 20
    return TextClassificationPipeline(model=model, tokenizer=tokenizer, device="cpu", mixed_precision="no")


@pytest.fixture(scope="module")
def classify(tiny_bert: Path) -> TextClassificationPipeline:
    return classifier(tiny_bert, ["neg", "pos"])


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write_csv(path: Path, rows: list[list[Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return path


def test_csv_keeps_every_column_and_the_order(classify: Any, tmp_path: Path, reviews: list[tuple[str, str]]) -> None:
    texts = [text for text, _ in reviews] * 3
    texts[7] = "two lines\nin 一 cell, quoted"
    write_csv(tmp_path / "in.csv", [["n", "review"], *enumerate(texts)])
    assert predict_file(classify, "in.csv", "out.csv") == len(texts) == 720
    rows = read_csv(tmp_path / "out.csv")
    assert [row["review"] for row in rows] == texts
    assert [int(row["n"]) for row in rows] == list(range(720))
    expected = classify(texts)
    assert [row["label"] for row in rows] == [answer["label"] for answer in expected]
    assert [float(row["score"]) for row in rows] == pytest.approx([answer["score"] for answer in expected], abs=1e-4)
    assert len({row["score"] for row in rows}) > 100
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_cells_that_a_spreadsheet_would_run(classify: Any, tmp_path: Path, capsys: Any) -> None:
    texts = ["=cmd|' /C calc'!A0", "+1 warm", "-boring", "@SUM(A1)", "\ttab", "-5"]
    write_csv(tmp_path / "in.csv", [["text", "change"], *[[text, "-3.5"] for text in texts]])
    predict_file(classify, "in.csv", "out.csv")
    rows = read_csv(tmp_path / "out.csv")
    assert [row["text"] for row in rows] == [*("'" + text for text in texts[:5]), "-5"]
    assert {row["change"] for row in rows} == {"-3.5"}
    assert "5 cells that a spreadsheet would run" in capsys.readouterr().err
    write_csv(tmp_path / "one.csv", [["text"], ["=1"]])
    predict_file(classify, "one.csv", "one-out.csv")
    assert "1 cell that a spreadsheet would run" in capsys.readouterr().err
    predict_file(classify, "in.csv", "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["text"] for line in lines] == texts


def test_json_lines_and_parquet(classify: Any, tmp_path: Path) -> None:
    objects = [{"text": "a warm film", "meta": {"stars": 4}}, {"text": "boring", "tags": ["x"]}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in objects))
    predict_file(classify, "in.jsonl", "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [{k: v for k, v in line.items() if k not in ("label", "score")} for line in lines] == objects
    predict_file(classify, "in.jsonl", "out.csv")  # a table has the columns of all rows, also those the first lacks
    assert [(row["meta"], row["tags"]) for row in read_csv(tmp_path / "out.csv")] == [
        ('{"stars": 4}', ""),
        ("", '["x"]'),
    ]
    table = pa.table({"text": ["a warm film", "boring"], "year": pa.array([1999, None], pa.int16())})
    parquet.write_table(table, tmp_path / "in.parquet")
    predict_file(classify, "in.parquet", "out.parquet")
    out = parquet.read_table(tmp_path / "out.parquet")
    assert out.schema.field("year").type == pa.int16()
    assert out.column_names == ["text", "year", "label", "score"]
    assert out["label"].to_pylist() == [answer["label"] for answer in classify(["a warm film", "boring"])]


def test_columns_that_the_file_has_already(classify: Any, tmp_path: Path) -> None:
    write_csv(tmp_path / "in.csv", [["text", "label"], ["boring", "neg"]])
    predict_file(classify, "in.csv", "out.csv")
    assert list(read_csv(tmp_path / "out.csv")[0]) == ["text", "label", "predicted_label", "score"]


def test_several_labels_are_lists(tiny_bert: Path, tmp_path: Path) -> None:
    several = classifier(tiny_bert, ["a", "b", "c"], MULTI)
    write_csv(tmp_path / "in.csv", [["text"], ["a warm film"], ["boring"]])
    predict_file(several, "in.csv", "out.csv")
    for row, labels in zip(read_csv(tmp_path / "out.csv"), several(["a warm film", "boring"], top_k=None), strict=True):
        assert json.loads(row["label"]) == [one["label"] for one in labels if one["score"] >= 0.5]
        assert len(json.loads(row["score"])) == len(json.loads(row["label"]))
    predict_file(several, "in.csv", "out.parquet")
    assert parquet.read_table(tmp_path / "out.parquet").schema.field("label").type == pa.list_(pa.string())


def test_a_number_is_a_value(tiny_bert: Path, tmp_path: Path) -> None:
    number = classifier(tiny_bert, ["value"], REGRESSION)
    write_csv(tmp_path / "in.csv", [["text"], ["a warm film"]])
    predict_file(number, "in.csv", "out.csv")
    row = read_csv(tmp_path / "out.csv")[0]
    assert float(row["value"]) == pytest.approx(number("a warm film")[0]["score"], abs=1e-5)


def test_pairs(classify: Any, tmp_path: Path) -> None:
    write_csv(tmp_path / "in.csv", [["one", "two"], ["a warm film", "boring"]])
    predict_file(classify, "in.csv", "out.jsonl", text_column="one", text_pair_column="two")
    answer = json.loads((tmp_path / "out.jsonl").read_text())
    assert answer["score"] == pytest.approx(classify({"text": "a warm film", "text_pair": "boring"})["score"], abs=1e-5)


def test_a_run_knows_its_columns(classify: Any, tmp_path: Path) -> None:
    classify.model.save_pretrained(tmp_path / "run" / "model")
    classify.tokenizer.save_pretrained(tmp_path / "run" / "model")
    info = {"state": "finished", "data": {"text_column": "blurb", "text_pair_column": None}}
    (tmp_path / "run" / "run.json").write_text(json.dumps(info))
    write_csv(tmp_path / "in.csv", [["text", "blurb"], ["", "a warm film"]])
    predict_file("run", "in.csv", "out.csv", disable_tqdm=True)
    assert read_csv(tmp_path / "out.csv")[0]["label"] == pipeline("run/")("a warm film")[0]["label"]
    write_csv(tmp_path / "in.csv", [["id", "Blurb"], ["7", "a warm film"]])  # as training finds it too
    predict_file("run", "in.csv", "out.csv", disable_tqdm=True)
    assert read_csv(tmp_path / "out.csv")[0]["label"] == pipeline("run/")("a warm film")[0]["label"]


def test_lines_in_lines_out(classify: Any, monkeypatch: Any, capsys: Any, tmp_path: Path) -> None:
    def stdin(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))

    stdin("a warm film\r\nboring\n")
    assert predict_file(classify, "-") == 2
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [label for label, _ in lines] == [answer["label"] for answer in classify(["a warm film", "boring"])]
    stdin("a warm film\nboring")
    predict_file(classify, "-", "out.csv")
    assert [row["text"] for row in read_csv(tmp_path / "out.csv")] == ["a warm film", "boring"]
    stdin("")
    assert predict_file(classify, "-") == 0


def test_rows_are_read_as_they_are_needed(tmp_path: Path) -> None:
    with (tmp_path / "in.csv").open("w") as stream:
        stream.write("text\n")
        stream.writelines(f"the film {number}\n" for number in range(200_000))
    with open_rows("in.csv") as source:
        assert next(source.rows) == ("in.csv, line 2", {"text": "the film 0"})
        assert source.total is not None
        assert source.done() < source.total / 10


@pytest.mark.parametrize(
    ("name", "content", "where", "said"),
    [
        ("in.csv", b"text,n\nwarm,1\n,2\n", "in.csv, line 3", "has no text in its column 'text': ''"),
        ("in.csv", b"text,n\nwarm,1\n ,2\n", "in.csv, line 3", "has no text in its column 'text': ' '"),
        ("in.csv", b'text,n\nwarm,1\n"bo\nring"\nwarm,2', "in.csv, line 3", "1 fields and the header 2"),
        ("in.csv", b'text,n\nwarm,1\n"boring,2\n', "in.csv, line 3", "is broken"),
        ("in.csv", b"text,n\nwarm,1\nb\xe9te,2\n", "in.csv, line 3", "not utf-8 text: byte 0xe9 cannot stand"),
        ("in.csv", b"text,text\nwarm,1\n", "in.csv, line 1", "stands twice"),
        ("in.csv", b"text\n", "in.csv", "a header and no rows"),
        ("in.csv", b"", "in.csv", "empty"),
        ("in.csv", b"a,b\n1,2\n", "in.csv", "cannot be told which column is the text; there are a, b"),
        ("in.jsonl", b'{"text": "warm"}\n{"text": 3}\n', "in.jsonl, line 2", "column 'text': 3"),
        ("in.jsonl", b'{"text": "warm"}\n\n{"text"\n', "in.jsonl, line 3", "not JSON"),
        ("in.jsonl", b"[1]\n", "in.jsonl, item 1", "holds int"),
        ("in.parquet", b"PAR1 no", "in.parquet", "not Parquet"),
        ("in.xlsx", b"x", "in.xlsx", "are not read"),
    ],
)
def test_bad_rows_are_named_and_nothing_is_written(
    name: str, content: bytes, where: str, said: str, classify: Any, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "out.csv").write_text("what was there")
    with pytest.raises(HfkitError) as told:
        predict_file(classify, name, "out.csv")
    assert said in told.value.what
    assert told.value.where == where
    assert (tmp_path / "out.csv").read_text() == "what was there"
    assert len(list(tmp_path.iterdir())) == 2


def test_what_cannot_be_opened(classify: Any, tmp_path: Path) -> None:
    with pytest.raises(HfkitError, match="no such file"):
        predict_file(classify, "gone.csv", "out.csv")
    write_csv(tmp_path / "in.csv", [["text"], ["warm"]])
    with pytest.raises(HfkitError, match="There is no column 'txt'"):
        predict_file(classify, "in.csv", "out.csv", text_column="txt")
    with pytest.raises(HfkitError, match="are not written"):
        predict_file(classify, "in.csv", "out.xlsx")
    with pytest.raises(HfkitError, match=r"cannot be written: No such file .*\n.*make the folder nowhere, or"):
        predict_file(classify, "in.csv", "nowhere/out.csv")
    with pytest.raises(HfkitError, match=r"is a folder.*\n.*name one of the files in it"):
        predict_file(classify, str(tmp_path), "out.csv")
    with pytest.raises(HfkitError, match="no encoding"):
        predict_file(classify, "in.csv", "out.csv", encoding="utf-99")


def test_parquet_takes_a_first_chunk_without_an_answer(classify: Any, tmp_path: Path) -> None:
    rows = [["text"], *[[" "]] * classify.chunk, ["a warm film"]]
    write_csv(tmp_path / "in.csv", rows)
    assert predict_file(classify, "in.csv", "out.parquet", skip_bad_rows=True) == len(rows) - 1
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table["label"].null_count == classify.chunk
    assert table["score"].to_pylist()[-1] > 0.5


def test_an_option_that_would_do_nothing_is_refused(classify: Any, tmp_path: Path) -> None:
    """Misspelt, or one that only the making of a pipeline takes."""
    (tmp_path / "in.csv").write_text("text\ngood\n")
    for options, told in (({"skip_bad_row": True}, "did you mean skip_bad_rows"), ({"tokens_per_batch": 9}, "loaded")):
        with pytest.raises(HfkitError, match=told):
            predict_file(classify, "in.csv", "out.csv", **options)
    assert not (tmp_path / "out.csv").exists()


def test_rows_without_a_text_can_be_left_out(classify: Any, tmp_path: Path, capsys: Any) -> None:
    write_csv(tmp_path / "in.csv", [["text"], ["a warm film"], [" "], [""], ["boring"]])
    assert predict_file(classify, "in.csv", "out.csv", skip_bad_rows=True) == 4
    labels = [row["label"] for row in read_csv(tmp_path / "out.csv")]
    first, last = (answer["label"] for answer in classify(["a warm film", "boring"]))
    assert labels == [first, "", "", last]
    assert "2 rows without a text got no answer" in capsys.readouterr().err


def test_what_stands_for_a_missing_text_is_none(classify: Any, tmp_path: Path) -> None:
    write_csv(tmp_path / "in.csv", [["text"], ["a warm film"], ["NA"], ["boring"]])
    assert predict_file(classify, "in.csv", "out.csv", skip_bad_rows=True, missing_values=["NA"]) == 3
    rows = read_csv(tmp_path / "out.csv")
    assert [bool(row["label"]) for row in rows] == [True, False, True] and rows[1]["text"] == "NA"
    with pytest.raises(HfkitError, match="no text in its column 'text': 'NA'"):
        predict_file(classify, "in.csv", "out.csv", missing_values=["NA"])
    classify.model.save_pretrained(tmp_path / "run" / "model")
    classify.tokenizer.save_pretrained(tmp_path / "run" / "model")
    info = {"state": "finished", "data": {"text_column": "text"}, "config": {"missing_values": ["NA"]}}
    (tmp_path / "run" / "run.json").write_text(json.dumps(info))
    with pytest.raises(HfkitError, match="no text in its column 'text': 'NA'"):
        predict_file("run", "in.csv", "out.csv", disable_tqdm=True)


def test_other_encodings_and_separators(classify: Any, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes("text;n\nune fête;1\n".encode("cp1252"))
    predict_file(classify, "in.csv", "out.tsv", encoding="cp1252", delimiter=";")
    assert (tmp_path / "out.tsv").read_text(encoding="utf-8").splitlines()[1].startswith("une fête\t1\t")
    (tmp_path / "wide.csv").write_bytes("text\n一 warm film\n".encode("utf-16"))
    predict_file(classify, "wide.csv", "out.csv", encoding="utf-16")
    assert read_csv(tmp_path / "out.csv")[0]["text"] == "一 warm film"
    (tmp_path / "sig.csv").write_bytes(b"\xef\xbb\xbftext\nwarm\n")
    predict_file(classify, "sig.csv", "out.csv")
    assert list(read_csv(tmp_path / "out.csv")[0]) == ["text", "label", "score"]


def test_the_bar_goes_to_standard_error(
    classify: Any, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    write_csv(tmp_path / "in.csv", [["text"], ["warm"]])
    predict_file(classify, "in.csv")
    shown = capsys.readouterr()
    assert "predict: 100%" in shown.err
    assert "1 rows" in shown.err
    assert shown.out.count("\n") == 1


def test_half_a_character_and_another_separator_are_refused(classify: Any, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "warm \\ud83d\\ude00"}\n{"text": "warm", "note": "\\ud83d"}\n')
    with pytest.raises(HfkitError, match=r"half a character\n  where: in.jsonl, line 2"):
        predict_file(classify, "in.jsonl", "out.jsonl")
    (tmp_path / "in.csv").write_text("review;stars\nwarm;5\n")
    with pytest.raises(HfkitError, match="--delimiter ';'"):
        predict_file(classify, "in.csv", "out.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "in.jsonl"]


def test_a_model_of_pairs_wants_both_texts(tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    info = json.loads((run / "run.json").read_text())
    info["data"] |= {"text_column": "premise", "text_pair_column": "hypothesis"}
    (run / "run.json").write_text(json.dumps(info))
    write_csv(tmp_path / "one.csv", [["premise", "text"], ["warm", "cold"]])
    for asked in ({}, {"text_column": "text"}):
        with pytest.raises(HfkitError, match="trained on pairs of texts, and there is no column 'hypothesis'"):
            predict_file(run, "one.csv", "out.csv", **asked)
    with pytest.raises(HfkitError, match="It cannot be told"):
        predict_file(run, write_csv(tmp_path / "half.csv", [["hypothesis"], ["warm"]]), "out.csv")
    assert predict_file(run, "one.csv", "out.csv", text_pair_column="text") == 1
    write_csv(tmp_path / "both.csv", [["text", "hypothesis"], ["warm", "cold"]])
    assert predict_file(run, "both.csv", "out.csv") == 1


def test_answers_on_a_screen_have_no_bar_across_them(
    classify: Any, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    write_csv(tmp_path / "in.csv", [["text"], ["warm"]])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    predict_file(classify, "in.csv")
    assert capsys.readouterr().err == ""
