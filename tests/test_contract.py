"""What every text-classification model promises, whoever wrote it."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from hfkit import build_model, build_task
from hfkit.config import TrainConfig
from hfkit.models.loading import load_model

MODELS: dict[str, dict[str, Any]] = {
    "tiny": {},
    "tiny-pooled": {"pooling": "mean"},
    "tiny-lora": {"lora": True, "lora_r": 4},
    "tiny-pooled-lora": {"lora": True, "lora_r": 4, "pooling": "mean"},
    "lstm": {"model": "baseline:lstm"},
    "bilstm": {"model": "baseline:bilstm"},
    "gru": {"model": "baseline:gru"},
    "rnn": {"model": "baseline:rnn"},
    "transformer": {"model": "baseline:transformer"},
    "minilm": {"model": "demo:minilm"},
    "minilm-pooled": {"model": "demo:minilm", "pooling": "mean"},
}
LABELS = ["neg", "pos"]
TEXTS = ["a warm and wonderful film", "cold", "really a very very long and boring story one two", "funny and moving"]
TARGETS = torch.tensor([1, 0, 0, 1])


@dataclass
class Built:
    """One model of the contract, as built, and the folder it was saved to."""

    name: str
    model: Any
    tokenizer: Any
    folder: Path

    def batch(self, texts: list[str] | None = None) -> Any:
        return self.tokenizer(texts or TEXTS, return_tensors="pt", padding=True)

    def logits(self, texts: list[str] | None = None) -> torch.Tensor:
        with torch.inference_mode():
            return self.model.eval()(**self.batch(texts)).logits


@pytest.fixture(scope="module")
def contract(
    tiny_bert: Path, reviews: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Built]:
    """A model by its name above, built and saved once."""
    features = Features({"text": Value("string"), "label": ClassLabel(names=LABELS)})
    rows = {"text": [text for text, _ in reviews], "label": [LABELS.index(label) for _, label in reviews]}
    data = DatasetDict(train=Dataset.from_dict(rows, features=features))
    made: dict[str, Built] = {}

    def get(name: str) -> Built:
        if name not in made:
            torch.manual_seed(0)
            config = TrainConfig(**{"model": str(tiny_bert), "max_length": 48, "dropout": 0.0, **MODELS[name]})
            model, tokenizer = build_model(config, build_task(config, data), data)
            folder = tmp_path_factory.mktemp(name)
            options = {"save_embedding_layers": False} if config.lora else {}
            model.save_pretrained(folder, **options)
            model.config.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            made[name] = Built(name, model, tokenizer, folder)
        return made[name]

    return get


@pytest.fixture(params=sorted(MODELS))
def built(request: pytest.FixtureRequest, contract: Callable[[str], Built]) -> Built:
    return contract(request.param)


def test_logits_have_a_row_per_text_and_a_column_per_label(built: Built) -> None:
    logits = built.logits()
    assert logits.shape == (len(TEXTS), len(LABELS))
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    assert built.logits([""]).isfinite().all()  # an empty text is still a text
    assert built.model.config.id2label == dict(enumerate(LABELS))


def test_padding_changes_no_answer(built: Built) -> None:
    together = built.logits()
    apart = torch.cat([built.logits([text]) for text in TEXTS])
    torch.testing.assert_close(together, apart, rtol=0, atol=2e-6)


def test_reload_is_bit_equal(built: Built) -> None:
    logits = built.logits()
    torch.manual_seed(99)  # nothing may depend on the generator that built the first one
    if "lora" in built.name:
        again, tokenizer = load_model(built.folder)
    else:
        again = AutoModelForSequenceClassification.from_pretrained(built.folder).eval()
        tokenizer = AutoTokenizer.from_pretrained(built.folder)
    assert type(again) is type(built.model)
    batch = tokenizer(TEXTS, return_tensors="pt", padding=True)
    assert torch.equal(batch["input_ids"], built.batch()["input_ids"])
    with torch.inference_mode():
        assert torch.equal(again(**batch).logits, logits)
    assert again.config.hfkit == built.model.config.hfkit


def test_weights_are_safetensors_and_nothing_is_a_pickle(built: Built) -> None:
    files = {path.name for path in built.folder.iterdir()}
    weights = "adapter_model.safetensors" if "lora" in built.name else "model.safetensors"
    assert weights in files
    assert {Path(name).suffix for name in files} <= {".json", ".safetensors", ".txt", ".md", ".jinja"}
    tensors = load_file(built.folder / weights)
    assert any(name.endswith("classifier.weight") for name in tensors)  # the head is saved too


def test_one_batch_is_learnt_by_heart(built: Built) -> None:
    state = {name: value.clone() for name, value in built.model.state_dict().items()}
    learning = [parameter for parameter in built.model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(learning, lr=1e-3 if "minilm" in built.name else 1e-2)
    batch = built.batch()
    for _ in range(60):
        optimizer.zero_grad()
        output = built.model.train()(**batch, labels=TARGETS)
        output.loss.backward()
        optimizer.step()
        if output.loss < 0.05:
            break
    right = built.logits().argmax(dim=-1).equal(TARGETS)
    built.model.load_state_dict(state)
    assert output.loss < 0.05
    assert right


def test_every_parameter_that_learns_gets_a_gradient(built: Built) -> None:
    built.model.zero_grad()
    built.model.train()(**built.batch(), labels=TARGETS).loss.backward()
    lacking = [name for name, one in built.model.named_parameters() if one.requires_grad and one.grad is None]
    assert lacking == []
    built.model.zero_grad()


def test_plain_transformers_opens_them_once_hfkit_is_imported(contract: Callable[[str], Built]) -> None:
    """One new process for all of them: importing is what takes the time."""
    names = [name for name in sorted(MODELS) if "lora" not in name]
    folders = {name: str(contract(name).folder) for name in names}
    code = f"""
