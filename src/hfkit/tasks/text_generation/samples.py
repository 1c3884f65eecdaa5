"""Samples: what a language model makes of the same few beginnings at every look at the validation split."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from transformers import GenerationConfig, PreTrainedTokenizerBase

from hfkit.base.atomic import write_text, writing
from hfkit.base.sanitize import before_stop
from hfkit.models import sharding
from hfkit.models.inspection import trial
from hfkit.training.callbacks import Callback
from hfkit.training.callbacks.log import append

if TYPE_CHECKING:
    from hfkit.training.engine import Engine

FILE = "samples.jsonl"
DOCUMENTS, BEGINNING = 3, 8
"""Documents of the validation split whose first tokens are continued where no prompts are given."""

HOW = {"do_sample": True, "temperature": 0.8, "top_k": 50, "max_new_tokens": 40}
"""Drawn, because the likeliest token of a young model is the same one again and again."""


class Samples(Callback):
    """samples.jsonl: a line a prompt and look, with `step`, `prompt` and `completion`.

    Drawn with the run's seed, so that only the model changes from look to look, and equal runs have equal samples. Like
    the log it is part of every checkpoint. Sharded weights give no samples: all processes would have to take part.
    `validation` is the split as its batches read it; without `prompts` the beginnings of its documents are continued.
    """

    def __init__(
        self, run: Path, task: Any, tokenizer: PreTrainedTokenizerBase, validation: Dataset, prompts: list[str]
    ) -> None:
        self.path, self.task, self.tokenizer = run / FILE, task, tokenizer
        self.prompts = [self._tokens(text) for text in prompts] or beginnings(validation)

    def on_train_begin(self, engine: "Engine") -> None:
        if engine.accelerator.is_main_process and engine.state.step == 0:
            with writing(self.path):
                self.path.unlink(missing_ok=True)

    def on_evaluate(self, engine: "Engine", figures: dict[str, float]) -> None:
        if not engine.accelerator.is_main_process or sharding.is_sharded(engine.module):
            return
        devices = [engine.accelerator.device] if engine.accelerator.device.type == "cuda" else []
        alone = torch.random.fork_rng(devices)
        with trial(engine.module) as model, alone, torch.no_grad(), engine.accelerator.autocast():
            for ids in self.prompts:
                torch.manual_seed(engine.config.seed)
                prompt, completion = self._sample(model, ids)
                append(self.path, {"step": engine.state.step, "prompt": prompt, "completion": completion})

    def state_dict(self) -> dict[str, Any]:
        return {"lines": self.path.read_text(encoding="utf-8") if self.path.exists() else ""}

    def load_state_dict(self, engine: "Engine", state: dict[str, Any]) -> None:
        if engine.accelerator.is_main_process:
            with writing(self.path):
                self.path.unlink(missing_ok=True)
                if state["lines"]:  # sharded weights give none
                    write_text(self.path, state["lines"])

    def _sample(self, model: Any, ids: list[int]) -> tuple[str, str]:
        context = getattr(model.config, "max_position_embeddings", None)
        new = HOW["max_new_tokens"] if context is None else max(1, min(HOW["max_new_tokens"], context - len(ids)))
        own: Any = model.generation_config
        how = HOW | {"eos_token_id": self.task.end_token_id, "pad_token_id": self.task.pad_token_id}
        how = {name: value for name, value in how.items() if getattr(own, name, None) is None}  # generate adds the own
        config: Any = GenerationConfig(**how | {"do_sample": True, "max_new_tokens": new, "use_cache": True})
        rows = torch.tensor([ids], device=next(model.parameters()).device)
        inputs = {"input_ids": rows, "attention_mask": torch.ones_like(rows)}
        # The tokenizer finds the stop strings that the model's own generation config may have.
        made = model.generate(**inputs, generation_config=config, tokenizer=self.tokenizer)
        prompt, whole = (self.tokenizer.decode(row, skip_special_tokens=True) for row in (ids, made[0].tolist()))
        stops = [own.stop_strings] if isinstance(own.stop_strings, str) else own.stop_strings or []
        return str(prompt), before_stop(str(whole)[len(prompt) :], stops)

    def _tokens(self, text: str) -> list[int]:
        ids = list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        start = self.task.start_token_id
        return ids if start is None else [start, *ids]


def beginnings(validation: Dataset) -> list[list[int]]:
    """The first tokens of the first documents, at most half of each, its start token included."""
    documents = validation["document"][:]
    firsts = [row for row, document in enumerate(documents) if row == 0 or documents[row - 1] != document]
    read = [validation[row]["input_ids"] for row in firsts[:DOCUMENTS]]
    return [ids[: max(1, min(BEGINNING + 1, len(ids) // 2))] for ids in read]
