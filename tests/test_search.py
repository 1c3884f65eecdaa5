"""Search beyond the nearest vectors: by words, with a reranker, judged; and through an approximate index."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from matched_texts import pairs, write_beir, write_rows

import hfkit
from hfkit.base.errors import HfkitError
from hfkit.cli import main
from hfkit.config import TrainConfig
from hfkit.evaluation.bm25 import BM25
from hfkit.inference.search import index, retrieve

JUDGED = {"test": [(f"q{at}", f"d{at}", 1) for at in range(29)] + [("q3", "d4", 2), ("q0", "d9", 0)]}
ABSENT = "q99\td98\t1\nq99\td99\t2\nq99\td97\t0\n"


@pytest.fixture(scope="module")
def beir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 documents with an index, and judgements for all queries but one."""
    folder = write_beir(tmp_path_factory.mktemp("beir") / "data", JUDGED)
    index("demo:minilm", folder / "corpus.jsonl", folder / "index", disable_tqdm=True)
    return folder


@pytest.fixture(scope="module")
def reranker(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of pairs with the labels no and yes."""
    folder = tmp_path_factory.mktemp("reranker")
    rows = [
        {"text": one["query"], "text_pair": one[side], "label": word}
        for one in pairs(40)
        for side, word in (("positive", "yes"), ("negative", "no"))
    ]
    config = TrainConfig.for_task("text-classification")(
        dataset=str(write_rows(folder / "rows.jsonl", rows)), model=str(tiny_bert), output_dir=str(folder / "run"),
        max_steps=2, use_cpu=True, mixed_precision="no", disable_tqdm=True, reuse_tokens=False,
    )  # fmt: skip
    return Path(hfkit.train(config).path)


def found(file: Path) -> dict[str, list[dict]]:
    lines: dict[str, list[dict]] = {}
    for line in file.read_text().splitlines():
        lines.setdefault(json.loads(line)["_id"], []).append(json.loads(line))
    return lines


def test_words_find_what_bm25_finds(beir: Path, tmp_path: Path) -> None:
    corpus = [json.loads(line) for line in (beir / "corpus.jsonl").read_text().splitlines()]
    retrieve(beir / "index", beir / "queries.jsonl", tmp_path / "out.jsonl", by="words", top_k=4)
    scores = BM25([f"{one['title']} {one['text']}" for one in corpus]).scores([pairs(8)[7]["query"]])[0]
    best = np.argsort(-scores, kind="stable")[:4]
    rows = found(tmp_path / "out.jsonl")["q7"]
    assert [row["document_id"] for row in rows] == [f"d{place}" for place in best]
    assert [row["score"] for row in rows] == pytest.approx(scores[best], abs=1e-5)


def test_a_reranker_orders_the_candidates_anew_and_is_judged_on_them(
    beir: Path, reranker: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "test.tsv").write_text((beir / "qrels" / "test.tsv").read_text() + ABSENT)
    asked = ["retrieve", str(beir / "index"), "--input", str(beir / "queries.jsonl"), "--by", "words"]
    with pytest.raises(SystemExit) as ended:
        main([*asked, "--top_k", "12", "--output", str(tmp_path / "first.jsonl")])
    with pytest.raises(SystemExit) as ended:
        main([*asked, "--top_k", "12", "--candidates", "12", "--reranker", str(reranker), "--output",
              str(tmp_path / "last.jsonl"), "--qrels", str(tmp_path / "test.tsv")])  # fmt: skip
    assert ended.value.code == 0
    before, after = found(tmp_path / "first.jsonl"), found(tmp_path / "last.jsonl")
    classify = hfkit.pipeline(reranker)
    for id in ("q0", "q11"):
        texts = [row["document"] for row in before[id]]
        logits = classify.logits([{"text": before[id][0]["text"], "text_pair": text} for text in texts])
        order = torch.sort(logits[:, 0] - logits[:, 1], stable=True)
        assert [row["document"] for row in after[id]] == [texts[place] for place in order.indices]
        assert [row["score"] for row in after[id]] == pytest.approx((-order.values).tolist(), abs=1e-4)
    told = capsys.readouterr().err
    assert f"how sure {reranker} is of 'yes' and not of 'no', which --reranker_label would choose: the first" in told
    turned = tmp_path / "turned.jsonl"
    retrieve(beir / "index", beir / "queries.jsonl", turned, top_k=12, candidates=12, by="words",
             reranker=str(reranker), reranker_label="no", disable_tqdm=True)  # fmt: skip
    assert "is of 'no': the first 12 of each query" in capsys.readouterr().err
    scores = {row["document_id"]: row["score"] for row in after["q0"]}
    assert {row["document_id"]: -row["score"] for row in found(turned)["q0"]} == pytest.approx(scores, abs=1e-6)

    def gains(rows: list[dict], id: str) -> float:
        right = {f"d{id[1:]}": 1} | ({"d4": 2} if id == "q3" else {})
        ideal = sum(grade / np.log2(at + 2) for at, grade in enumerate(sorted(right.values(), reverse=True)))
        places = [row["document_id"] for row in rows[:10]]
        return sum(right.get(one, 0) / np.log2(at + 2) for at, one in enumerate(places)) / ideal

    judged = [f"q{at}" for at in range(29)]
    line = next(line for line in told.splitlines() if line.strip().startswith("nDCG@10")).split()
    one, other = (float(np.mean([gains(rows[id], id) for id in judged])) for rows in (before, after))
    assert float(line[1]) == pytest.approx(one, abs=6e-4) and float(line[5]) == pytest.approx(other, abs=6e-4)
    assert float(line[9]) == pytest.approx(100 * (other - one), abs=0.06)
    kept = np.mean([f"d{id[1:]}" in {row["document_id"] for row in before[id]} for id in judged if id != "q3"])
    assert "29 queries are judged by test.tsv, 1 are not" in told and "2 right documents are not in the index" in told
    assert kept == 1 and line[-1] == "1.000"


def test_what_cannot_be_searched_or_judged_is_told(beir: Path, reranker: Path, tmp_path: Path) -> None:
    queries, qrels = beir / "queries.jsonl", tmp_path / "qrels.tsv"
    qrels.write_text("query-id\tcorpus-id\tscore\nz1\td1\t1\n")
    (beir / "nothing.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t0\n")
    write_rows(tmp_path / "bare.jsonl", [{"text": "a film"}])
    for more, told in (
        ({"by": "word"}, "no --by word"),
        ({"by": "words", "model": "demo:minilm"}, "--model has no effect"),
        ({"by": "words", "qrels": qrels}, "qrels.tsv judges none of the queries"),
        ({"by": "words", "qrels": beir / "nothing.tsv"}, "No judgement says that a document is right"),
        ({"by": "words", "reranker": "demo:minilm"}, "demo:minilm does not say of two texts"),
        ({"by": "words", "reranker": "demo:minilm", "candidates": 3}, "--candidates 3 are fewer"),
        ({"by": "words", "reranker_label": "yes"}, "--reranker_label has no effect without --reranker"),
        ({"by": "words", "reranker": str(reranker), "reranker_label": "yess"}, "has no label 'yess'(.|\n)*mean yes"),
    ):
        with pytest.raises(HfkitError, match=told):
            retrieve(beir / "index", queries, tmp_path / "out.jsonl", **more)
        assert not (tmp_path / "out.jsonl").exists()
    with pytest.raises(HfkitError, match="have no ids"):
        retrieve(beir / "index", tmp_path / "bare.jsonl", tmp_path / "out.jsonl", by="words", qrels=qrels)


def test_along_a_graph_the_same_texts_are_found(beir: Path, tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    rows = [{"_id": f"d{at}", "text": row["positive"]} for at, row in enumerate(pairs(600))]
    write_rows(tmp_path / "corpus.jsonl", rows)
    index("demo:minilm", tmp_path / "corpus.jsonl", tmp_path / "index", graph=True, truncate_dim=64, disable_tqdm=True)
    assert json.loads((tmp_path / "index" / "index.json").read_text())["graph"] > 0.95
    for by in ("vectors", "graph"):
        retrieve(tmp_path / "index", beir / "queries.jsonl", tmp_path / f"{by}.jsonl", by=by, top_k=5)
    exact, near = (found(tmp_path / f"{by}.jsonl") for by in ("vectors", "graph"))
    scores = [
        {(id, row["document_id"]): row["score"] for id, rows in by.items() for row in rows} for by in (exact, near)
    ]
    both = scores[0].keys() & scores[1].keys()
    assert len(both) > 0.95 * len(scores[0]) == 0.95 * 150
    assert [scores[0][one] for one in both] == pytest.approx([scores[1][one] for one in both], abs=2e-6)
    with pytest.raises(HfkitError, match="has no graph"):
        retrieve(beir / "index", beir / "queries.jsonl", tmp_path / "out.jsonl", by="graph")
    (tmp_path / "index" / "vectors.faiss").write_bytes(b"IHNs")
    with pytest.raises(HfkitError, match="cannot be read"):
        retrieve(tmp_path / "index", beir / "queries.jsonl", tmp_path / "out.jsonl", by="graph")
