"""Bad input, line by line: each one message that says what is wrong, where, and what to do; nothing half-written."""

import re
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hfkit.cli.main import main

GOOD = "".join(
    f'"a {word} film number {number}",{label}\n'
    for number in range(20)
    for word, label in (("good", "pos"), ("bad", "neg"))
)
CSV = "text,label\n" + GOOD

Train = Callable[..., str]


@pytest.fixture
def train(tmp_path: Path, tiny_bert: Path, capsys: pytest.CaptureFixture[str]) -> Train:
    """`hfkit train` that must fail: returns its one message, after looking at what it left behind."""

    def fails(content: str | bytes | None, *flags: str, name: str = "data.csv", status: int = 1) -> str:
        if content is not None:
            (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        before = _everything(tmp_path)
        options = {"--dataset": name, "--model": str(tiny_bert), "--max_length": "32", "--output_dir": "run"}
        options.update(zip(flags[::2], flags[1::2], strict=True))
        with pytest.raises(SystemExit) as ended:
            main(["train", *(part for pair in options.items() for part in pair), "--disable_tqdm", "--max_steps", "2"])
        told = capsys.readouterr().err
        assert ended.value.code == status, told
        assert len(re.findall(r"^error: ", told, re.MULTILINE)) == 1
        assert "Traceback" not in told
        assert _everything(tmp_path) == before, "something was left behind"
        return told

    return fails


def _everything(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def test_a_missing_file(train: Train) -> None:
    assert "missing.csv" in train(None, "--dataset", "missing.csv")


def test_an_empty_file(train: Train) -> None:
    told = train("")
    assert "data.csv" in told
    assert "empty" in told


def test_only_a_header(train: Train) -> None:
    told = train("text,label\n")
    assert "data.csv" in told
    assert "row" in told


def test_not_utf8(train: Train) -> None:
    told = train(CSV.encode() + "ein schöner Film,pos\n".encode("latin-1"))
    assert "line 42" in told
    assert "--encoding" in told


def test_a_broken_row(train: Train) -> None:
    told = train(CSV + "one,two,three,four\n")
    assert "line 42" in told


def test_a_column_that_is_not_there(train: Train) -> None:
    told = train(CSV, "--label_column", "lable")
    assert "lable" in told
    assert "did you mean label" in told
    assert "text" in told


def test_no_label_column_to_be_guessed(train: Train) -> None:
    told = train("text,other\n" + "".join(f"a text number {number},note {number}\n" for number in range(30)))
    assert "--label_column" in told


def test_one_class_only(train: Train) -> None:
    told = train("text,label\n" + "".join(f"a text number {number},pos\n" for number in range(30)))
    assert "pos" in told
    assert "one" in told.lower()


def test_a_class_with_one_example(train: Train) -> None:
    told = train(CSV + "an odd film,odd\n")
    assert "odd" in told


def test_a_label_missing_in_some_rows(train: Train) -> None:
    told = train(CSV + "no label here,\nnor here,\n")
    assert "2 of 42 labels" in told
    assert "line 42, 43" in told
    assert "--drop_bad_rows" in told


def test_labels_that_differ_only_in_case_or_space(train: Train) -> None:
    told = train(CSV + "another good film,Pos\nand another one,pos \n")
    assert "Pos" in told
    assert "--merge_labels" in told


def test_label_values_unlike_between_splits(train: Train, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.csv").write_text(CSV)
    (folder / "test.csv").write_text("text,label\na fine film,positive\na poor film,negative\n")
    told = train(None, "--dataset", "data")
    assert "positive" in told
    assert "test" in told


def test_missing_text(train: Train) -> None:
    told = train(CSV + ",pos\n")
    assert "1 of 41 texts" in told
    assert "line 42" in told
    assert "--drop_bad_rows" in told


def test_texts_that_are_all_empty(train: Train) -> None:
    told = train("text,label\n" + " ,pos\n ,neg\n" * 10)
    assert "text" in told


def test_max_length_above_the_models(train: Train) -> None:
    told = train(CSV, "--max_length", "512")
    assert "512" in told
    assert "64" in told


def test_a_model_folder_without_weights(train: Train, tiny_bert: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_bert, tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    assert "weights" in train(CSV, "--model", "model")


def test_a_model_folder_without_a_tokenizer(train: Train, tiny_bert: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_bert, tmp_path / "model")
    for file in (tmp_path / "model").glob("*token*"):
        file.unlink()
    assert "tokenizer" in train(CSV, "--model", "model")


def test_a_model_for_another_task(train: Train, tiny_bert: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, ViTConfig, ViTModel

    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 16}
    ViTModel(ViTConfig(image_size=8, patch_size=8, **size)).save_pretrained(tmp_path / "model")
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path / "model")
    told = train(CSV, "--model", "model")
    assert "vit" in told.lower()


def test_a_misspelt_baseline(train: Train) -> None:
    assert "did you mean" in train(CSV, "--model", "baseline:lsmt")


def test_a_folder_that_holds_another_run(train: Train, tiny_run: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_run, tmp_path / "run")
    told = train(CSV)
    assert "run" in told
    assert "--overwrite" in told


def test_an_output_path_that_is_a_file(train: Train, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    assert "run" in train(CSV)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc takes no folders, even from root")
def test_no_right_to_write(train: Train) -> None:
    assert "/proc/run" in train(CSV, "--output_dir", "/proc/run")


def test_no_space_left(train: Train) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # no file may grow beyond 20 kB: the model's does
    try:
        told = train(CSV)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "run" in told


def test_predict_writes_nothing_where_it_may_not(tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("in.csv").write_text("review\na good film\n")
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(tiny_run), "--input", "in.csv", "--output", "nowhere/out.csv", "--disable_tqdm"])
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert "nowhere" in told
    assert "or set --output to a place" in told
    assert not Path("nowhere").exists()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc takes no folders, even from root")
@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_an_output_that_may_not_be_written(
    command: str, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tiny_run, tmp_path / "other")
    flags = ["--dataset", str(tiny_run.parent / "reviews.csv")] if command == "evaluate" else [str(tmp_path / "other")]
    with pytest.raises(SystemExit) as ended:
        main([command, str(tiny_run), *flags, "--output", "/proc/out"])
    told = capsys.readouterr().err
    assert ended.value.code == 1
    assert "error: /proc/out cannot be written" in told
    assert "or set --output to" in told
