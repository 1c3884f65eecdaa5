"""Word vectors: what a file says lands in the embedding matrix, the rest keeps its start, and bad lines are told."""

from pathlib import Path
from typing import Any

import pytest
import torch
from test_every_task import names_file
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerBase

import hfkit
from hfkit.baselines.tokenizer import train_tokenizer
from hfkit.baselines.word_vectors import read_word_vectors

GLOVE = "film 0.5 -0.5 1e-3\nthe 0.125 1 -1\nFilm 9 9 9\n. . . 7 7 7\nnobody 1 2 3\nfilm 8 8 8\n"


@pytest.fixture(scope="module")
def cased() -> PreTrainedTokenizerBase:
    return train_tokenizer(["the Film and the film", "The film, London"] * 9, vocab_size=300, lowercase=False)


@pytest.mark.parametrize("header", ["", "6 3\n"])
@pytest.mark.parametrize("end", ["\n", " \r\n"])
def test_words_get_their_vectors_and_capitals_those_of_small_letters(
    header: str, end: str, cased: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    (file := tmp_path / "glove.txt").write_bytes((header + GLOVE).replace("\n", end).encode())
    vectors = read_word_vectors(file, cased)
    own = {cased.convert_ids_to_tokens(token): vector for token, vector in vectors.found.items()}
    assert vectors.size == 3
    assert own["▁film"] == [0.5, -0.5, 1e-3], "of two the first"
    assert own["▁Film"] == [9, 9, 9], "as it is written, before its small letters"
    assert own["▁The"] == own["▁the"] == [0.125, 1, -1]
    assert "▁London" not in own and "▁." not in own
    words = sum(token.startswith("▁") and len(token) > 1 for token in cased.get_vocab())
    assert vectors.told == f"4 of {words} words of the vocabulary have a vector of glove.txt, 1 by their small letters"


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("film 1 2\nthe 1 2 3\n", "has 3 numbers, and the others have 2", 2),
        ("film 1 2\nthe 1\n", "has 1 numbers, and the others have 2", 2),
        ("film\n", "has 0 numbers", 1),
        ("\n", "has 0 numbers", 1),
        ("and 1 2\nfilm 1 x\n", "'x' is no number", 2),
        ("film nan 1\n", "'nan' is no number", 1),
        ("film 1 inf\n", "'inf' is no number", 1),
        ("film 1e39 1\n", "'1e39' is no number that a weight can be", 1),
        ("3 2\nfilm 1 2\nthe 1 2\n", "promises 3 words, and 2 follow", None),
        ("2 3\nfilm 1 2\n", "has 2 numbers, and the others have 3", 2),
        ("1 0\nfilm\n", "has 0 numbers", 2),
        ("katze 1 2\nhund 3 4\n", "No word of the", None),
        ("film 1 2\n\0\0\0\0", "byte 0x00 cannot stand there", 2),
        ("", "The file is empty", None),
    ],
)
def test_bad_files_are_told_with_their_line(
    text: str, said: str, line: int | None, cased: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    (file := tmp_path / "bad.txt").write_text(text)
    with pytest.raises(hfkit.HfkitError, match=said) as refused:
        read_word_vectors(file, cased)
    assert f"{file}, line {line}" in str(refused.value) if line else str(file) in str(refused.value)


def test_a_file_that_is_not_there_or_no_text_is_told(cased: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    (tmp_path / "word2vec.bin").write_bytes(b"3 2\nfilm \xff\xfe\x00\x80\n")
    for name in ("nowhere.txt", "word2vec.bin", "."):
        with pytest.raises(hfkit.HfkitError, match=name if name != "." else None):
            read_word_vectors(tmp_path / name, cased)


def built(**knobs: Any) -> tuple[Any, Any]:
    config = hfkit.TrainConfig(**knobs)
    data = hfkit.load_data(config)
    return hfkit.build_model(config, hfkit.build_task(config, data), data)


@pytest.mark.parametrize("task", ["text-classification", "token-classification"])
def test_the_rest_of_the_network_starts_as_without_a_file(task: str, reviews_csv: Path, tmp_path: Path) -> None:
    tags = task == "token-classification"
    data, word = (names_file(tmp_path / "names.conll"), "went") if tags else (reviews_csv, "film")
    knobs: dict[str, Any] = {"task": task, "dataset": data, "model": f"baseline:bilstm{'_crf' * tags}"}
    knobs |= {"vocab_size": 300, "model_args": '{"hidden_size": 8, "embedding_size": 3}'}
    (tmp_path / "glove.txt").write_text(f"{word} 0.5 -0.5 1e-3\n")
    plain, tokenizer = built(**knobs)
    filled, _ = built(**knobs, word_vectors=tmp_path / "glove.txt")
    token = tokenizer.convert_tokens_to_ids(f"▁{word}")
    assert filled.embeddings.weight[token].tolist() == torch.tensor([0.5, -0.5, 1e-3]).tolist()
    for name, tensor in plain.state_dict().items():
        rows = [row for row in range(len(tensor)) if name != "embeddings.weight" or row != token]
        assert tensor[rows].equal(filled.state_dict()[name][rows]), name
    with pytest.raises(hfkit.HfkitError, match="The vectors have 3 numbers, and embedding_size is 4"):
        built(**knobs | {"model_args": '{"embedding_size": 4}'}, word_vectors=tmp_path / "glove.txt")


def test_what_has_no_token_vectors_of_its_own_is_refused(reviews_csv: Path, tiny_bert: Path, tmp_path: Path) -> None:
    (tmp_path / "glove.txt").write_text("film 1 2\n")
    flags: dict[str, Any] = {"dataset": reviews_csv, "word_vectors": tmp_path / "glove.txt"}
    with pytest.raises(hfkit.HfkitError, match="choose a recurrent one"):
        built(**flags, model="baseline:transformer", vocab_size=300)


def test_a_run_counts_its_words_and_its_model_needs_no_file(
    reviews_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file := tmp_path / "glove.txt").write_text("film 0.5 -0.5 1e-3\nnobody 1 2 3\n")
    knobs: dict[str, Any] = {"dataset": reviews_csv, "model": "baseline:bilstm", "vocab_size": 300, "max_steps": 2}
    knobs |= {"word_vectors": file, "model_args": '{"hidden_size": 8}', "output_dir": tmp_path / "run"}
    run = hfkit.train(hfkit.TrainConfig(**knobs, max_length=16, mixed_precision="no", use_cpu=True, disable_tqdm=True))
    told = run.info["model"]["word_vectors"]
    assert told.startswith("1 of ") and told.endswith("words of the vocabulary have a vector of glove.txt")
    assert f"word vectors: {told}" in capsys.readouterr().out
    file.unlink()
    model = AutoModelForSequenceClassification.from_pretrained(run.model_path)
    assert model.config.embedding_size == 3 and model.config.word_vectors == told
    assert hfkit.pipeline(run.path, mixed_precision="no")("a wonderful film")[0]["label"] in ("neg", "pos")
