"""Fill-mask: which words are hidden, what is learnt and judged, and a BERT from scratch that is transformers' own."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file
from test_every_task import trained
from transformers import (
    AutoConfig,
    AutoModelForMaskedLM,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
)

import hfkit
from hfkit.baselines.configs import BaselineBertConfig
from hfkit.baselines.language.masked import BaselineBertForMaskedLM
from hfkit.baselines.language.tokenizers import train_byte_bpe
from hfkit.config import TrainConfig
from hfkit.inference import predict_file
from hfkit.tasks.fill_mask.baselines import Frequency, Gap, fit
from hfkit.tasks.fill_mask.task import FillMask
from hfkit.tasks.fill_mask.words import NONE, Asked, hidden_words, read_words, shown, told, windows, words_of

TEXTS = ["The film, a warm one, was not bad at all!", "他喜欢看电影 and tea.", "...", "unaffable " * 40]


def test_words_are_of_the_text_and_not_of_a_tokenizer() -> None:
    assert [TEXTS[0][begin:end] for begin, end in words_of(TEXTS[0])][:4] == ["The", "film", "a", "warm"]
    assert [TEXTS[1][begin:end] for begin, end in words_of(TEXTS[1])] == [*"他喜欢看电影", "and", "tea"]
    for text in ("हिन्दी भाषा", "cafe\u0301 noir", "สวัสดี ครับ"):
        assert [text[begin:end] for begin, end in words_of(text)] == text.split(), "marks belong to their words"
    assert words_of(TEXTS[2]) == []


def test_what_is_hidden_depends_on_seed_and_row_alone() -> None:
    chosen = [hidden_words(100, 0.15, 3, row).tolist() for row in (0, 1, 0)]
    assert chosen[0] == chosen[2] != chosen[1]
    assert len(chosen[0]) == 15 and chosen[0] == sorted(set(chosen[0]))
    assert hidden_words(2, 0.15, 0, 0).size == 1 and hidden_words(0, 0.15, 0, 0).size == 0


def test_words_have_one_fate_each_in_the_shares_of_the_paper() -> None:
    words = np.repeat(np.arange(20_000), 3)
    ids = np.arange(len(words)) % 500 + 1000
    seen, here = shown(ids, words, mask=7, vocabulary=900, probability=0.15, key=[0, 1, 2])
    assert here.mean() == pytest.approx(0.15)
    assert (here.reshape(-1, 3).all(axis=1) == here.reshape(-1, 3).any(axis=1)).all()
    masked, same = (seen == 7) & here, (seen == ids) & here
    assert masked.sum() / here.sum() == pytest.approx(0.8, abs=0.02)
    assert same.sum() / here.sum() == pytest.approx(0.1, abs=0.02)
    assert (seen[~here] == ids[~here]).all()
    again, _ = shown(ids, words, mask=7, vocabulary=900, probability=0.15, key=[0, 1, 2])
    assert (again == seen).all()


def test_windows_hold_every_token_once_and_part_no_word() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        words = np.repeat(np.arange(30), rng.integers(1, 6, 30))
        words[rng.random(len(words)) < 0.1] = NONE
        cut = list(windows(words, 7))
        assert [begin for begin, _ in cut] == [0, *(end for _, end in cut[:-1])] and cut[-1][1] == len(words)
        assert all(0 < end - begin <= 7 for begin, end in cut)
        assert not any(words[end] == words[end - 1] != NONE for _, end in cut[:-1])
    assert list(windows(np.zeros(10, dtype=int), 4)) == [(0, 4), (4, 8), (8, 10)]


def test_a_bert_from_scratch_gives_transformers_logits_with_its_weights() -> None:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
    sizes |= {"intermediate_size": 64, "max_position_embeddings": 40}
    theirs = BertForMaskedLM(BertConfig(**sizes)).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    ours = BaselineBertForMaskedLM(BaselineBertConfig(**sizes)).eval()
    state = {f"bert.{name}": value for name, value in theirs.bert.state_dict().items()} | theirs.cls.state_dict()
    names = {"query": "self.query", "key": "self.key", "value": "self.value", "output": "output.dense"}
    with torch.no_grad():
        state["bert.embeddings.position_embeddings.weight"] += state["bert.embeddings.token_type_embeddings.weight"][0]
        pairs = {
            "embeddings.tokens.weight": "bert.embeddings.word_embeddings.weight",
            "embeddings.positions.weight": "bert.embeddings.position_embeddings.weight",
            "lm_head.bias": "predictions.bias",
        }
        pairs |= {f"norm.{part}": f"bert.embeddings.LayerNorm.{part}" for part in ("weight", "bias")}
        for part in ("weight", "bias"):
            pairs[f"transform.{part}"] = f"predictions.transform.dense.{part}"
            pairs[f"transform_norm.{part}"] = f"predictions.transform.LayerNorm.{part}"
            for layer in range(3):
                here, there = f"encoder.layers.{layer}", f"bert.encoder.layer.{layer}"
                pairs |= {f"{here}.attention.{a}.{part}": f"{there}.attention.{b}.{part}" for a, b in names.items()}
                pairs[f"{here}.feed_forward.expand.{part}"] = f"{there}.intermediate.dense.{part}"
                pairs[f"{here}.feed_forward.contract.{part}"] = f"{there}.output.dense.{part}"
                pairs[f"{here}.after_attention.norm.{part}"] = f"{there}.attention.output.LayerNorm.{part}"
                pairs[f"{here}.after_feed_forward.norm.{part}"] = f"{there}.output.LayerNorm.{part}"
        own = dict(ours.named_parameters())
        assert pairs.keys() == own.keys()
        for name, other in pairs.items():
            own[name].copy_(state[other])
        ids, mask = torch.randint(1, 99, (3, 12)), torch.ones(3, 12, dtype=torch.long)
        mask[1, 7:] = 0
        # The position vectors of `theirs` have the first text's vector in them now: it is taken out of the sum.
        theirs.bert.embeddings.token_type_embeddings.weight.zero_()
        expected = theirs(input_ids=ids, attention_mask=mask).logits
        found = ours(input_ids=ids, attention_mask=mask).logits
    torch.testing.assert_close(found[mask.bool()], expected[mask.bool()], rtol=1e-4, atol=1e-4)


SMALL: dict[str, Any] = {"vocab_size": 97, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
SMALL |= {"intermediate_size": 64}
KINDS = {
    "bert": SMALL, "roberta": SMALL | {"pad_token_id": 1}, "camembert": SMALL, "mpnet": SMALL, "roformer": SMALL,
    "deberta-v2": SMALL, "electra": SMALL | {"embedding_size": 16}, "albert": SMALL | {"embedding_size": 16},
    "convbert": SMALL | {"embedding_size": 16}, "fnet": SMALL,
    "modernbert": SMALL | {f"{role}_token_id": 0 for role in ("pad", "bos", "eos", "cls", "sep")},
    "distilbert": {"vocab_size": 97, "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64},
    "xlm": {"vocab_size": 97, "emb_dim": 32, "n_layers": 2, "n_heads": 2},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_output_layer_is_asked_for_hidden_places_alone(kind: str) -> None:
    torch.manual_seed(0)
    model = AutoModelForMaskedLM.from_config(AutoConfig.for_model(kind, **KINDS[kind])).eval()
    ids, kept = torch.randint(3, 90, (3, 10)), torch.rand(3, 10) < 0.3
    asked: list[Any] = []
    hook = model.get_output_embeddings().register_forward_hook(lambda *given: asked.append(given[2].shape))
    with torch.no_grad():
        found = told(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)}, kept)
        assert asked == [found.shape] and len(found) == kept.sum()
        hook.remove()
        whole = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    torch.testing.assert_close(found, whole[kept], rtol=1e-5, atol=1e-5)


@pytest.fixture
def masked_lm(tiny_bert: Path, tmp_path: Path) -> Path:
    """A tiny BERT with a head for hidden words, its weights far from zero so that one token is the likeliest."""
    model = BertForMaskedLM.from_pretrained(tiny_bert)
    torch.manual_seed(1)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(tmp_path / "masked")
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path / "masked")
    return tmp_path / "masked"


@pytest.fixture
def tokenizer(tiny_bert: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_bert)


@pytest.fixture
def knobs(tiny_bert: Path, reviews_csv: Path, tmp_path: Path) -> dict[str, Any]:
    usual: dict[str, Any] = {"task": "fill-mask", "dataset": str(reviews_csv), "model": str(tiny_bert)}
    usual |= {"max_length": 24, "max_steps": 2, "mixed_precision": "no", "use_cpu": True, "disable_tqdm": True}
    return usual | {"output_dir": str(tmp_path / "run")}


def test_what_is_judged_are_whole_words_behind_masks(tokenizer: Any) -> None:
    task = FillMask(max_length=12, mask_probability=0.3).for_model(BertConfig(), tokenizer)
    encoded = task.encode(Dataset.from_dict({"text": TEXTS}), tokenizer)
    rows = task.to_evaluate(encoded)
    assert set(rows["document"]) == {0, 1, 3}, "a text without a word is not asked for"
    assert task.truncation(encoded)["notes"] == ["1 text without a word: nothing is learnt from them"]
    features = task.read(rows, list(range(len(rows))), None)
    batch = task.collate(features)
    assert ((batch["targets"] != -100) == (batch["input_ids"] == tokenizer.mask_token_id)).all()
    assert max(len(row["input_ids"]) for row in features) <= 12
    words = {row: words_of(text) for row, text in enumerate(TEXTS)}
    chosen = {row: hidden_words(len(places), 0.3, 0, row).tolist() for row, places in words.items()}
    asked = {row: sorted(w for at in range(len(rows)) for w in rows[at]["hidden"] if rows[at]["document"] == row)
             for row in words}  # fmt: skip
    assert asked == chosen
    size = {row: sum(len(TEXTS[row][a:b].encode()) for a, b in (words[row][w] for w in chosen[row])) for row in words}
    found = {row: sum(rows[at]["bytes"] for at in range(len(rows)) if rows[at]["document"] == row) for row in words}
    assert found == size


def test_sums_are_those_of_the_models_logits(tokenizer: Any, masked_lm: Path) -> None:
    task = FillMask(max_length=16, mask_probability=0.4).for_model(BertConfig(), tokenizer)
    model = BertForMaskedLM.from_pretrained(masked_lm).eval()
    rows = task.to_evaluate(task.encode(Dataset.from_dict({"text": [TEXTS[0], "a warm Ω film"]}), tokenizer))
    features = task.read(rows, list(range(len(rows))), None)
    with torch.no_grad():
        _, found = task.loss_and_predictions(model, task.collate(features))
        for at, feature in enumerate(features):
            shares = model(input_ids=torch.tensor([feature["input_ids"]])).logits[0].log_softmax(-1)
            places = [place for place, target in enumerate(feature["targets"]) if target != -100]
            nats = -sum(float(shares[place, feature["targets"][place]]) for place in places)
            assert float(found["nll"][at]) == pytest.approx(nats + rows[at]["spelled"] * math.log(256), rel=1e-5)
            assert int(found["tokens"][at]) == len(places) and int(found["words"][at]) == sum(rows[at]["weights"])
            right = [bool(shares[place].argmax() == feature["targets"][place]) for place in places]
            groups = [feature["group"][place] for place in places]
            whole = {one: all(ok for ok, group in zip(right, groups, strict=True) if group == one) for one in groups}
            assert int(found["right"][at]) == sum(rows[at]["sayable"][one] for one in whole if whole[one])


def test_a_word_is_asked_for_once_whatever_the_tokenizer_makes_of_it() -> None:
    words, unknown = np.array([0, 1, 1, NONE, 3]), np.zeros(5, dtype=int)
    asked = Asked([0, 1, 2, 3], [1, 2, 3, 4], words.tolist(), 0.99, 0, 0)  # word 2 has no token
    hidden, weights, sayable, size, spelled = asked.of_window(words, unknown)
    assert hidden.tolist() == [0, 1, 3] and sum(weights) == 4 and sum(sayable) == 3 and (size, spelled) == (10, 3)
    _, weights, sayable, size, spelled = asked.of_window(np.array([3, 3]), np.array([4, 0]))
    assert (sum(weights), sum(sayable), size, spelled) == (0, 0, 0, 4), "a word that goes on in a window counts once"
    unsure = Asked([0], [6], [0], 0.5, 0, 0).of_window(np.array([0]), np.array([6]))
    assert unsure[1:] == ([1], [0], 6, 6), "what an unknown token stands for is never told right"
    shared = Asked([2, 2, 2, 3], [3, 3, 3, 1], [2, 3], 0.5, 1, 0)  # a byte-level token of three Chinese characters
    chosen = hidden_words(4, 0.5, 1, 0)
    assert shared.times.sum() == len(chosen) == 2


def test_characters_that_share_a_token_are_one_unit(tmp_path: Path) -> None:
    tokenizer = train_byte_bpe(["你好 and tea"] * 9, vocab_size=400, max_length=64)
    row = read_words(["你好 and tea"], tokenizer)
    assert row["units"][0][:2] in ([1, 1], [0, 1]) and len(row["sizes"][0]) == 4
    assert {word for word in row["words"][0] if word != NONE} <= set(row["units"][0])


def test_rivals_are_probabilities_and_see_no_other_hidden_word() -> None:
    texts = ["the cat sat on the mat", "the dog sat on the log"] * 20
    frequency = Frequency(texts)
    known = sum(math.exp(frequency(word)) for word in frequency.counts)
    assert known < 1 and frequency("the") > frequency("cat") > frequency("zebra")
    settings = {"mask_probability": 0.4, "hiding_seed": 1}
    rows = Dataset.from_dict({"text": texts})
    whole = fit(rows, rows, settings, 0)
    assert list(whole) == ["bytes_on_both_sides", "words_by_frequency"], "the better one comes first"
    other = fit(rows, Dataset.from_dict({"text": texts[:1]}), settings, 0)
    assert other["bytes_on_both_sides"]["prediction"][0] == pytest.approx(whole["bytes_on_both_sides"]["prediction"][0])
    content, counts = Gap("mat", b"123456789", b"abcdefgh").filled("hut")
    assert content == b"56789hutabcde" and counts.tolist() == [False] * 5 + [True] * 8


@pytest.mark.parametrize("text", ["zebra", "x" * 4000, "...", ""])
@pytest.mark.parametrize("train", [["the cat sat on the mat"], ["..."], ["cat"]])
def test_rivals_have_an_answer_to_any_text(train: list[str], text: str) -> None:
    rows, test = (Dataset.from_dict({"text": texts}) for texts in (train, [text]))
    for answer in fit(rows, test, {"mask_probability": 0.5, "hiding_seed": 0}, 0).values():
        assert np.isfinite(answer["prediction"]).all()


def test_an_encoder_keeps_its_token_vectors_and_a_head_that_it_has(
    knobs: dict[str, Any], tiny_bert: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def built(**changes: Any) -> Any:
        config = TrainConfig(**knobs | changes)
        data = hfkit.load_data(config)
        return hfkit.build_model(config, hfkit.build_task(config, data), data)[0]

    vectors = load_file(tiny_bert / "model.safetensors")["embeddings.word_embeddings.weight"]
    assert torch.equal(built().get_input_embeddings().weight, vectors)
    assert "head: new" in capsys.readouterr().out
    whole = BertForPreTraining.from_pretrained(tiny_bert)
    torch.nn.init.normal_(whole.cls.predictions.transform.dense.weight, std=0.7)
    whole.save_pretrained(tmp_path / "whole")
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path / "whole")
    found = built(model=str(tmp_path / "whole"))
    assert torch.equal(found.cls.predictions.transform.dense.weight, whole.cls.predictions.transform.dense.weight)
    assert "head: kept" in capsys.readouterr().out


def test_runs_are_paired_where_they_were_asked_for_the_same_words(
    knobs: dict[str, Any], tmp_path: Path, reviews_csv: Path
) -> None:
    first, second = (trained(knobs | {"output_dir": str(tmp_path / f"s{seed}"), "seed": seed}) for seed in (0, 1))
    found = hfkit.compare([first, second])
    assert "nats_per_word" in found.data["ranking"][0]["figures"]
    other = trained(knobs | {"output_dir": str(tmp_path / "more"), "mask_probability": 0.5})
    with pytest.raises(hfkit.HfkitError, match="asked for other words of the same rows"):
        hfkit.compare([first, other])


def test_gaps_of_a_file_are_filled_and_a_row_without_one_is_told(masked_lm: Path, tmp_path: Path) -> None:
    folder, mask = masked_lm, "[MASK]"
    (tmp_path / "in.csv").write_text(f"id,text\n1,a {mask} film\n2,the {mask} was {mask}\n")
    assert predict_file(folder, tmp_path / "in.csv", tmp_path / "out.csv", disable_tqdm=True) == 2
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    fill = hfkit.pipeline(folder)
    first = fill(f"a {mask} film", top_k=1)[0]
    assert json.loads(rows[0]["words"]) == [first["token_str"]] and mask not in rows[1]["filled"]
    assert len(json.loads(rows[1]["scores"])) == 2
    (tmp_path / "long.csv").write_text(f"text\n{'warm ' * 90}{mask}\n")
    with pytest.raises(hfkit.HfkitError, match="the model reads 64 at once") as refused:
        predict_file(folder, tmp_path / "long.csv", tmp_path / "long-out.csv", disable_tqdm=True)
    assert "long.csv" in str(refused.value.where)
    (tmp_path / "bad.csv").write_text(f"text\na {mask} film\nno gap\n")
    with pytest.raises(hfkit.HfkitError, match=r"no \[MASK\] in its column 'text': 'no gap'"):
        predict_file(folder, tmp_path / "bad.csv", tmp_path / "bad-out.csv", disable_tqdm=True)
    assert not (tmp_path / "bad-out.csv").exists()


def test_a_finished_run_serves_as_the_model_of_a_classifier(knobs: dict[str, Any], tmp_path: Path) -> None:
    run = trained(knobs)
    more = {"task": "text-classification", "model": str(run.path), "output_dir": str(tmp_path / "later")}
    later = trained(knobs | more)
    assert later.info["task"] == "text-classification" and later.info["state"] == "finished"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "baseline:lstm"}, "there is no baseline 'lstm' for fill-mask"),
        ({"max_length": 2}, "No word fits beside the special tokens"),
        ({"max_length": 4000}, "The model reads at most"),
        ({"mask_probability": 1.0}, "mask_probability"),
        ({"dataset": "dots.jsonl"}, "No text of the split has a word"),
    ],
)
def test_what_cannot_be_is_told(changes: dict[str, Any], said: str, knobs: dict[str, Any]) -> None:
    Path("dots.jsonl").write_text("".join(json.dumps({"text": "." * number}) + "\n" for number in range(1, 60)))
    with pytest.raises(hfkit.HfkitError, match=said):
        trained(knobs | changes)
