"""Text classification: labels by name, long texts, and a loss that is the large batch's."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, RobertaConfig

from hfkit.base.errors import HfkitError
from hfkit.config import TrainConfig
from hfkit.data.text.truncation import positions_of
from hfkit.evaluation.metric import looked_at
from hfkit.tasks import build_task
from hfkit.tasks.text_classification.task import TextClassification

LONG = " ".join("the a this that film movie story plot actor scene ending director".split() * 4)
TEXTS = ["a warm film", LONG, "boring", "the plot was hollow and the actor tired"]


def rows(labels: list[Any], feature: Any, pairs: list[str] | None = None) -> DatasetDict:
    columns: dict[str, Any] = {
        "id": [str(row) for row in range(len(labels))],
        "text": (TEXTS * len(labels))[: len(labels)],
        "label": labels,
    }
    features = {"id": Value("string"), "text": Value("string"), "label": feature}
    if pairs:
        columns["text_pair"], features["text_pair"] = pairs, Value("string")
    return DatasetDict(train=Dataset.from_dict(columns, features=Features(features)))


BINARY = ClassLabel(names=["neg", "pos"])


@pytest.fixture
def tokenizer(tiny_bert: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_bert)


@pytest.fixture
def config(tiny_bert: Path) -> Any:
    return AutoConfig.from_pretrained(tiny_bert)


def model_of(folder: Path, task: TextClassification) -> Any:
    torch.manual_seed(0)
    kwargs = {key: value for key, value in task.model_kwargs().items() if key != "hfkit"}
    return AutoModelForSequenceClassification.from_pretrained(folder, **kwargs).eval()


def batch_of(task: TextClassification, data: DatasetDict, tokenizer: Any) -> dict[str, torch.Tensor]:
    encoded = task.encode(data["train"], tokenizer)
    return task.collate([encoded[row] for row in range(len(encoded))])


# --- what the labels make ---


def test_the_label_column_decides_the_problem() -> None:
    single = build_task(TrainConfig(), rows([0, 1, 0, 1], BINARY))
    many = build_task(TrainConfig(), rows([[0], [], [0, 1], [1]], List(BINARY)))
    number = build_task(TrainConfig(), rows([0.5, 1, 2, 3], Value("float32")))
    assert isinstance(single, TextClassification)
    assert (single.problem_type, single.labels, single.primary_metric) == (
        "single_label_classification",
        ["neg", "pos"],
        "accuracy",
    )
    assert many.model_kwargs()["problem_type"] == "multi_label_classification"
    assert number.model_kwargs()["num_labels"] == 1
    assert number.primary_metric == "mse"


def test_ratings_can_be_learnt_as_numbers(tokenizer: Any, config: Any) -> None:
    data = rows([0, 1, 2, 1], ClassLabel(names=["1", "2", "5"]))
    task = build_task(TrainConfig(problem_type="regression"), data).for_model(config, tokenizer)
    assert batch_of(task, data, tokenizer)["labels"].tolist() == [1.0, 2.0, 5.0, 2.0]


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"problem_type": "regression"}, "not regression"),
        ({"problem_type": "multi_label_classification"}, "not multi_label"),
        ({"task": "text-clasification"}, "did you mean text-classification"),
    ],
)
def test_what_the_labels_cannot_be_is_refused(knobs: dict[str, Any], said: str) -> None:
    with pytest.raises(HfkitError, match=said):
        build_task(TrainConfig(**knobs), rows([0, 1, 0, 1], BINARY))


def test_knobs_that_need_classes_are_refused_for_numbers() -> None:
    data = rows([0.5, 1, 2, 3], Value("float32"))
    with pytest.raises(HfkitError, match="Class weights need classes"):
        build_task(TrainConfig(class_weights="balanced"), data)
    with pytest.raises(HfkitError, match="Label smoothing"):
        build_task(TrainConfig(label_smoothing_factor=0.1), data)
    with pytest.raises(HfkitError, match="has a loss of its own"):
        build_task(TrainConfig(regression_loss="mae"), rows([0, 1, 0, 1], BINARY))


def test_labels_follow_the_model_by_name(tokenizer: Any, config: Any) -> None:
    config.id2label, config.label2id = {0: "POS", 1: "Neg"}, {"POS": 0, "Neg": 1}
    data = rows([0, 0, 0, 1], BINARY)
    task = build_task(TrainConfig(class_weights="balanced"), data)
    assert task.settings()["class_weights"] == pytest.approx([4 / 6, 2.0])
    fitted = task.for_model(config, tokenizer)
    assert fitted.settings()["labels"] == ["pos", "neg"]
    assert fitted.settings()["class_weights"] == pytest.approx([2.0, 4 / 6])
    assert batch_of(fitted, data, tokenizer)["labels"].tolist() == [1, 1, 1, 0]


def test_a_label_the_model_does_not_know_is_refused(tokenizer: Any, config: Any) -> None:
    task = build_task(TrainConfig(), rows([0, 1, 0, 1], BINARY)).for_model(config, tokenizer)
    strange = rows([0, 1, 2, 1], ClassLabel(names=["neg", "pos", "meh"]))["train"]
    with pytest.raises(HfkitError, match="does not know: meh"):
        task.encode(strange, tokenizer)


def test_settings_are_json_and_come_back() -> None:
    task = build_task(TrainConfig(max_length=16, class_weights="balanced"), rows([0, 0, 0, 1], BINARY))
    assert TextClassification.from_settings(json.loads(json.dumps(task.settings()))) == task


# --- what is read of a long text ---


def encoded_texts(task: TextClassification, data: DatasetDict, tokenizer: Any) -> list[Any]:
    return list(task.encode(data["train"], tokenizer)["input_ids"])


@pytest.mark.parametrize(("long_text", "side"), [("head", "right"), ("tail", "left")])
def test_head_and_tail_are_the_tokenizers_own(long_text: Any, side: str, tiny_bert: Path, config: Any) -> None:
    mine, plain = (AutoTokenizer.from_pretrained(tiny_bert) for _ in range(2))
    data = rows([0, 1, 0, 1], BINARY)
    task = build_task(TrainConfig(max_length=16, long_text=long_text), data).for_model(config, mine)
    plain.truncation_side = side
    assert encoded_texts(task, data, mine) == plain(TEXTS, truncation=True, max_length=16)["input_ids"]
    # What is saved with the model cuts the same way in plain transformers.
    assert (mine.truncation_side, mine.model_max_length) == (side, 16)
    assert mine(TEXTS, truncation=True)["input_ids"] == plain(TEXTS, truncation=True, max_length=16)["input_ids"]


def test_head_tail_keeps_a_quarter_and_three_quarters(tokenizer: Any, config: Any) -> None:
    whole = tokenizer(LONG)["input_ids"]
    data = rows([0, 1, 0, 1], BINARY)
    task = build_task(TrainConfig(max_length=18, long_text="head_tail"), data).for_model(config, tokenizer)
    kept = encoded_texts(task, data, tokenizer)[1]
    assert kept == [*whole[:5], *whole[-13:]]  # [CLS] + 4 of 16, 12 of 16 + [SEP]


def test_of_a_pair_the_longer_text_is_shortened_first(tokenizer: Any, config: Any) -> None:
    short = "boring clumsy cold"
    data = rows([0, 1, 0, 1], BINARY, pairs=[LONG, short, LONG, short])
    for long_text in ("head", "tail", "head_tail"):
        task = build_task(TrainConfig(max_length=24, long_text=long_text), data).for_model(config, tokenizer)
        encoded = task.encode(data["train"], tokenizer)
        assert encoded["length"][:] == [24, 24, 24, len(encoded["input_ids"][3])]
        shorts = tokenizer(short, add_special_tokens=False)["input_ids"]
        assert encoded["input_ids"][1][-len(shorts) - 1 : -1] == shorts
        assert sum(encoded["token_type_ids"][1]) == len(shorts) + 1
    head = tokenizer([LONG], [LONG], truncation=True, max_length=24)
    both = rows([0, 1, 0, 1], BINARY, pairs=[LONG] * 4)
    task = build_task(TrainConfig(max_length=24, long_text="head_tail"), both).for_model(config, tokenizer)
    assert task.encode(both["train"], tokenizer)["token_type_ids"][1] == head["token_type_ids"][0]


def test_windows_read_everything_and_share_the_stride(tokenizer: Any, config: Any) -> None:
    data = rows([0, 1, 0, 1], BINARY)
    knobs = TrainConfig(max_length=16, long_text="windows", stride=4)
    task = build_task(knobs, data).for_model(config, tokenizer)
    windows = encoded_texts(task, data, tokenizer)[1]
    assert all(len(window) <= 16 and window[0] == 2 and window[-1] == 3 for window in windows)
    text = list(windows[0][1:-1])
    for window in windows[1:]:
        assert window[1:5] == text[-4:]
        text += window[5:-1]
    assert text == tokenizer(LONG)["input_ids"][1:-1]
    encoded = task.encode(data["train"], tokenizer)
    assert encoded["length"][1] == sum(map(len, windows))
    assert task.truncation(encoded)["rows"] == 0


def test_truncated_texts_are_counted(tokenizer: Any, config: Any) -> None:
    data = rows([0, 1, 0, 1], BINARY)
    for long_text in ("head", "tail", "head_tail"):
        task = build_task(TrainConfig(max_length=10, long_text=long_text), data).for_model(config, tokenizer)
        found = task.truncation(task.encode(data["train"], tokenizer))
        longer = sum(len(ids) > 10 for ids in tokenizer(TEXTS)["input_ids"])
        assert found == {"rows": longer, "share": longer / 4, "max_length": 10, "long_text": long_text}


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"max_length": 65}, "at most 64 tokens"),
        ({"max_length": 2}, "No text fits"),
        ({"max_length": 16, "long_text": "windows", "stride": 14}, "cannot share 14"),
    ],
)
def test_limits_are_checked(knobs: dict[str, Any], said: str, tokenizer: Any, config: Any) -> None:
    with pytest.raises(HfkitError, match=said):
        build_task(TrainConfig(**knobs), rows([0, 1, 0, 1], BINARY)).for_model(config, tokenizer)


def test_windows_are_for_single_texts() -> None:
    with pytest.raises(HfkitError, match="these rows are pairs"):
        build_task(TrainConfig(long_text="windows"), rows([0, 1], BINARY, pairs=["a", "b"]))


def test_the_default_length_is_the_models(tokenizer: Any, config: Any) -> None:
    task = build_task(TrainConfig(), rows([0, 1, 0, 1], BINARY)).for_model(config, tokenizer)
    assert task.settings()["max_length"] == 64
    reading = {"max_length": 64, "long_text": "head", "stride": 128, "padding": "right"}
    assert config.hfkit == {"task": "text-classification", **reading}


def test_roberta_reads_fewer_tokens_than_it_has_positions() -> None:
    assert positions_of(RobertaConfig(max_position_embeddings=514, pad_token_id=1)) == 512


def test_an_empty_text_of_a_tokenizer_without_special_tokens(tiny_bert: Path) -> None:
    from tokenizers import processors

    plain = AutoTokenizer.from_pretrained(tiny_bert)
    plain.backend_tokenizer.post_processor = processors.Sequence([])
    for long_text in ("head", "head_tail", "windows"):
        task = TextClassification(["a", "b"], max_length=8, long_text=long_text, stride=2)
        found = task.truncated.encode(plain, ["", "warm"])
        assert found["length"][0] == 1
        assert task.collate([{"input_ids": ids} for ids in found["input_ids"]])["attention_mask"].sum(1).min() == 1


# --- the loss ---


def test_a_text_in_windows_gets_the_mean_of_their_logits(tiny_bert: Path, tokenizer: Any, config: Any) -> None:
    data = rows([0, 1, 0, 1], BINARY)
    knobs = TrainConfig(max_length=16, long_text="windows", stride=4)
    task = build_task(knobs, data).for_model(config, tokenizer)
    model = model_of(tiny_bert, task)
    batch = batch_of(task, data, tokenizer)
    windows = task.encode(data["train"], tokenizer)["input_ids"][1]
    with torch.no_grad():
        together = task.logits(model, batch)[1]
        alone = torch.cat([model(input_ids=torch.tensor([window])).logits for window in windows]).mean(dim=0)
    assert len(windows) > 2
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("weights", ["none", "balanced"])
def test_the_loss_of_parts_is_the_loss_of_the_whole(weights: Any, tiny_bert: Path, tokenizer: Any, config: Any) -> None:
    data = rows([0, 1, 1, 1], BINARY)
    knobs = TrainConfig(class_weights=weights, label_smoothing_factor=0.1)
    task = build_task(knobs, data).for_model(config, tokenizer)
    model = model_of(tiny_bert, task)
    for module in model.modules():  # training switches smoothing on; the comparison needs dropout off
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    model.train()
    encoded = task.encode(data["train"], tokenizer)
    whole = task.collate([encoded[row] for row in range(4)])
    summed = weight = 0.0
    for part in ([0, 1, 2], [3]):
        batch = task.collate([encoded[row] for row in part])
        summed += task.loss_and_predictions(model, batch)[0].item()
        weight += task.weight(batch)
    by_class = torch.tensor(task.settings()["class_weights"]) if weights == "balanced" else None
    with torch.no_grad():
        logits = task.logits(model, whole)
    expected = F.cross_entropy(logits, whole["labels"], weight=by_class, label_smoothing=0.1)
    assert summed / weight == pytest.approx(float(expected), abs=1e-5)
    rows_loss = task.loss_and_predictions(model, whole)[1]["loss"]
    torch.testing.assert_close(rows_loss, F.cross_entropy(logits, whole["labels"], reduction="none"))
    model.eval()
    unsmoothed = task.loss_and_predictions(model, whole)[0] / task.weight(whole)
    torch.testing.assert_close(unsmoothed, F.cross_entropy(logits, whole["labels"], weight=by_class))


def test_several_labels(tiny_bert: Path, tokenizer: Any, config: Any) -> None:
    data = rows([[0], [], [0, 1], [2]], List(ClassLabel(names=["a", "b", "c"])))
    task = build_task(TrainConfig(), data).for_model(config, tokenizer)
    model, batch = model_of(tiny_bert, task), batch_of(task, data, tokenizer)
    assert batch["labels"].tolist() == [[1, 0, 0], [0, 0, 0], [1, 1, 0], [0, 0, 1]]
    loss, said = task.loss_and_predictions(model, batch)
    expected = model(**{key: batch[key] for key in ("input_ids", "attention_mask")}, labels=batch["labels"]).loss
    assert float(loss) / task.weight(batch) == pytest.approx(float(expected), abs=1e-5)
    assert said["prediction"].shape == said["probabilities"].shape == (4, 3)
    assert ((said["probabilities"] >= 0.5) == said["prediction"].bool()).all()


@pytest.mark.parametrize("learnt", ["mse", "mae"])
def test_a_number(learnt: Any, tiny_bert: Path, tokenizer: Any, config: Any) -> None:
    data = rows([0.5, 1, 2, 3], Value("float32"))
    task = build_task(TrainConfig(regression_loss=learnt), data).for_model(config, tokenizer)
    model, batch = model_of(tiny_bert, task), batch_of(task, data, tokenizer)
    loss, said = task.loss_and_predictions(model, batch)
    assert set(said) == {"prediction", "loss"}
    off = (said["prediction"] - batch["labels"]).abs()
    assert float(loss) / 4 == pytest.approx(float(off.mean() if learnt == "mae" else (off**2).mean()))
    figures = looked_at(task, {"label": batch["labels"].numpy(), **{k: v.numpy() for k, v in said.items()}})
    assert figures[learnt] == pytest.approx(figures["loss"], rel=1e-5)
    assert abs(figures["mse"] - figures["mae"]) > 0.01
    assert TextClassification.from_settings(task.settings()).regression_loss == learnt


def test_the_loss_is_float32_under_bf16(tiny_bert: Path, tokenizer: Any, config: Any) -> None:
    data = rows([0, 1, 0, 1], BINARY)
    task = build_task(TrainConfig(), data).for_model(config, tokenizer)
    model, batch = model_of(tiny_bert, task), batch_of(task, data, tokenizer)
    with torch.autocast("cpu", torch.bfloat16):
        loss, said = task.loss_and_predictions(model, batch)
    assert loss.dtype == said["probabilities"].dtype == said["loss"].dtype == torch.float32
    figures = looked_at(task, {"label": batch["labels"].numpy(), **{k: v.numpy() for k, v in said.items()}})
    assert 0 <= figures["accuracy"] <= 1
    assert figures["loss"] > 0


@pytest.mark.pain("gpt2-pad")
def test_a_model_without_padding_token_pads_with_its_end(tiny_bert: Path) -> None:
    from transformers import GPT2Config, GPT2ForSequenceClassification

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    tokenizer.pad_token, tokenizer.eos_token = None, "[SEP]"
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=1, n_head=2, n_positions=64, eos_token_id=3)
    data = rows([0, 1, 0, 1], BINARY)
    task = build_task(TrainConfig(max_length=16), data).for_model(config, tokenizer)
    model = GPT2ForSequenceClassification(config).eval()
    batch = batch_of(task, data, tokenizer)
    with torch.no_grad():
        alone = model(input_ids=batch["input_ids"][:1, : int(batch["attention_mask"][0].sum())]).logits
        torch.testing.assert_close(task.logits(model, batch)[:1], alone, atol=1e-5, rtol=0)


def test_names_of_tasks_need_no_torch() -> None:
    code = "import sys, hfkit.tasks; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
