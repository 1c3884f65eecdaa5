"""Sentence similarity: rows, losses, figures, vectors that other libraries agree with, and search."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch
import torch.nn.functional as F
from matched_texts import pairs, write_beir, write_rows
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer

import hfkit
from hfkit.base.errors import HfkitError
from hfkit.baselines.pooling import pooled
from hfkit.cli import main
from hfkit.config import TrainConfig
from hfkit.data.load import load_test
from hfkit.data.sources.weights.sentence_modules import read_modules, write_modules
from hfkit.data.text.keys import key_of
from hfkit.evaluation.bm25 import BM25, K1, B, words
from hfkit.evaluation.metric import figures
from hfkit.evaluation.nearest import highest, nearest
from hfkit.evaluation.ranking import METRICS
from hfkit.inference import predict_file
from hfkit.inference.search import index, retrieve
from hfkit.models.loading import load_model
from hfkit.runs.run import Run
from hfkit.tasks.sentence_similarity.task import SentenceSimilarity
from hfkit.tasks.sentence_similarity.vectors.losses import joint_loss

TASK = "sentence-similarity"


@pytest.fixture(scope="module")
def run(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with triplets, prefixes and Matryoshka dimensions, whose updates are of two batches."""
    folder = tmp_path_factory.mktemp("similar")
    data = write_rows(folder / "rows.jsonl", pairs(60))
    flags = f"--task {TASK} --dataset {data} --model {tiny_bert} --output_dir {folder / 'run'} --max_steps 4"
    flags += " --per_device_train_batch_size 8 --gradient_accumulation_steps 2 --matryoshka_dims 8 16 --max_length 24"
    flags += " --mixed_precision no --disable_tqdm --use_cpu --reuse_tokens false"
    with pytest.raises(SystemExit) as ended:
        main(["train", *flags.split(), "--query_prefix", "film ", "--document_prefix", "the "])
    assert ended.value.code == 0
    return Run(folder / "run")


def loaded(path: Path, **options: Any) -> Any:
    return hfkit.load_data(str(path), task=TASK, **options)


# Rows


def test_triplets_are_rows_with_their_negatives_and_no_text_does_two_of_these(tmp_path: Path) -> None:
    rows = [*pairs(), pairs()[0] | {"id": "again", "query": "another question"}]
    data = loaded(write_rows(tmp_path / "rows.jsonl", rows), test_size=0.2)
    row = data["train"][0]
    made = next(one for one in rows if one["id"] == row["id"])
    assert (row["text"], row["documents"]) == (made["query"], [made["positive"], made["negative"]])
    assert row["grades"] == [1, 0] and row["document_ids"][0] == row["id"]
    for column in ("text", "text_pair"):
        texts = [set(split[column]) for split in data.values()]
        assert not texts[0] & texts[1] | texts[1] & texts[2] | texts[0] & texts[2]


def test_a_query_of_the_test_split_has_one_row_with_all_its_documents(tmp_path: Path) -> None:
    rows = [{"query": "a", "pos": ["one", "two"], "neg": ["three"]}, {"query": "A ", "pos": ["four"], "neg": []}]
    data = load_test(str(write_rows(tmp_path / "rows.jsonl", rows)), task=TASK)["test"]
    assert data["documents"][:] == [["one", "two", "four", "three"]] and data["grades"][0] == [1, 1, 1, 0]


def test_rows_of_the_same_two_texts_are_one_with_all_their_negatives(tmp_path: Path) -> None:
    rows = [{"anchor": "a", "positive": "b", "negative": one} for one in "xyx"] + [
        {"anchor": f"q{at}", "positive": f"p{at}", "negative": "z"} for at in range(20)
    ]
    train = loaded(write_rows(tmp_path / "rows.jsonl", rows))["train"]
    found = [row["documents"] for row in train if row["text"] == "a"]
    assert found in ([["b", "x", "y"]], [])


