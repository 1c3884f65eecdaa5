"""Rewriter: texts, as tokens -> the texts that an encoder-decoder model writes, in batches that change no answer."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import GenerationConfig

from hfkit.data.text.truncation import positions_of
from hfkit.data.text.windows import padded
from hfkit.inference.generation.sampling import batches, for_generate, up_to_end
from hfkit.models.loading import quiet

TOKENS_CPU, TOKENS = 4096, 65536  # tokens in a batch, source, padding and what is written together, once for each beam


class Written(NamedTuple):
    """A text, its tokens, and whether it came to its end, or was cut off by `max_new_tokens`."""

    text: str
    tokens: int
    ended: bool


class Rewriter:
    """Writes with an encoder-decoder model.

    Greedy texts and those of beams are `generate`'s of transformers. Where tokens are drawn, a text depends on its seed
    alone; a batch changes none. The model, perhaps with an adapter, is ready to answer; `config` is as
    `sampling.settle` gives it."""

    def __init__(
        self, model: Any, tokenizer: Any, config: GenerationConfig, tokens_per_batch: int | None = None
    ) -> None:
        self.model, self.tokenizer, self.config = model, tokenizer, config
        self.device = next(model.parameters()).device
        self.tokens_per_batch = tokens_per_batch or (TOKENS_CPU if self.device.type == "cpu" else TOKENS)
        wanted: Any = config.max_new_tokens
        positions = positions_of(model.config)  # the first one has the token that begins a text
        self.new = int(wanted if positions is None else min(wanted, positions - 1))

    def write(self, sources: Sequence[list[int]], seeds: Sequence[int], most: int | None = None) -> list[list[Written]]:
        """What is made of each source, token ids with their special tokens: `num_return_sequences` texts.

        `seeds` are what is drawn from, one a source; `most` is how many sources a batch may have."""
        found: list[list[Written]] = [[]] * len(sources)
        for places in batches(sources, lambda source: self.new, self.config, self.tokens_per_batch, most):
            rows = self._batch([sources[place] for place in places], [seeds[place] for place in places])
            for place, texts in zip(places, rows, strict=True):
                found[place] = texts
        return found

    def _batch(self, sources: Sequence[list[int]], seeds: Sequence[int]) -> list[list[Written]]:
        each: Any = self.config.num_return_sequences
        repeats = each if self.config.num_beams == 1 else 1  # beams return theirs together
        rows = [source for source in sources for _ in range(repeats)]
        each_seed = [seed_of(seed, number) for seed in seeds for number in range(repeats)]
        config, processors = for_generate(self.config, self.new, each_seed)
        config.return_dict_in_generate = False  # which a model's own config may ask for
        mask = padded([[1] * len(row) for row in rows], 0).to(self.device)
        batch = {"input_ids": padded(rows, config.pad_token_id).to(self.device), "attention_mask": mask}
        devices = [self.device] if self.device.type == "cuda" else []
        with quiet(), torch.no_grad(), torch.random.fork_rng(devices):
            torch.manual_seed(seed_of(seeds[0], 0))  # for beams that are drawn
            made = self.model.generate(**batch, generation_config=config, logits_processor=processors)
        texts = [self._read(row) for row in made[:, 1:].tolist()]  # without the token that begins each
        return [texts[start : start + each] for start in range(0, len(texts), each)]

    def _read(self, ids: list[int]) -> Written:
        """A row of what was made, up to its end token: what follows in a batch is padding."""
        size = up_to_end(ids, self.config)
        kept = ids[:size]
        forced = getattr(self.config, "forced_eos_token_id", None) is not None and size == self.new - 1
        text = self.tokenizer.decode(kept, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return Written(str(text), len(kept), size is not None and not forced)


def seed_of(*numbers: int) -> int:
    """A seed of these numbers. Neighbouring ones would make neighbouring streams."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
