"""An adapter's base is read in float32, so the merged model is twice the size of the bfloat16 base that it came from.

Threads: axolotl#1510 ms-swift#841
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tiny_language import write_model
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from hfkit.base.errors import HfkitError
from hfkit.cli import main
from hfkit.models.adapting.adapters import merge
from hfkit.models.loading import load_model

pytestmark = pytest.mark.pain("merged-in-float32")


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """Beside a base in bfloat16, `base`."""
    base = write_model("gpt2", tmp_path / "base")
    AutoModelForCausalLM.from_pretrained(base).to(torch.bfloat16).save_pretrained(base)
    torch.manual_seed(0)
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype="float32")
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn"], init_lora_weights=False))
    model.save_pretrained(tmp_path / "adapter")
    model.config.save_pretrained(tmp_path / "adapter")
    AutoTokenizer.from_pretrained(base).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def weights(folder: Path) -> int:
    return (folder / "model.safetensors").stat().st_size


def test_upstream_doubles_it(adapter: Path, tmp_path: Path) -> None:
    base: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "base", dtype="float32")  # as it was trained
    PeftModel.from_pretrained(base, str(adapter)).merge_and_unload().save_pretrained(tmp_path / "merged")
    assert weights(tmp_path / "merged") > 1.8 * weights(tmp_path / "base")


def test_a_merged_model_has_its_bases_precision(
    adapter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, difference = merge(adapter, tmp_path / "merged")
    assert "weights: bfloat16" in capsys.readouterr().out
    assert weights(folder) < 1.1 * weights(tmp_path / "base")
    assert AutoConfig.from_pretrained(folder).dtype == torch.bfloat16
    assert 1e-5 < difference < 0.05, "what rounding costs is told"
    model, tokenizer = load_model(folder)
    batch = tokenizer("the film", return_tensors="pt")
    wanted = load_model(adapter)[0](**batch).logits
    assert (model(**batch).logits - wanted).abs().max() < 0.05 * wanted.abs().max()


def test_another_precision_can_be_asked_for(adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["merge", str(adapter), "--output", str(tmp_path / "merged"), "--dtype", "float32"])
    assert ended.value.code == 0
    assert weights(tmp_path / "merged") > 1.8 * weights(tmp_path / "base")
    with pytest.raises(HfkitError, match=r"no dtype 'bfloat'[^$]*bfloat16"):
        merge(adapter, tmp_path / "other", "bfloat")