def test_scores_become_cosines(tmp_path: Path) -> None:
    rows = [{"sentence1": f"a{at}", "sentence2": f"b{at}", "score": at / 10} for at in range(51)]
    data = loaded(write_rows(tmp_path / "rows.jsonl", rows))
    assert max(max(split["score"]) for split in data.values()) == 1.0
    assert any("divided by" in note for note in data.summary.notes)
    ranked = loaded(tmp_path / "rows.jsonl", loss="ranking")
    assert "documents" in ranked["train"].column_names, "asked for a ranking, a score is another column"


def test_a_beir_folder_is_searched_whole(tmp_path: Path) -> None:
    judged = {
        "train": [(f"q{at}", f"d{at}", 1) for at in range(10)] + [("q0", "d20", 0), ("q99", "d1", 1)],
        "dev": [("q10", "d10", 1)],
        "test": [("q11", "d11", 2), ("q11", "d12", 1), ("q11", "d13", 0), ("q14", "d14", 1)],
    }
    data = loaded(write_beir(tmp_path / "beir", judged))
    assert [len(split) for split in data.values()] == [10, 1, 2]
    assert data["train"][0]["document_ids"] == ["d0", "d20"], "what is judged to be wrong is a negative"
    first, second = data["test"]
    assert first["document_ids"][:3] == ["d11", "d12", "d13"] and first["grades"][:3] == [2, 1, 0]
    assert {*first["document_ids"], *second["document_ids"]} == {f"d{at}" for at in range(30)}
    assert first["documents"][0].startswith("t11 "), "a title is read before its text"
    assert any("1 judgement of a query or document that is not there" in note for note in data.summary.notes)


# Losses


def task_of(loss: str = "ranking", **more: Any) -> SentenceSimilarity:
    return SentenceSimilarity(loss=loss, pooling="mean", **more)


def facts(keys: list[list[str]], right: list[list[str]], grades: list[float] | None = None) -> dict[str, torch.Tensor]:
    width = max(map(len, right))
    filled = [[key_of(text) for text in row] + [-1] * (width - len(row)) for row in right]
    flat = [key_of(text) for row in keys for text in row]
    told = grades or [float(at == 0) for row in keys for at in range(len(row))]
    return {
        "counts": torch.tensor([len(row) for row in keys]),
        "keys": torch.tensor(flat),
        "grades": torch.tensor(told),
        "right": torch.tensor(filled),
    }


def test_ranking_is_cross_entropy_of_the_cosines_of_the_whole_update() -> None:
    torch.manual_seed(0)
    vectors = torch.randn(9, 6)
    texts = [["a", "x"], ["b", "y"], ["c", "z"]]
    whole = joint_loss(task_of(temperature=0.1), [(vectors, facts(texts, [["a"], ["b"], ["c"]]))])
    cosines = F.cosine_similarity(vectors[:3, None], vectors[None, 3:], dim=2)
    torch.testing.assert_close(whole, F.cross_entropy(cosines / 0.1, torch.tensor([0, 2, 4]), reduction="none"))
    cut = [
        (vectors[[0, 1, 3, 4, 5, 6]], facts(texts[:2], [["a"], ["b"]])),
        (vectors[[2, 7, 8]], facts(texts[2:], [["c"]])),
    ]
    torch.testing.assert_close(joint_loss(task_of(temperature=0.1), cut), whole)
    short = joint_loss(task_of(temperature=0.1, matryoshka_dims=(4,)), cut)
    four = joint_loss(task_of(temperature=0.1), [(one[:, :4], told) for one, told in cut])
    torch.testing.assert_close(short, (whole + four) / 2)


def test_what_is_right_by_another_row_and_copies_are_no_negatives() -> None:
    vectors = torch.randn(8, 6, generator=torch.Generator().manual_seed(1))
    texts, right = [["a"], ["A "], ["b"], ["q"]], [["a", "b"], ["a"], ["b"], ["q"]]
    found = joint_loss(task_of(temperature=1.0), [(vectors, facts(texts, right))])
    cosines = F.cosine_similarity(vectors[:4, None], vectors[None, 4:], dim=2)
    kept = {0: [0, 3], 1: [1, 2, 3], 2: [0, 1, 2, 3], 3: [0, 1, 2, 3]}
    expected = [cosines[row, places].logsumexp(0) - cosines[row, row] for row, places in kept.items()]
    torch.testing.assert_close(found, torch.stack(expected))


