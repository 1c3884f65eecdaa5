"""QLoRA on the CPU: a base of four bits learns through its adapter, goes on after a kill, and merges."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from bitsandbytes.nn import Linear4bit
from language_files import tiny_model
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, BertConfig, BertForMaskedLM, BertModel, GPT2Config

import hfkit
from hfkit import HfkitError, TrainConfig
from hfkit.models.adapting import four_bit
from hfkit.models.adapting.adapters import merge
from hfkit.models.loading import load_model
from hfkit.report.page import overview
from hfkit.runs.run import Run
from hfkit.training import checkpoint
from hfkit.training.engine import Engine

TEXTS = [f"the film of the {name} was warm and long and {name} again" for name in ("bear", "moon", "sea", "road")] * 9
NF4_HALF_STEP = 0.16
"""Half of the widest gap between two of NF4's sixteen values, which go from -1 to 1 (0.152), and what rounding their
scale to a byte adds."""


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(request.param, tmp_path_factory.mktemp(request.param), TEXTS, vocab_size=300, width=64)


def settings(model: Path, **changes: Any) -> TrainConfig:
    known: dict[str, Any] = {"task": "text-generation", "dataset": "texts.csv", "max_length": 24, "logging_steps": 1}
    known |= {"lora": True, "load_in_4bit": True, "learning_rate": 0.02, "max_steps": 6, "mixed_precision": "no"}
    known |= {"eval_strategy": "steps", "eval_steps": 2, "save_strategy": "steps", "save_steps": 2}
    return TrainConfig(model=str(model), disable_tqdm=True, use_cpu=True, **known | changes)


def built(config: TrainConfig) -> tuple[Any, ...]:
    Path("texts.csv").write_text("text\n" + "".join(f"{number} {text}\n" for number, text in enumerate(TEXTS)))
    data = hfkit.load_data(config)
    task = hfkit.build_task(config, data)
    return task, *hfkit.build_model(config, task, data), data


def quantised(model: nn.Module) -> dict[str, Any]:
    return {name: module for name, module in model.named_modules() if isinstance(module, Linear4bit)}


def test_the_base_has_four_bits_and_the_adapter_learns_also_after_a_look(base: Path) -> None:
    _, model, _, _ = built(settings(base))
    whole = AutoModelForCausalLM.from_pretrained(base)
    layers = quantised(model.get_base_model())
    assert layers
    for name, layer in layers.items():
        weight = layer.weight
        assert weight.dtype == torch.uint8 and weight.quant_state.quant_type == "nf4" and weight.quant_state.nested
        wanted = whole.get_submodule(name.removesuffix(".base_layer")).weight  # type: ignore[union-attr]
        assert 2 * weight.numel() == wanted.numel() == four_bit.size(weight)
        assert layer.compute_dtype == torch.bfloat16
    plain = AutoModelForCausalLM.from_pretrained(base)
    four_bit.unfold(model.get_base_model(), plain)
    matrices = {f"{layer.removesuffix('.base_layer')}.weight" for layer in layers}
    for name, weight in plain.named_parameters():
        wanted = whole.get_parameter(name)
        if name in matrices:
            assert 0 < (weight - wanted).abs().max() < NF4_HALF_STEP * wanted.abs().max(), name
        else:
            assert torch.equal(weight, wanted), name

    ids = torch.arange(20)[None] % 200
    gradients = []
    for look in (False, True):
        if look:  # in which bitsandbytes would leave weights behind that no gradient passes
            with torch.inference_mode():
                model.eval()(input_ids=ids, use_cache=False)
        model.train()(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        found = {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}
        gradients.append(found)
        model.zero_grad()
    assert gradients[0].keys() == {name for name, value in model.named_parameters() if value.requires_grad}
    assert all("lora_" in name for name in gradients[0])
    for name, gradient in gradients[0].items():
        assert torch.equal(gradient, gradients[1][name])
        assert gradient.abs().sum() > 0 or "lora_A" in name  # which B, still zero, hides


def test_a_run_learns_is_resumed_exactly_and_merged(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = settings(base, output_dir="run")
    task, model, processor, data = built(config)
    run = hfkit.fit(config, task, model, processor, data)
    losses = [line["loss"] for line in run.log() if "loss" in line]
    assert losses[-1] < losses[0]
    learning = sum(value.numel() for value in model.parameters() if value.requires_grad)
    assert run.info["model"]["trainable_parameters"] == learning
    whole = sum(value.numel() for value in AutoModelForCausalLM.from_pretrained(base).parameters())
    assert run.info["model"]["parameters"] == whole + learning
    assert f"{whole + learning:,} parameters, {learning:,} (" in capsys.readouterr().out
    assert overview(run)["changed"]
    assert {path.name for path in run.model_path.iterdir()} >= {"adapter_model.safetensors", "config.json"}
    saved = json.loads((run.model_path / "config.json").read_text())
    assert saved["hfkit"]["load_in_4bit"] is True and "quantization_config" not in saved
    tensors, _ = checkpoint.load(run.path / "checkpoints" / "step-000006")
    assert all("lora_" in name for name in tensors["model"]), list(tensors["model"])

    def killed(self: Engine, *rest: Any) -> None:
        count(self, *rest)
        if self.state.step == 5:
            raise KeyboardInterrupt

    count = Engine._count
    again = settings(base, output_dir="again")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Engine, "_count", killed)
        hfkit.fit(again, *built(again))
    hfkit.fit(again, *built(again))
    assert "resumed at update 4" in capsys.readouterr().out
    for name in ("log.jsonl", "model/adapter_model.safetensors", "predictions.parquet"):
        assert (Path("again") / name).read_bytes() == (run.path / name).read_bytes()

    model, tokenizer = load_model(run.path)
    assert len(quantised(model)) > 0
    folder, difference = merge(run.path)
    assert difference <= 1e-5
    merged = AutoModelForCausalLM.from_pretrained(folder).eval()
    assert not quantised(merged) and "load_in_4bit" not in merged.config.hfkit
    inputs = tokenizer("the film of the moon", return_tensors="pt")
    with torch.inference_mode():
        wanted = model(**inputs).logits
        torch.testing.assert_close(merged(**inputs).logits, wanted, rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))
        base_logits = AutoModelForCausalLM.from_pretrained(base).eval()(**inputs).logits
    assert not torch.allclose(base_logits, wanted, atol=0.1)
    assert Run(run.path).state == "finished"


def write_bert(kind: Any, tiny_bert: Path, folder: Path) -> Path:
    """An encoder of which one layer's rows, of 96 weights, are no whole blocks."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 2, "num_hidden_layers": 2}
    kind(BertConfig(**sizes, vocab_size=len(tokenizer), max_position_embeddings=64)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("pooling", ["model", "mean"])
def test_a_classifier_keeps_its_head_and_what_has_no_whole_blocks(
    tiny_bert: Path, reviews_csv: Path, tmp_path: Path, pooling: str
) -> None:
    csv = {"task": "text-classification", "dataset": str(reviews_csv), "max_steps": 2, "pooling": pooling}
    bert = write_bert(BertModel, tiny_bert, tmp_path / "bert")
    task, model, processor, data = built(settings(bert, **csv))
    layers = {name.removesuffix(".base_layer") for name in quantised(model)}
    assert {name.split(".")[-1] for name in layers} == {"query", "key", "value", "dense"}
    small = [name for name, module in model.named_modules() if getattr(module, "in_features", 0) == 96]
    assert small and not any("classifier" in name or name in small for name in layers)
    run = hfkit.fit(settings(bert, **csv, output_dir="run"), task, model, processor, data)
    assert 0 <= run.metrics["accuracy"]["value"] <= 1
    assert merge(run.path)[1] <= 1e-5


def test_what_cannot_be(tiny_bert: Path, reviews_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hfkit.config.rules import check_idle

    with pytest.raises(HfkitError, match="--load_in_4bit has no effect without --lora"):
        check_idle(settings(tiny_bert, lora=False), TrainConfig(task="text-generation"))
    with pytest.raises(HfkitError, match="no matrix whose rows consist of blocks of 64"):
        four_bit.options(AutoModelForCausalLM, GPT2Config(n_embd=24, n_layer=1, n_head=2))
    headless = write_bert(BertForMaskedLM, tiny_bert, tmp_path / "bert")  # which has no pooler
    with pytest.raises(HfkitError, match=r"lack bert.pooler.*four bits cannot start at random"):
        built(settings(headless, task="text-classification", dataset=str(reviews_csv)))
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(HfkitError, match=r"--load_in_4bit[\s\S]*pip install 'hfkit\[qlora\]'"):
        built(settings(tiny_bert, task="text-classification", dataset=str(reviews_csv)))


def test_nothing_is_fetched_while_bitsandbytes_is_imported(tmp_path: Path) -> None:
    """Where it finds `kernels`, bitsandbytes takes compiled code from the Hub, and runs it; PEFT may import it."""
    (tmp_path / "kernels.py").write_text("def get_kernel(*_, **__): raise SystemExit('fetched')\n")
    code = "import hfkit, peft, bitsandbytes, kernels; print(kernels.get_kernel is not None)"
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
