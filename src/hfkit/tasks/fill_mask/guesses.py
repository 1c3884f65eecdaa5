"""Guesses: what a masked language model says of the hidden words of a few test texts, for the report."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from hfkit.base.atomic import write_json, writing
from hfkit.data.text.windows import IGNORED
from hfkit.tasks.fill_mask.task import FillMask
from hfkit.tasks.fill_mask.words import text_of, words_of

FILE = "guesses.json"
TEXTS = 8  # texts that are shown, spread evenly over the split
LONGEST = 1200  # characters of a text that are kept


def keep(
    folder: Path,
    task: FillMask,
    tokenizer: PreTrainedTokenizerBase,
    model: torch.nn.Module,
    rows: Dataset,
    encoded: Dataset,
) -> None:
    """Write guesses.json: of each text `id` and `parts`, each its `text` and, where it was hidden, the `guess` in its
    place and the `nats` that the text itself took."""
    there = [row for row, sizes in enumerate(encoded["sizes"][:]) if sizes]
    chosen = [there[at] for at in np.unique(np.linspace(0, len(there) - 1, min(TEXTS, len(there))).astype(int))]
    found = []
    for row in chosen:
        # All of the split is cut anew: which words are hidden depends on the text's place in it.
        guesses = _guesses(task, tokenizer, model, encoded, row)
        text = text_of(rows[row])
        found.append({"id": encoded[row]["id"], "parts": _parts(text[:LONGEST], guesses), "more": len(text) > LONGEST})
    with writing(folder):
        write_json(folder / FILE, found)


def _guesses(
    task: FillMask, tokenizer: PreTrainedTokenizerBase, model: torch.nn.Module, encoded: Dataset, row: int
) -> dict[int, tuple[str, float]]:
    """Of each hidden word of a text its number, what the model says in its place, and what the word itself took."""
    windows = task.asked(encoded.select([row]), first=row)
    device = next(model.parameters()).device
    found: dict[int, tuple[str, float]] = {}
    for window in range(len(windows)):
        words = windows[window]["hidden"]
        batch = task.collate(task.read(windows, [window], None))
        with torch.inference_mode():
            logits = task.logits(model.eval(), {name: value.to(device) for name, value in batch.items()}).cpu()
        kept = batch["targets"] != IGNORED
        of = batch["group"][kept]
        nats = torch.nn.functional.cross_entropy(logits, batch["targets"][kept], reduction="none")
        for number, word in enumerate(words):
            said = str(tokenizer.decode(logits[of == number].argmax(dim=-1).tolist())).strip()
            found[word] = said, round(float(nats[of == number].sum()), 4)
    return found


def _parts(text: str, guesses: dict[int, tuple[str, float]]) -> list[dict[str, Any]]:
    """The text cut at its hidden words."""
    parts: list[dict[str, Any]] = []
    done = 0
    for number, (begin, end) in enumerate(words_of(text)):
        if number in guesses:
            parts += [{"text": text[done:begin]}] if done < begin else []
            guess, nats = guesses[number]
            parts.append({"text": text[begin:end], "guess": guess, "nats": nats})
            done = end
    return [*parts, *([{"text": text[done:]}] if done < len(text) else [])]