def test_margin_and_cosine_are_a_row_s_own() -> None:
    vectors = torch.randn(5, 6, generator=torch.Generator().manual_seed(2))
    told = facts([["a", "x", "y"], ["b"]][:1], [["a"]])
    found = joint_loss(task_of("margin", margin=0.5), [(vectors[:4], told)])
    cosines = F.cosine_similarity(vectors[:1], vectors[1:4], dim=1)
    assert found.item() == pytest.approx((0.5 - cosines[0] + cosines[1:]).clamp(min=0).mean().item(), abs=1e-6)
    found = joint_loss(task_of("cosine"), [(vectors[:4], facts([["a"], ["b"]], [[], []], [0.3, 0.9]))])
    expected = (F.cosine_similarity(vectors[:2], vectors[2:4], dim=1) - torch.tensor([0.3, 0.9])) ** 2
    torch.testing.assert_close(found, expected)


def test_pooling_on_either_side() -> None:
    states = torch.arange(24.0).reshape(2, 4, 3)
    right, left = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]]), torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    assert pooled(states, right, "cls")[:, 0].tolist() == [0, 12] and pooled(states, right, "last")[:, 0].tolist() == [
        3,
        21,
    ]
    assert pooled(states, left, "cls")[:, 0].tolist() == [6, 12] and pooled(states, left, "last")[:, 0].tolist() == [
        9,
        21,
    ]
    assert pooled(states, right, "mean")[0, 0] == 1.5


# Figures


def test_figures_are_those_of_ir_measures() -> None:
    import ir_measures as measures

    rng = np.random.default_rng(0)
    said, right, grades, qrels, ranking = [], [], [], [], []
    for query in range(60):
        order = [f"d{at}" for at in rng.permutation(150)[:100]]
        own = [f"d{at}" for at in rng.choice(150, rng.integers(1, 8), replace=False)]
        gains = rng.integers(1, 4, len(own)).tolist()
        said, right, grades = [*said, order], [*right, own], [*grades, [float(gain) for gain in gains]]
        qrels += [measures.Qrel(str(query), id, gain) for id, gain in zip(own, gains, strict=True)]
        ranking += [measures.ScoredDoc(str(query), id, 1.0 - at / 1000) for at, id in enumerate(order)]
    asked = {"ndcg_at_10": measures.nDCG @ 10, "mrr_at_10": measures.RR @ 10}
    asked |= {f"recall_at_{cut}": measures.R @ cut for cut in (1, 10, 100)}
    expected = measures.calc_aggregate(list(asked.values()), qrels, ranking)
    found = figures(METRICS, {"prediction": said, "reference": right, "grades": grades})
    assert found == pytest.approx({name: expected[measure] for name, measure in asked.items()}, abs=1e-9)


def test_search_is_exact_whatever_the_blocks_and_ties_go_to_the_first() -> None:
    rng = np.random.default_rng(0)
    documents = rng.integers(-2, 3, (50, 4)).astype(np.float32)  # many are equal
    queries = rng.integers(-2, 3, (7, 4)).astype(np.float32)
    products = queries @ documents.T
    expected = np.argsort(-products, axis=1, kind="stable")[:, :9]
    assert (highest(products, 9) == expected).all()
    for rows in (1, 7, 64):
        places, scores = nearest(queries, documents, 9, rows)
        assert (places == expected).all() and (scores == np.take_along_axis(products, expected, 1)).all()
    assert nearest(queries, documents[:3], 9)[0].shape == (7, 3)


def test_bm25_is_its_formula() -> None:
    texts = ["The cat sat.", "the dog sat on the cat cat", "北京大学"]
    found = BM25(texts).scores(["cat CAT bird", "北京"])
    lengths = [len(words(text)) for text in texts]
    rarity = math.log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    for row, times in ((0, 1), (1, 2)):
        norm = K1 * (1 - B + B * lengths[row] / np.mean(lengths))
        assert found[0, row] == pytest.approx(2 * rarity * times * (K1 + 1) / (times + norm))
    assert words("北京 ok") == ["北", "京", "北京", "ok"] and found[1].argmax() == 2 and found[0, 2] == 0


