"""A published generation config (Llama 2's temperature without `do_sample`) makes the first save fail, after an epoch.

Threads: transformers#29988 LLaMA-Factory#2767
"""

import json
from pathlib import Path
from typing import Any

import pytest
from accelerate import Accelerator
from datasets import Dataset, DatasetDict
from tiny_language import write_model
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from hfkit import build_model, build_task
from hfkit.base.errors import HfkitError
from hfkit.config import TrainConfig
from hfkit.training.saving import prove_savable

pytestmark = pytest.mark.pain("generation-config-unsavable")


def written(folder: Path, own: dict[str, Any]) -> Path:
    write_model("gpt2", folder)
    place = folder / "generation_config.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | own))
    return folder


def built(folder: Path) -> tuple[Any, Any]:
    data = DatasetDict(train=Dataset.from_dict({"id": ["a"], "text": ["the film"]}))
    config = TrainConfig(task="text-generation", model=str(folder))
    return build_model(config, build_task(config, data), data)


def test_upstream_cannot_save_what_it_has_read(tmp_path: Path) -> None:
    folder = written(tmp_path / "base", {"temperature": 0.9, "top_p": 0.6})
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    model.generation_config.pad_token_id = AutoTokenizer.from_pretrained(folder).eos_token_id  # as trainers do
    with pytest.raises(ValueError, match="GenerationConfig is invalid"):
        model.save_pretrained(tmp_path / "trained")


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"temperature": 0.9, "top_p": 0.6}, "temperature 0.9, top_p 0.6"),
        ({"early_stopping": True, "length_penalty": 2.0}, "early_stopping True, length_penalty 2.0"),
        ({"output_scores": True, "do_sample": True, "temperature": 0.9}, "output_scores True"),
        ({"do_sample": True, "temperature": 0.9}, None),
    ],
    ids=["llama2", "beams", "outputs", "sound"],
)
def test_what_has_no_effect_is_left_out_and_said(
    tmp_path: Path, own: dict[str, Any], told: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    model, tokenizer = built(written(tmp_path / "base", own))
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("generation config: ")]
    assert [line.rpartition("saved: ")[2] for line in said] == ([told] if told else [])
    prove_savable(tmp_path / "model", Accelerator(cpu=True), model, tokenizer)
    model.save_pretrained(tmp_path / "model")
    saved = GenerationConfig.from_pretrained(tmp_path / "model")
    assert saved.do_sample is own.get("do_sample", False)
    assert saved.temperature == (0.9 if saved.do_sample else None)


def test_what_cannot_work_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(HfkitError, match="num_return_sequences"):
        built(written(tmp_path / "base", {"num_return_sequences": 3}))


def test_what_cannot_be_saved_is_told_before_the_first_update(tmp_path: Path) -> None:
    model, tokenizer = built(written(tmp_path / "base", {}))
    model.generation_config.temperature = 0.5  # as a caller of `fit` may bring it along
    with pytest.raises(HfkitError, match="the GenerationConfig cannot be: GenerationConfig is invalid"):
        prove_savable(tmp_path / "run/model", Accelerator(cpu=True), model, tokenizer)
    assert list((tmp_path / "run").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(HfkitError, match="cannot be written"):
        prove_savable(tmp_path / "file/model", Accelerator(cpu=True), model, tokenizer)
