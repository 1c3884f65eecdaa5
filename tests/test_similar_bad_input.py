"""Hostile input of sentence similarity: one message each, that says what is wrong, where, and what to do."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from matched_texts import pairs, write_beir, write_rows

import hfkit
from hfkit.base.errors import HfkitError
from hfkit.config import TrainConfig
from hfkit.config.rules import check
from hfkit.data.sources.weights.sentence_modules import read_modules, write_modules
from hfkit.inference.search import index, retrieve
from hfkit.inference.search.finding import Index
from hfkit.inference.writers import open_writer

TASK = "sentence-similarity"
SAID = {"pooling": "mean", "normalize": True, "max_length": 20, "query_prefix": "", "document_prefix": ""}


def beir(folder: Path, file: str, text: str) -> Path:
    """A BEIR folder of which a file holds something else."""
    made = write_beir(folder / "beir", {"train": [("q0", "d0", 1), ("q1", "d1", 1)]})
    (made / file).write_text(text)
    return made


def without_judgements(folder: Path) -> Path:
    made = write_beir(folder / "beir", {"train": [("q0", "d0", 1)]})
    (made / "qrels" / "train.tsv").unlink()
    return made


def rows(*made: dict[str, Any]) -> Callable[[Path], Path]:
    return lambda folder: write_rows(folder / "rows.jsonl", list(made))


ROWS: list[tuple[Callable[[Path], Path], dict[str, Any], str]] = [
    (rows({"a": "x", "b": "y"}), {}, "No two columns are known for texts that belong together; there are a, b"),
    (rows({"query": "x", "b": "y"}), {"text_pair_column": "c"}, "There is no column 'c'"),
    (
        rows({"query": "x", "document": "y"}),
        {"text_column": "query", "text_pair_column": "query"},
        "is named for two things",
    ),
    (
        rows({"query": "x", "document": ""}, {"query": "x", "document": "y"}),
        {},
        "1 of 2 texts in 'query' and 'document'",
    ),
    (rows({"query": "x", "document": None}), {}, "All texts in 'query' and 'document' are missing"),
    (rows({"query": 7, "document": "y"}), {}, "1 value of 'query' cannot be read as text"),
    (rows({"query": "x", "document": {"a": 1}}), {}, "1 value of 'document' cannot be read as text"),
    (rows({"query": "x", "document": "y", "negative": [3]}), {}, "1 value of 'negative' cannot be read as text"),
    (rows({"query": "x", "document": "y", "score": "high"}), {}, "1 score of 'score' no number: the first is 'high'"),
    (rows({"sentence1": "x", "sentence2": "y", "label": 1}), {}, "The column 'label' holds classes"),
    (rows({"query": "x", "document": "y"}), {"loss": "cosine"}, "--loss cosine learns a score"),
    (rows({"query": "x", "document": "y"}), {"loss": "margin"}, "--loss margin learns of negatives"),
    (rows({"query": "x", "document": "y"}), {"negative_column": "wrong"}, "There is no column 'wrong'"),
    (without_judgements, {}, "a corpus and queries, and no judgements"),
    (lambda f: beir(f, "qrels/train.tsv", "a\tb\n1\t2\n"), {}, "The judgements have the columns a, b"),
    (lambda f: beir(f, "qrels/train.tsv", "query-id\tcorpus-id\tscore\nq0\td0\tyes\n"), {}, "The score is no number"),
    (lambda f: beir(f, "qrels/train.tsv", "query-id\tcorpus-id\tscore\nq0\td0\t0\n"), {}, "No judgement says"),
    (lambda f: beir(f, "corpus.jsonl", '{"_id": "d0", "text": "a"}\n' * 2), {}, "The _id 'd0' stands twice"),
    (lambda f: beir(f, "queries.jsonl", '{"_id": null, "text": "a"}\n'), {}, "The text has no _id"),
    (lambda f: beir(f, "corpus.jsonl", '{"id": "d0", "text": "a"}\n'), {}, "There is no column '_id'"),
]


@pytest.mark.parametrize(("make", "options", "told"), ROWS, ids=[told[:40] for *_, told in ROWS])
def test_rows_that_are_none_are_told(make: Any, options: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(HfkitError) as error:
        hfkit.load_data(str(make(tmp_path)), task=TASK, **options)
    assert (told in str(error.value) and error.value.fix) or error.value.where


FLAGS: list[tuple[dict[str, Any], str]] = [
    ({"matryoshka_dims": [0]}, "--matryoshka_dims 0 is no number of dimensions"),
    ({"temperature": 0.0}, "--temperature is 0.0"),
    ({"margin": 3.0}, "--margin is 3.0"),
    ({"pooling": "max"}, "--pooling is 'max'"),
    ({"loss": "ranking", "score_column": "score"}, "--score_column has no effect"),
    ({"loss": "cosine", "negative_column": "neg"}, "--loss cosine looks at pairs"),
]


@pytest.mark.parametrize(("given", "told"), FLAGS, ids=[told for _, told in FLAGS])
def test_flags_that_cannot_be_are_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(HfkitError) as error:
        check(TrainConfig.for_task(TASK)(dataset="x.csv", **given))
    assert told in str(error.value)


MODELS: list[tuple[dict[str, Any], str]] = [
    ({"model": "baseline:lstm"}, "Vectors of texts are not learnt from scratch"),
    ({"matryoshka_dims": [32]}, "The model's vectors have 32 dimensions"),
    ({"query_prefix": "film " * 90}, "fills the 64 tokens"),
    ({"max_length": 65}, "The model reads at most 64 tokens"),
]


@pytest.mark.parametrize(("given", "told"), MODELS, ids=[told for _, told in MODELS])
def test_models_that_do_not_fit_are_told(given: dict[str, Any], told: str, tiny_bert: Path, tmp_path: Path) -> None:
    data = hfkit.load_data(str(write_rows(tmp_path / "rows.jsonl", pairs(30))), task=TASK)
    config = TrainConfig.for_task(TASK)(**{"dataset": "x.csv", "model": str(tiny_bert)} | given)
    task = hfkit.build_task(config, data)
    with pytest.raises(HfkitError, match=told):
        hfkit.build_model(config, task, data)


def changed(file: str, content: Any) -> Callable[[Path], None]:
    return lambda folder: (folder / file).write_text(json.dumps(content)) and None


MODULES: list[tuple[Callable[[Path], None], str]] = [
    (changed("modules.json", [{"type": "sentence_transformers.models.Dense"}]), "a module 'Dense'"),
    (changed("modules.json", {"a": 1}), "The file holds no list"),
    (changed("1_Pooling/config.json", {"pooling_mode_max_tokens": True}), "is not done here"),
    (changed("1_Pooling/config.json", {"pooling_mode": "mean", "include_prompt": False}), "without the prompt"),
    (lambda folder: (folder / "1_Pooling" / "config.json").unlink(), "Pooling has no config.json"),
]


@pytest.mark.parametrize(("spoil", "told"), MODULES, ids=[told for _, told in MODULES])
def test_modules_that_are_not_done_here_are_told(spoil: Callable[[Path], None], told: str, tmp_path: Path) -> None:
    write_modules(tmp_path, 32, SAID)
    spoil(tmp_path)
    with pytest.raises(HfkitError, match=told):
        read_modules(tmp_path)


def test_an_index_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "queries.jsonl").write_text('{"query": "a"}\n')
    for told in ("holds no index", "cannot be read", "do not fit together"):
        with pytest.raises(HfkitError, match=told):
            retrieve(tmp_path / "index", tmp_path / "queries.jsonl")
        (tmp_path / "index").mkdir(exist_ok=True)
        (tmp_path / "index" / "index.json").write_text('{"model": "demo:minilm", "rows": 2}')
        if told != "holds no index":
            np.lib.format.open_memmap(tmp_path / "index" / "vectors.npy", mode="w+", dtype=np.float32, shape=(2, 3))
            parquet.write_table(pa.table({"id": ["a"], "text": ["b"]}), tmp_path / "index" / "documents.parquet")
    parquet.write_table(pa.table({"id": ["a", "b"], "text": ["b", "c"]}), tmp_path / "index" / "documents.parquet")
    assert len(Index.open(tmp_path / "index").documents) == 2
    with pytest.raises(HfkitError, match="--top_k 0"):
        retrieve(tmp_path / "index", tmp_path / "queries.jsonl", top_k=0)
    with pytest.raises(HfkitError, match="there already"):
        index("demo:minilm", tmp_path / "queries.jsonl", tmp_path / "index")
    with pytest.raises(HfkitError, match="no --dtype int8"):
        index("demo:minilm", tmp_path / "queries.jsonl", tmp_path / "new", dtype="int8")


def test_a_corpus_with_faults_leaves_no_index(tmp_path: Path) -> None:
    for lines, told in (
        ('{"_id": "a", "text": "x"}\n{"_id": "a", "text": "y"}\n', "stands twice"),
        ('{"_id": "a", "text": "x"}\n{"_id": "b", "text": " "}\n', "no text in its column"),
        ('{"_id": null, "text": "x"}\n', "has no id"),
    ):
        (tmp_path / "corpus.jsonl").write_text(lines)
        with pytest.raises(HfkitError, match=told):
            index("demo:minilm", tmp_path / "corpus.jsonl", tmp_path / "index", disable_tqdm=True)
        assert not (tmp_path / "index").exists()


def test_labels_are_no_vectors(tmp_path: Path) -> None:
    with (
        pytest.raises(HfkitError, match="holds vectors"),
        open_writer(tmp_path / "out.npy", ["text"], ["label"]) as writer,
    ):
        writer.write([{"text": "a", "label": "pos"}])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("asked", "options", "told"),
    [
        ("", {}, "A text is empty or none"),
        (["a", 7], {}, "A text is empty or none"),
        ("half \ud83d", {}, "half a character"),
        ("a", {"prompt_name": "passage"}, "no prompt_name 'passage'"),
        ("a", {"truncate_dim": 0}, "truncate_dim=0 is no such number"),
        ("a", {"truncate_dim": 1000}, "The model's vectors have 384 numbers"),
        ("a", {"normalise": True}, "The pipeline takes no normalise=True"),
        ({"source_sentence": "a"}, {}, "no sentence, or no others"),
        ({"source_sentence": "a", "sentences": []}, {}, "no sentence, or no others"),
    ],
)
def test_what_is_no_text_is_told(asked: Any, options: dict[str, Any], told: str, embed: Any) -> None:
    with pytest.raises(HfkitError) as error:
        embed(asked, **options)
    assert told in str(error.value)


@pytest.fixture(scope="module")
def embed() -> Any:
    return hfkit.pipeline("demo:minilm")