# A run


def test_a_run_has_its_figures_its_dimensions_and_its_rivals(run: Run) -> None:
    assert run.metrics["primary_metric"] == "ndcg_at_10" and set(run.metrics["baselines"]) == {"bm25", "untuned"}
    assert "ndcg_at_10_of_8_dimensions" in run.metrics
    missed = json.loads((run.path / "found.json").read_text())  # none, where the first document is always right
    assert bool(missed) == (run.metrics["mrr_at_10"]["value"] < 1)
    assert bool(missed) == ("What was found first for each" in (run.path / "report.html").read_text())
    looks = [line for line in run.log() if "eval_ndcg_at_10" in line]
    assert looks and all(line["eval_loss"] > 0 for line in looks)


def test_sentence_transformers_opens_it_and_makes_the_same_vectors(run: Run) -> None:
    from sentence_transformers import SentenceTransformer  # late: seconds

    theirs = SentenceTransformer(str(run.model_path), device="cpu")
    ours = hfkit.pipeline(run.path)
    texts = ["a warm film", " the acting was cold ", "film " * 60, "ÄÖ 北京"]
    np.testing.assert_allclose(np.stack(ours(texts)), theirs.encode(texts), atol=1e-6)
    for name in ("query", "document"):
        found = theirs.encode(texts, prompt_name=name)
        np.testing.assert_allclose(np.stack(ours(texts, prompt_name=name)), found, atol=1e-6)
    np.testing.assert_allclose(
        ours.vectors(texts, truncate_dim=8), theirs.encode(texts, truncate_dim=8, normalize_embeddings=True), atol=1e-6
    )


def test_a_folder_of_sentence_transformers_says_how_its_texts_are_read(tiny_bert: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_bert, tmp_path / "theirs")
    said = {"pooling": "cls", "normalize": True, "max_length": 20, "query_prefix": "q: ", "document_prefix": ""}
    write_modules(folder, 32, said)
    assert read_modules(folder).pooling == "cls" and read_modules(folder).query_prefix == "q: "
    data = loaded(write_rows(tmp_path / "rows.jsonl", pairs()))
    config = TrainConfig.for_task(TASK)(model=str(folder), dataset="x.csv", document_prefix="d: ")
    task = hfkit.build_task(config, data)
    model, tokenizer = hfkit.build_model(config, task, data)
    task = task.for_model(model.config, tokenizer)
    assert (task.pooling, task.max_length, task.query_prefix, task.document_prefix) == ("cls", 20, "q: ", "d: ")
    assert not model.pooler.dense.weight.requires_grad
    vector = hfkit.pipeline(folder)("a warm film")
    opened, tokenizer = load_model(folder)
    with torch.no_grad():
        states = opened(**tokenizer("a warm film", return_tensors="pt")).last_hidden_state
    np.testing.assert_allclose(vector, F.normalize(states[0, 0], dim=0).numpy(), atol=1e-6)
    assert (
        hfkit.pipeline("demo:minilm")(
            {"source_sentence": "A cat sleeps.", "sentences": ["A tax law.", "A kitten naps."]}
        )[1]
        > 0.3
    )


def test_what_pooling_does_not_read_may_be_missing(tiny_bert: Path, tmp_path: Path) -> None:
    model, tokenizer = (
        AutoModel.from_pretrained(tiny_bert, add_pooling_layer=False),
        AutoTokenizer.from_pretrained(tiny_bert),
    )
    folder = tmp_path / "bare"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    write_modules(folder, 32, {"pooling": "mean", "max_length": 20})
    write_rows(tmp_path / "corpus.jsonl", [{"text": row["positive"]} for row in pairs(4)])
    assert index(str(folder), tmp_path / "corpus.jsonl", tmp_path / "index", disable_tqdm=True) == 4
    vectors = np.lib.format.open_memmap(tmp_path / "index" / "vectors.npy", mode="r")
    with torch.no_grad():
        states = model.eval()(**tokenizer(pairs(1)[0]["positive"], return_tensors="pt")).last_hidden_state
    np.testing.assert_allclose(vectors[0], F.normalize(states[0].mean(dim=0), dim=0), atol=1e-6)
    weights = load_file(folder / "model.safetensors")
    weights.pop(next(name for name in weights if name.startswith("encoder.layer.1.")))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(HfkitError, match=r"is not fine-tuned: it has no weights for encoder\.layer\.1"):
        hfkit.pipeline(folder)


