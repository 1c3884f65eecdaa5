"""LoRA on "all-linear" layers leaves a mixture's experts out without a word: fused, they are parameters and no layers.

Threads: Automodel#1151
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from datasets import Dataset, DatasetDict
from peft import LoraConfig, get_peft_model
from tiny_language import write_model
from transformers import (
    AutoModelForCausalLM,
    GraniteMoeConfig,
    GraniteMoeForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
)

from hfkit import build_model, build_task
from hfkit.base.errors import HfkitError
from hfkit.config import TrainConfig
from hfkit.models.adapting.adapters import merge
from hfkit.models.loading import load_model
from hfkit.training.saving import save_model

pytestmark = pytest.mark.pain("experts-without-adapter")


@pytest.fixture(scope="module")
def mixtral(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_model("gpt2", tmp_path_factory.mktemp("mixtral"))  # for its tokenizer
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_local_experts": 3}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 64, "vocab_size": 400}
    MixtralForCausalLM(MixtralConfig(**sizes, **heads)).save_pretrained(folder)
    return folder


def learning(model: Any) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def adapted(folder: Path, **knobs: Any) -> tuple[Any, Any]:
    data = DatasetDict(train=Dataset.from_dict({"id": ["a"], "text": ["the film"]}))
    config = TrainConfig(task="text-generation", model=str(folder), lora=True, **knobs)
    return build_model(config, build_task(config, data), data)


def test_upstream_adapts_the_attention_alone() -> None:
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
    model: Any = GraniteMoeForCausalLM(GraniteMoeConfig(**sizes, num_key_value_heads=2, num_local_experts=3))
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear"))
    assert learning(model)
    assert not any("experts" in name for name in learning(model))


@pytest.mark.parametrize("target", ["all-linear", "gate_up_proj", "*.experts.*"])
def test_experts_learn_and_come_back(mixtral: Path, tmp_path: Path, target: str) -> None:
    model, tokenizer = adapted(mixtral, lora_target_modules=[target])
    assert sum("experts" in name for name in learning(model)) == (4 if target == "gate_up_proj" else 8)
    assert any("q_proj" in name for name in learning(model)) == (target == "all-linear")
    batch = tokenizer(["the film was warm"], return_tensors="pt")
    model.train()
    for parameter in (parameter for parameter in model.parameters() if parameter.requires_grad):
        torch.nn.init.normal_(parameter, std=0.1)
    model(**batch, labels=batch["input_ids"]).loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters() if parameter.requires_grad)
    with torch.no_grad():
        wanted = model.eval()(**batch).logits
        save_model(tmp_path / "model", Accelerator(cpu=True), model, tokenizer)
        torch.testing.assert_close(load_model(tmp_path / "model")[0](**batch).logits, wanted)
        merge(tmp_path / "model", tmp_path / "merged")
        plain: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
        torch.testing.assert_close(plain(**batch).logits, wanted, rtol=0, atol=1e-5)


def test_what_is_left_out_is_said(mixtral: Path, capsys: pytest.CaptureFixture[str]) -> None:
    adapted(mixtral)
    assert "LoRA: 4 parameters that hold fused experts get no adapter; they would with" in capsys.readouterr().out
    model, _ = adapted(mixtral, lora_target_modules=["all-linear"], lora_dropout=0.1)
    assert "4 parameters that hold fused experts get no adapter; they would without" in capsys.readouterr().out
    assert not any("experts" in name for name in learning(model))
    with pytest.raises(HfkitError, match="without --lora_dropout"):
        adapted(mixtral, lora_target_modules=["gate_up_proj"], use_dora=True)