import json, hfkit, transformers
answers = {{}}
for name, folder in {folders!r}.items():
    pipe = transformers.pipeline("text-classification", folder, top_k=None, device="cpu")
    answers[name] = [{{answer["label"]: answer["score"] for answer in row}} for row in pipe({TEXTS!r})]
print("ANSWERS" + json.dumps(answers))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.partition("ANSWERS")[2])
    for name in names:
        expected = contract(name).logits().softmax(dim=-1)
        scores = torch.tensor([[row[label] for label in LABELS] for row in answers[name]])
        torch.testing.assert_close(scores, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["lstm", "transformer", "tiny-pooled"])
def test_transformers_trainer_trains_ours_with_accumulation(
    name: str, contract: Callable[[str], Built], tmp_path: Path
) -> None:
    """A class that seems to scale its own loss would be trained with one that is four times too large."""
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    built = contract(name)
    rows = [{**built.tokenizer(text), "labels": int(label)} for text, label in zip(TEXTS, TARGETS, strict=True)]
    moved = []
    for batch_size, accumulation in ((4, 1), (1, 4)):
        model = AutoModelForSequenceClassification.from_pretrained(built.folder)
        arguments = TrainingArguments(
            output_dir=str(tmp_path),
            per_device_train_batch_size=batch_size,
            gradient_accumulation_steps=accumulation,
            max_steps=1,
            learning_rate=0.1,
            optim="sgd",
            lr_scheduler_type="constant",
            max_grad_norm=0.0,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
        )
        trainer = Trainer(model, arguments, train_dataset=rows, data_collator=DataCollatorWithPadding(built.tokenizer))
        trainer.train()
        moved.append(model.classifier.weight.detach())
    before = AutoModelForSequenceClassification.from_pretrained(built.folder).classifier.weight
    assert not torch.allclose(moved[0], before)
    torch.testing.assert_close(moved[0], moved[1], rtol=0, atol=1e-5)
