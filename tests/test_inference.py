"""The pipeline: the answers of plain transformers, the texts read as at training, every kind of folder."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from datasets import ClassLabel, Dataset, DatasetDict
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
from transformers.pipelines.pt_utils import KeyDataset

from hfkit.base.errors import HfkitError
from hfkit.inference import pipeline
from hfkit.inference.answering import CLOSE
from hfkit.models.loading import load_model
from hfkit.tasks.text_classification.task import TextClassification

LONG = " ".join("the a this that film movie story plot actor scene ending director".split() * 8)
TEXTS = ["a warm film", LONG, "boring", "", "the plot was hollow and the actor tired", LONG + " superb"]


def save(folder: Path, base: Path, *, scale: float = 20.0, **settings: Any) -> Path:
    """A classifier with a random but outspoken head, saved as `fit` saves it."""
    torch.manual_seed(1)
    tokenizer = AutoTokenizer.from_pretrained(base)
    config = AutoConfig.from_pretrained(base)
    task = TextClassification(**{"labels": ["neg", "pos"], **settings}).for_model(config, tokenizer)
    for key, value in task.model_kwargs().items():
        if key != "num_labels":
            setattr(config, key, value)
    model = AutoModelForSequenceClassification.from_pretrained(base, config=config)
    with torch.no_grad():
        model.classifier.weight *= scale
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("classifier"), tiny_bert)


def same(found: Any, expected: Any) -> bool:
    """Whether labels are equal, and scores but for rounding (a row's last bits depend on the batch it is in)."""
    found, expected = list(found), list(expected)
    scores = [answer["score"] for answer in expected]
    return [answer["label"] for answer in found] == [answer["label"] for answer in expected] and [
        answer["score"] for answer in found
    ] == pytest.approx(scores, abs=1e-5)


@pytest.mark.parametrize("long_text", ["head", "tail"])
def test_plain_transformers_answers_the_same(long_text: str, tiny_bert: Path, tmp_path: Path) -> None:
    folder = save(tmp_path / "m", tiny_bert, long_text=long_text, max_length=20)
    plain = transformers.pipeline("text-classification", str(folder), device="cpu")
    expected = plain(TEXTS, truncation=True)
    found = pipeline(folder, mixed_precision="no")(TEXTS)
    assert same(found, expected)


@pytest.mark.parametrize("long_text", ["head_tail", "windows"])
def test_texts_are_read_as_at_training(long_text: str, tiny_bert: Path, tmp_path: Path) -> None:
    folder = save(tmp_path / "m", tiny_bert, long_text=long_text, max_length=20, stride=6)
    model, tokenizer = load_model(folder)
    task = TextClassification(["neg", "pos"], long_text=long_text, max_length=20, stride=6)
    trained = task.for_model(model.config, tokenizer)
    data = Dataset.from_dict({"text": TEXTS})
    encoded = trained.encode(data, tokenizer)
    with torch.no_grad():
        expected = trained.logits(model, trained.collate([encoded[row] for row in range(len(TEXTS))]))
    classify = pipeline(folder, mixed_precision="no", tokens_per_batch=64)
    sizes: list[int] = []
    classify.model.register_forward_pre_hook(
        lambda _, __, inputs: sizes.append(inputs["input_ids"].numel()), with_kwargs=True
    )
    torch.testing.assert_close(classify.logits(TEXTS), expected, atol=1e-5, rtol=0)
    assert max(sizes) <= 64, "a long text's windows go through in parts"


def test_every_form_of_input(folder: Path) -> None:
    classify = pipeline(folder, mixed_precision="no")
    many = classify(TEXTS)
    assert same(classify("a warm film"), many[:1])
    assert classify({"text": "a warm film"})["label"] == many[0]["label"]
    assert same(classify(tuple(TEXTS)), many)
    data = Dataset.from_dict({"text": TEXTS})
    assert same(classify(data["text"]), many)
    stream = classify(text for text in TEXTS)
    assert isinstance(stream, Iterator)
    assert same(stream, many)
    assert same(classify(KeyDataset(data, "text")), many)
    assert classify([]) == []
    both = classify(TEXTS, top_k=None)
    assert [len(labels) for labels in both] == [2] * len(TEXTS)
    assert all(one["score"] >= other["score"] for one, other in both)
    assert same(classify(TEXTS, batch_size=2), many)
    assert same(classify(TEXTS, truncation=True, padding=True), many)


def test_pairs_and_single_texts_may_be_mixed(folder: Path) -> None:
    classify = pipeline(folder, mixed_precision="no")
    pair = {"text": "a warm film", "text_pair": "boring"}
    plain = transformers.pipeline("text-classification", str(folder), device="cpu")
    found = classify([pair, "boring", pair])
    assert found[0] == found[2]
    assert found[0]["score"] == pytest.approx(plain(pair)["score"], abs=1e-4)
    assert found[1]["score"] == pytest.approx(plain("boring")[0]["score"], abs=1e-4)


def test_a_stream_is_read_no_further_than_it_is_answered(folder: Path) -> None:
    classify = pipeline(folder, mixed_precision="no")
    classify.chunk = 4
    taken: list[int] = []

    def texts() -> Iterator[str]:
        for number in range(40):
            taken.append(number)
            yield "a warm film"

    next(classify(texts()))
    assert len(taken) <= 5


def test_several_labels_and_numbers(tiny_bert: Path, tmp_path: Path) -> None:
    several = save(tmp_path / "m", tiny_bert, labels=["a", "b", "c"], problem_type="multi_label_classification")
    labels = pipeline(several, mixed_precision="no", top_k=None)(TEXTS)[0]
    assert {one["label"] for one in labels} == {"a", "b", "c"}
    assert sum(one["score"] for one in labels) != pytest.approx(1.0)
    number = save(tmp_path / "r", tiny_bert, labels=["value"], problem_type="regression")
    classify = pipeline(number)
    assert classify.low_precision is None
    assert classify(TEXTS[0])[0]["score"] == pytest.approx(float(classify.logits(TEXTS[:1])), abs=1e-6)


def test_close_decisions_are_made_in_float32(tiny_bert: Path, tmp_path: Path) -> None:
    folder = save(tmp_path / "m", tiny_bert, scale=0.1)  # a shy head: every decision is close
    exact, fast = pipeline(folder, mixed_precision="no"), pipeline(folder, mixed_precision="auto")
    fast.low_precision, fast.keeps_labels = torch.bfloat16, True
    margins = exact.logits(TEXTS).softmax(dim=1).diff(dim=1).abs().flatten()
    assert (margins < CLOSE).any()
    found, expected = fast.logits(TEXTS), exact.logits(TEXTS)
    close = margins < CLOSE / 2
    torch.testing.assert_close(found[close], expected[close], atol=1e-5, rtol=0)
    assert (found.argmax(dim=1) == expected.argmax(dim=1)).all()
    rough = pipeline(folder, mixed_precision="bf16")
    assert not torch.equal(rough.logits(TEXTS), expected)


def test_a_run_is_named_by_its_folder(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "bert"
    shutil.copytree(folder, run / "model")
    (run / "run.json").write_text(json.dumps({"state": "finished", "config": {}}))
    assert same(pipeline(run)("a warm film"), pipeline(folder)("a warm film"))
    (run / "run.json").write_text(json.dumps({"state": "stopped", "config": {}}))
    with pytest.raises(HfkitError, match="is stopped"):
        pipeline(run)


def test_folders_that_hold_no_whole_model(folder: Path, tiny_bert: Path, tmp_path: Path) -> None:
    def without(*names: str) -> Path:
        copy = tmp_path / "-".join(names)
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(*names))
        return copy

    with pytest.raises(HfkitError, match=r"no config\.json"):
        pipeline(without("config.json"))
    with pytest.raises(HfkitError, match="no weights"):
        pipeline(bare := without("model.safetensors"))
    (bare / "pytorch_model.bin").write_bytes(b"\x80")
    with pytest.raises(HfkitError, match="safetensors, which cannot run code"):
        pipeline(bare)
    with pytest.raises(HfkitError, match="no tokenizer"):
        pipeline(without("tokenizer*", "vocab.txt"))
    with pytest.raises(HfkitError, match="not fine-tuned"):
        pipeline(tiny_bert)
    with pytest.raises(HfkitError, match="there is no run"):
        pipeline("runs/bert/nothing")


def test_the_hub_out_of_reach() -> None:
    with pytest.raises(HfkitError, match="Hub cannot be reached"):
        pipeline("someone/some-model")


def test_what_is_no_text_or_no_argument(folder: Path) -> None:
    classify = pipeline(folder)
    for row in (3, None, ["a", "b"], {"txt": "a"}):
        with pytest.raises(HfkitError, match="not a text"):
            classify([row])
    with pytest.raises(HfkitError, match="max_length=7"):
        classify("a", max_length=7)
    with pytest.raises(HfkitError, match="truncation=False"):
        classify("a", truncation=False)
    with pytest.raises(HfkitError, match=r"no function_to_apply 'sofmax'(.|\n)*did you mean softmax"):
        classify("a", function_to_apply="sofmax")
    assert classify("a", function_to_apply="NONE") == classify("a", function_to_apply="none")


def adapter(folder: Path, base: Path, name: str, **settings: Any) -> Any:
    """An adapter with an outspoken head as a run saves it; the model with the adapter in it."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(2)
    tokenizer, config = AutoTokenizer.from_pretrained(base), AutoConfig.from_pretrained(base)
    task = TextClassification(["neg", "pos"], **settings).for_model(config, tokenizer)
    config.id2label, config.label2id = task.model_kwargs()["id2label"], task.model_kwargs()["label2id"]
    model = AutoModelForSequenceClassification.from_pretrained(base, config=config)
    lora = LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["query"], init_lora_weights=False)
    wrapped = get_peft_model(model, lora)
    with torch.no_grad():
        wrapped.base_model.model.classifier.modules_to_save["default"].weight *= 20
    wrapped.peft_config["default"].base_model_name_or_path = name
    wrapped.save_pretrained(folder)
    config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return wrapped.eval(), task, tokenizer


def test_an_adapter_answers_as_it_was_trained(tiny_bert: Path, tmp_path: Path) -> None:
    model, task, tokenizer = adapter(tmp_path / "a", tiny_bert, str(tiny_bert), max_length=20)
    encoded = task.encode(Dataset.from_dict({"text": TEXTS}), tokenizer)
    with torch.no_grad():
        expected = task.logits(model, task.collate([encoded[row] for row in range(len(TEXTS))]))
    classify = pipeline(tmp_path / "a", mixed_precision="no")
    torch.testing.assert_close(classify.logits(TEXTS), expected, atol=1e-4, rtol=0)
    assert classify(TEXTS[0])[0]["label"] in ("neg", "pos")


def test_an_adapter_on_the_embedded_model(tmp_path: Path) -> None:
    from hfkit.data.sources import embedded

    base = embedded.model_path("minilm")
    model, task, tokenizer = adapter(tmp_path / "a", base, "demo:minilm", max_length=32, long_text="head_tail")
    texts = [f"{text} {number}" for number in range(12) for text in TEXTS]
    exact = pipeline(tmp_path / "a", mixed_precision="no")
    encoded = task.encode(Dataset.from_dict({"text": texts[:6]}), tokenizer)
    with torch.no_grad():
        expected = task.logits(model, task.collate([encoded[row] for row in range(6)]))
    torch.testing.assert_close(exact.logits(texts[:6]), expected, atol=1e-4, rtol=0)
    labels = [answer["label"] for answer in pipeline(tmp_path / "a")(texts)]
    assert labels == [answer["label"] for answer in exact(texts)]


def test_a_hub_id_is_read_from_the_cache(folder: Path) -> None:
    from huggingface_hub import constants

    cached = Path(constants.HF_HUB_CACHE) / "models--someone--classifier"
    for commit in ("a" * 40, "b" * 40):
        shutil.copytree(folder, cached / "snapshots" / commit)
    (cached / "snapshots" / ("b" * 40) / "model.safetensors").unlink()
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("a" * 40)
    (cached / "refs" / "broken").write_text("b" * 40)
    assert same(pipeline("someone/classifier")("a warm film"), pipeline(folder)("a warm film"))
    with pytest.raises(HfkitError, match="no weights"):
        pipeline("someone/classifier", revision="broken")


@pytest.mark.parametrize("name", ["baseline:lstm", "baseline:transformer"])
def test_a_baseline_opens_here_and_in_plain_transformers(
    name: str, reviews: list[tuple[str, str]], tmp_path: Path
) -> None:
    import hfkit

    names = ClassLabel(names=["neg", "pos"])
    texts, labels = [text for text, _ in reviews], [names.str2int(label) for _, label in reviews]
    data = DatasetDict(train=Dataset.from_dict({"text": texts, "label": labels}).cast_column("label", names))
    sizes = {"hidden_size": 16} if name == "baseline:lstm" else {"hidden_size": 16, "num_attention_heads": 2}
    config = hfkit.TrainConfig(model=name, max_length=32, model_args=json.dumps(sizes))
    task = hfkit.build_task(config, data)
    model, tokenizer = hfkit.build_model(config, task, data)
    model.save_pretrained(tmp_path / "m")
    tokenizer.save_pretrained(tmp_path / "m")
    found = pipeline(tmp_path / "m", mixed_precision="no")(texts[:5])
    plain = transformers.pipeline("text-classification", str(tmp_path / "m"), device="cpu")
    assert same(found, plain(texts[:5], truncation=True))
    assert {answer["label"] for answer in found} <= {"neg", "pos"}


@pytest.mark.parametrize("lora", [False, True])
def test_a_pooled_model_and_its_adapter(lora: bool, tiny_bert: Path, tmp_path: Path) -> None:
    import hfkit

    data = DatasetDict(train=Dataset.from_dict({"text": TEXTS[:2], "label": [0, 1]}))
    data = data.cast_column("label", ClassLabel(names=["neg", "pos"]))
    config = hfkit.TrainConfig(model=str(tiny_bert), pooling="mean", max_length=16, long_text="head_tail", lora=lora)
    task = hfkit.build_task(config, data)
    model, tokenizer = hfkit.build_model(config, task, data)
    for part in (model, model.config, tokenizer):
        part.save_pretrained(tmp_path / "m")
    fitted = task.for_model(model.config, tokenizer)
    encoded = fitted.encode(data["train"], tokenizer)
    with torch.no_grad():
        expected = fitted.logits(model.eval(), fitted.collate([encoded[0], encoded[1]]))
    found = pipeline(tmp_path / "m", mixed_precision="no")
    assert found.reading.long_text == "head_tail"
    torch.testing.assert_close(found.logits(TEXTS[:2]), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *[("tokens_per_batch", value) for value in (0, -1, True, 1.5, float("nan"), "2048")],
        *[("batch_size", value) for value in (0, -1, 1.5, "3")],
        *[(name, value) for name in ("backend", "mixed_precision") for value in (None, 0, "torhc")],
        *[("device", value) for value in ("GPU", "cuda:99", 99, -2)],
    ],
)
def test_odd_arguments_are_refused_in_a_sentence(option: str, value: Any, folder: Path) -> None:
    with pytest.raises(HfkitError) as refused:
        pipeline(folder, **{option: value})(["a warm film", "boring"])
    assert repr(value) in str(refused.value)


def test_a_program_is_told_that_bf16_is_emulated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)  # torch 2.10 has none
    with pytest.warns(UserWarning, match="emulates it, more slowly than fp32"):
        pipeline(folder, device="cpu", mixed_precision="bf16")


def test_on_a_cpu_texts_are_batched_and_blocks_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both make it fast, and no answer depends on them."""
    kept = []
    monkeypatch.setattr("hfkit.inference.answering.keep_blocks", lambda: kept.append(True))
    classify = pipeline(folder, device="cpu", mixed_precision="no")
    batches = []
    classify.model.register_forward_pre_hook(
        lambda module, args, inputs: batches.append(tuple(inputs["input_ids"].shape)), with_kwargs=True
    )
    classify(["a warm film"] * 200)
    assert kept == [True]
    assert batches == [(200, 5)]
