"""What every language model promises, whoever wrote it: packing, saving, learning, one engine."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset, DatasetDict
from language_files import SIZES, tiny_model
from safetensors.torch import load_file

from hfkit import build_model, build_task
from hfkit.config import TrainConfig
from hfkit.evaluation.predict import load_batches
from hfkit.models.loading import load_model
from hfkit.training.saving import save_model

SMALL = {"model": "baseline:transformer_lm", "vocab_size": 300, "model_args": json.dumps(SIZES)}
MODELS: dict[str, dict[str, Any]] = {
    "transformer": SMALL,
    "transformer-char": SMALL | {"tokenizer": "char"},
    "lstm": SMALL | {"model": "baseline:lstm_lm", "model_args": '{"embedding_size": 48, "hidden_size": 48}'},
    "gpt2": {},
    "llama": {},
    "gpt2-lora": {"lora": True},
    "llama-dora": {"lora": True, "use_dora": True},
}


@pytest.fixture(scope="module")
def contract(reviews: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Model, tokenizer, task and training rows by the name above, built once, and the folder they are saved in."""
    from accelerate import Accelerator

    rows = Dataset.from_dict({"id": [f"r{row}" for row in range(24)], "text": [text for text, _ in reviews[:24]]})
    made: dict[str, Any] = {}

    def get(name: str) -> Any:
        if name not in made:
            torch.manual_seed(0)
            knobs = {"max_length": 32, "dropout": 0.0, **MODELS[name]}
            kind = name.split("-")[0]
            if kind in ("gpt2", "llama"):
                knobs["model"] = str(tiny_model(kind, tmp_path_factory.mktemp(kind), rows["text"][:]))
                knobs.pop("dropout")
            config = TrainConfig(task="text-generation", **knobs)
            data = DatasetDict(train=rows)
            task: Any = build_task(config, data)
            model, processor = build_model(config, task, data)
            task = task.for_model(model.config, processor)
            folder = tmp_path_factory.mktemp(name) / "model"
            save_model(folder, Accelerator(cpu=True), model, processor)
            made[name] = (model, task, task.encode(rows, processor), folder)
        return made[name]

    return get


@pytest.fixture(params=sorted(MODELS))
def built(request: pytest.FixtureRequest, contract: Callable[[str], Any]) -> Any:
    return contract(request.param)


def summed(task: Any, model: Any, rows: Dataset) -> float:
    """The loss of all tokens of `rows`, in batches of four."""
    from accelerate import Accelerator

    plan = [(None, list(range(at, min(at + 4, len(rows))))) for at in range(0, len(rows), 4)]
    with torch.no_grad():
        batches = load_batches(Accelerator(cpu=True), task, rows, plan, 0)
        return float(sum(task.loss_and_predictions(model.eval(), batch)[0] for batch in batches))


def test_packed_padded_and_evaluated_cost_the_same(built: Any) -> None:
    model, task, encoded, _ = built
    packed, padded = task.to_train(encoded), replace(task, packing=False).to_train(encoded)
    assert len(packed) < len(padded)
    weights = [task.weight(task.collate(rows.to_list())) for rows in (packed, padded)]
    assert weights[0] == weights[1]
    per_token = [summed(task, model, rows) / weights[0] for rows in (packed, padded, task.to_evaluate(encoded))]
    assert per_token == pytest.approx([per_token[0]] * 3, abs=1e-5)


def test_what_is_saved_answers_as_what_was_built(built: Any) -> None:
    model, task, encoded, folder = built
    again, _ = load_model(folder)
    batch = task.collate(task.to_train(encoded).to_list())
    inputs = {name: batch[name] for name in ("input_ids", "position_ids") if name in batch}
    with torch.no_grad():
        logits = [one.eval()(**inputs, use_cache=False).logits for one in (model, again)]
    assert torch.equal(*logits)
    assert again.config.hfkit == {"task": "text-generation", "max_length": 32}
    files = {path.name for path in Path(folder).iterdir()}
    assert {Path(name).suffix for name in files} <= {".json", ".safetensors", ".txt", ".md", ".jinja"}
    if "adapter_model.safetensors" in files:
        assert not [name for name in load_file(folder / "adapter_model.safetensors") if "lora_" not in name]


def test_one_batch_is_learnt_by_heart_and_everything_learns(built: Any) -> None:
    model, task, encoded, _ = built
    state = {name: value.clone() for name, value in model.state_dict().items()}
    learning = {name: one for name, one in model.named_parameters() if one.requires_grad}
    optimizer = torch.optim.Adam(learning.values(), lr=2e-2)
    batch = task.collate(task.to_train(encoded).to_list()[:2])
    first = 0.0
    for _ in range(60):
        optimizer.zero_grad()
        loss = task.loss_and_predictions(model.train(), batch)[0] / task.weight(batch)
        first = first or loss.item()
        loss.backward()
        optimizer.step()
        if loss.item() < 0.5 * first:
            break
    lacking = [name for name, one in learning.items() if one.grad is None]
    model.load_state_dict(state)
    assert lacking == []
    assert loss.item() < 0.5 * first
