"""Adapters: merged for good with the same logits, and several of them on one base."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_language import write_model
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, pipeline

import hfkit
from hfkit.base.errors import HfkitError
from hfkit.cli import main
from hfkit.models.adapting import adapters
from hfkit.models.adapting.adapters import merge
from hfkit.models.loading import load_model


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model("gpt2", tmp_path_factory.mktemp("gpt2"))


def adapter(base: Path, folder: Path, seed: int = 0, **settings: Any) -> Path:
    """An adapter of a language model that changes its answers, saved as a run saves it."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base)
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn"], r=4, **settings))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    model.config.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return folder


def logits(model: Any, text: str = "the film was warm") -> torch.Tensor:
    with torch.inference_mode():
        return model[0](**model[1](text, return_tensors="pt")).logits


@pytest.mark.parametrize("settings", [{}, {"use_dora": True}, {"use_rslora": True}], ids=["lora", "dora", "rslora"])
def test_a_merged_language_model_has_the_adapters_logits(gpt2: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    wanted = logits(load_model(adapter(gpt2, tmp_path / "adapter", **settings)))
    assert not torch.allclose(wanted, logits(load_model(gpt2)), atol=0.1)
    folder, difference = merge(tmp_path / "adapter", tmp_path / "merged")
    plain = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert type(plain[0]).__name__ == "GPT2LMHeadModel"
    torch.testing.assert_close(logits(plain), wanted, rtol=1e-5, atol=1e-5)
    assert difference <= 1e-5
    ours = hfkit.pipeline(tmp_path / "adapter")("the film", max_new_tokens=12)
    assert pipeline("text-generation", str(folder), do_sample=False)("the film", max_new_tokens=12) == ours
    assert not (folder / "adapter_config.json").exists()


@pytest.mark.pain("lora-head-lost")
def test_a_merged_classifier_keeps_its_head_and_labels(
    tiny_bert: Path, reviews_csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = f"--dataset {reviews_csv} --model {tiny_bert} --lora --max_steps 8 --learning_rate 0.02 --max_length 32"
    for argv, status in (
        (["train", *flags.split(), "--output_dir", "run", "--mixed_precision", "no", "--disable_tqdm"], 0),
        (["merge", "run"], 0),
        (["merge", "run"], 1),
    ):
        with pytest.raises(SystemExit) as ended:
            main(argv)
        assert ended.value.code == status
    said = capsys.readouterr()
    assert "run/merged: a plain model, whose logits are the adapter's" in said.out
    assert "run/merged is there already" in said.err
    merged = AutoModelForSequenceClassification.from_pretrained("run/merged").eval()
    tokenizer = AutoTokenizer.from_pretrained("run/merged")
    torch.testing.assert_close(logits((merged, tokenizer)), logits(load_model("run")), rtol=0.0, atol=1e-5)
    assert merged.config.id2label == {0: "neg", 1: "pos"}
    texts = ["a warm film", "a cold film"]
    assert hfkit.pipeline("run/merged")(texts) == hfkit.pipeline("run")(texts)


def test_what_cannot_be_merged(gpt2: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HfkitError, match="has no adapter: its model is whole already"):
        merge(tiny_run)
    shutil.copytree(tiny_run, tmp_path / "stopped")
    facts = json.loads((tmp_path / "stopped/run.json").read_text())
    (tmp_path / "stopped/run.json").write_text(json.dumps(facts | {"state": "stopped"}))
    with pytest.raises(HfkitError, match="is stopped"):
        merge(tmp_path / "stopped")
    monkeypatch.setattr(adapters, "CLOSE", -1.0)  # as if nothing were close enough
    with pytest.raises(HfkitError, match="logits differ from the adapter's"):
        merge(adapter(gpt2, tmp_path / "adapter"), tmp_path / "merged")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter", "stopped"]


def test_several_adapters_answer_on_one_base(gpt2: Path, tmp_path: Path) -> None:
    folders = [adapter(gpt2, tmp_path / name, seed) for seed, name in enumerate(("first", "second"))]
    wanted = [logits(load_model(folder)) for folder in folders]
    model, tokenizer = load_model(folders[0])
    model.load_adapter(folders[1], adapter_name="second")
    assert torch.equal(logits((model, tokenizer)), wanted[0])
    model.set_adapter("second")
    assert torch.equal(logits((model, tokenizer)), wanted[1])
    model.set_adapter("default")
    assert torch.equal(logits((model, tokenizer)), wanted[0])
    assert not torch.allclose(*wanted, atol=0.1)
    with model.disable_adapter():
        assert torch.equal(logits((model, tokenizer)), logits(load_model(gpt2)))
    alone = sum(parameter.numel() for parameter in load_model(gpt2)[0].parameters())
    assert sum(parameter.numel() for parameter in model.parameters()) < 1.2 * alone
