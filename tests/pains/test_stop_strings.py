"""`stop_strings` in a model's generation config are a traceback wherever nobody hands the tokenizer on.

Threads: transformers#34571
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from tiny_language import write_model
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

from hfkit.inference.generation.generator import TextGenerator
from hfkit.tasks.text_generation.samples import Samples
from hfkit.tasks.text_generation.task import TextGeneration

pytestmark = pytest.mark.pain("stop-strings")


@pytest.fixture(scope="module")
def stopping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_model("gpt2", tmp_path_factory.mktemp("stopping"))
    place = folder / "generation_config.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"stop_strings": ["###", "e"]}))
    return folder


def test_upstream_asks_for_the_tokenizer(stopping: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(stopping)
    model: Any = AutoModelForCausalLM.from_pretrained(stopping)
    with pytest.raises(ValueError, match="could not locate a tokenizer"):
        model.generate(**tokenizer("the film", return_tensors="pt"), max_new_tokens=5)
    with pytest.raises(ValueError, match="could not locate a tokenizer"):
        pipeline("text-generation", str(stopping))("the film", max_new_tokens=5)


def test_hfkit_stops_there(stopping: Path, tmp_path: Path) -> None:
    generator = TextGenerator(stopping)
    ((answer,),) = generator.complete([generator.ids("the film")])
    assert "e" not in answer
    model: Any = generator.model
    task = TextGeneration().for_model(model.config, generator.tokenizer)
    samples = Samples(tmp_path, task, generator.tokenizer, Dataset.from_dict({}), ["the film"])
    lengths = []
    for seed in range(5):  # what is drawn may have no e
        torch.manual_seed(seed)
        _, completion = samples._sample(model, samples.prompts[0])
        assert "e" not in completion
        lengths.append(len(samples._tokens(completion)))
    assert min(lengths) < 20, "the model's own stops hold in training too"