def test_pairs_with_a_score_are_learnt_judged_and_shown(tiny_bert: Path, tmp_path: Path) -> None:
    rows = [
        {"sentence1": one["query"], "sentence2": one["positive"] if at % 2 else one["negative"], "score": at % 2}
        for at, one in enumerate(pairs(60))
    ]
    config = TrainConfig.for_task(TASK)(
        dataset=str(write_rows(tmp_path / "rows.jsonl", rows)), model=str(tiny_bert), output_dir=str(tmp_path / "run"),
        max_steps=3, per_device_train_batch_size=8, use_cpu=True, mixed_precision="no", disable_tqdm=True,
        reuse_tokens=False,
    )  # fmt: skip
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    run = hfkit.fit(config, task, *hfkit.build_model(config, task, data), data)
    hfkit.write_report(run)
    assert run.metrics["primary_metric"] == "spearman" and {"bm25", "untuned"} == set(run.metrics["baselines"])
    assert "Pairs that went worst" in (run.path / "report.html").read_text()


def test_vectors_of_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text,n\na warm film,1\nthe acting,2\n,3\n")
    embed = hfkit.pipeline(run.path)
    assert predict_file(embed, tmp_path / "in.csv", tmp_path / "out.parquet", skip_bad_rows=True) == 3
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.column_names == ["text", "n", "embedding"] and table["embedding"][2].as_py() is None
    predict_file(embed, tmp_path / "in.csv", tmp_path / "out.npy", skip_bad_rows=True)
    found = np.lib.format.open_memmap(tmp_path / "out.npy", mode="r")
    np.testing.assert_array_equal(found[:2], np.stack(embed(["a warm film", "the acting"])))
    assert found.shape == (3, 32) and not found[2].any()


def test_an_index_is_searched_as_by_hand(run: Run, tmp_path: Path) -> None:
    rows = pairs(40)
    corpus = [{"_id": f"d{at}", "title": "film", "text": row["positive"]} for at, row in enumerate(rows)]
    write_rows(tmp_path / "corpus.jsonl", corpus)
    write_rows(tmp_path / "queries.jsonl", [{"_id": row["id"], "text": row["query"]} for row in rows])
    assert index(str(run.path), tmp_path / "corpus.jsonl", tmp_path / "index", disable_tqdm=True) == 40
    assert retrieve(tmp_path / "index", tmp_path / "queries.jsonl", tmp_path / "out.jsonl", top_k=3) == 40
    embed = hfkit.pipeline(run.path)
    documents = embed.vectors([f"film {row['positive']}" for row in rows], "document")
    places, scores = nearest(embed.vectors([row["query"] for row in rows], "query"), documents, 3)
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["document_id"] for row in found] == [f"d{place}" for row in places for place in row]
    assert [row["rank"] for row in found[:4]] == [1, 2, 3, 1] and found[0]["score"] == pytest.approx(
        scores[0, 0], abs=1e-5
    )
    with pytest.raises(SystemExit) as ended:
        main(["index", str(run.path), "--input", str(tmp_path / "corpus.jsonl"), "--output", str(tmp_path / "half"),
              "--dtype", "float16", "--truncate_dim", "8"])  # fmt: skip
    assert ended.value.code == 0
    half = np.lib.format.open_memmap(tmp_path / "half" / "vectors.npy", mode="r")
    assert half.dtype == np.float16 and half.shape == (40, 8)
    with pytest.raises(SystemExit) as ended:
        main(["retrieve", str(tmp_path / "half"), "--input", str(tmp_path / "queries.jsonl"), "--output",
              str(tmp_path / "half.csv"), "--top_k", "1"])  # fmt: skip
    assert ended.value.code == 0 and len((tmp_path / "half.csv").read_text().splitlines()) == 41
