"""TextGenerator: prompts -> continuations, alone and told as they are made, or in batches that change no answer."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from hfkit.base.errors import HfkitError
from hfkit.base.sanitize import before_stop
from hfkit.config import GenerationArguments
from hfkit.data.text.layouts import Prompt
from hfkit.data.text.windows import padded
from hfkit.inference.generation.prompts import token_ids
from hfkit.inference.generation.rewriter import TOKENS, TOKENS_CPU, seed_of
from hfkit.inference.generation.sampling import Telling, batches, for_generate, said, settle, up_to_end
from hfkit.inference.pipelines import pipeline
from hfkit.models.loading import quiet


class TextGenerator:
    """Continues texts with a language model: a run, a model's folder, an adapter's folder or a Hub id.

    Greedy answers and those of beams are transformers'. Where tokens are drawn, an answer depends on the seed, its
    prompt and its place alone. Of `options` comes the GenerationConfig `config`; `loading` are arguments of
    `hfkit.pipeline`. Raises HfkitError: the model is no language model, or the options cannot work."""

    def __init__(self, model: str | Path, options: GenerationArguments | None = None, **loading: Any) -> None:
        options = options or GenerationArguments()
        said(options)  # wrong numbers are told before anything is read
        loaded = pipeline(model, **loading)
        if not loaded.model.can_generate() or loaded.model.config.is_encoder_decoder:
            raise HfkitError(f"{model} does not continue texts: it is for {loaded.task}", fix="hfkit predict RUN")
        self.name = str(model)
        self.model, self.tokenizer, self.device = loaded.model, loaded.tokenizer, loaded.device
        self.config = settle(options, self.model.generation_config, self.tokenizer)
        self.stops: list[str] = self.config.stop_strings or []
        self.asked = options.max_new_tokens
        self.seed = options.seed
        # Tokens that the model reads, prompt and answer together; None where any number.
        self.context: int | None = getattr(self.model.config, "max_position_embeddings", None)
        self.tokens_per_batch = TOKENS_CPU if self.device.type == "cpu" else TOKENS

    def ids(self, prompt: Prompt, where: str | None = None) -> list[int]:
        """A prompt's tokens. Raises HfkitError: what `token_ids` refuses; the prompt, or it and the tokens asked for,
        are more than the model reads."""
        where = where or "--prompt"
        ids = token_ids(self.tokenizer, prompt, where)
        if self.context is None:
            return ids
        room = self.context - len(ids)
        if room < 1:
            what = f"The prompt has {len(ids):,} tokens, and the model reads {self.context:,} with its answer"
            raise HfkitError(what, where=where, fix="shorten it: what is cut should be your choice")
        if self.asked is not None and self.asked > room:
            has = f"The prompt has {len(ids):,} tokens and --max_new_tokens is {self.asked:,}"
            fix = f"set --max_new_tokens {room} or fewer, or shorten the prompt"
            raise HfkitError(f"{has}; the model reads {self.context:,} in all", where=where, fix=fix)
        return ids

    def complete(self, prompts: Sequence[list[int]], first: int = 0) -> list[list[str]]:
        """The answers to each prompt, tokens from `ids`: `num_return_sequences` texts, without the prompt.

        `first` is the place of the first one among all that are asked, which its draws depend on."""
        answers: list[list[str]] = [[]] * len(prompts)
        for places in batches(prompts, self._new, self.config, self.tokens_per_batch):
            for place, texts in zip(places, self._batch(prompts, places, first), strict=True):
                answers[place] = texts
        return answers

    def tell(self, prompt: list[int], say: Callable[[str], None], place: int = 0, sequence: int = 0) -> str:
        """One answer, of which `say` takes each piece while it is made; beams, which are compared to the end, are one.

        Its draws depend on the `place` of the prompt, tokens from `ids`, and on which `sequence` of several it is."""
        if self.config.num_beams > 1:
            text = self._batch([prompt], [0], place)[0][sequence]
            say(text)
            return text
        telling = Telling(lambda ids: self._text(ids, len(prompt)), say, self.stops)
        self._generate([prompt], [seed_of(self.seed, place, sequence)], telling)
        return telling.said

    def _batch(self, prompts: Sequence[list[int]], places: Sequence[int], first: int) -> list[list[str]]:
        """Answers to the prompts at `places`, in the order of `places`."""
        each = self.config.num_return_sequences
        repeats = each if self.config.num_beams == 1 else 1  # beams return theirs together
        rows = [prompts[place] for place in places for _ in range(repeats)]
        seeds = [seed_of(self.seed, first + place, number) for place in places for number in range(repeats)]
        made = self._generate(rows, seeds)
        width = max(map(len, rows))
        texts = []
        for number, ids in enumerate(made):
            prompt = rows[number // (each // repeats)]
            text = self._text(prompt + self._ended(ids[width:]), len(prompt))
            texts.append(before_stop(text, self.stops))
        return [texts[start : start + each] for start in range(0, len(texts), each)]

    def _generate(
        self, rows: Sequence[list[int]], seeds: Sequence[int], streamer: Telling | None = None
    ) -> list[list[int]]:
        """Prompts padded on the left, their answers behind them."""
        pad: Any = self.config.pad_token_id
        ids = padded(rows, pad, left=True).to(self.device)
        mask = padded([[1] * len(row) for row in rows], 0, left=True).to(self.device)
        config, processors = for_generate(self.config, self._new(rows[0]), seeds)
        with quiet(), torch.inference_mode(), torch.random.fork_rng():
            torch.manual_seed(seeds[0])  # for beams that are drawn
            made = self.model.generate(
                ids,
                attention_mask=mask,
                generation_config=config,
                logits_processor=processors,
                streamer=streamer,
                tokenizer=self.tokenizer,  # by which stop strings are found
            )
        return [row.tolist() for row in made]

    def _new(self, prompt: list[int]) -> int:
        """Tokens to add: what is wanted, or what the context has room for where nobody asked."""
        wanted: Any = self.config.max_new_tokens
        return int(wanted if self.context is None else min(wanted, self.context - len(prompt)))

    def _ended(self, ids: list[int]) -> list[int]:
        """An answer up to its end token, or the one that completes a stop: what follows in a batch is padding."""
        ids = ids[: up_to_end(ids, self.config)]

        def stopped(count: int) -> bool:
            text = str(self.tokenizer.decode(ids[:count], skip_special_tokens=False)).rstrip("\ufffd")
            return any(stop in text for stop in self.stops)

        return ids[: bisect_left(range(len(ids)), True, key=stopped)]

    def _text(self, ids: list[int], prompt: int) -> str:
        """The text of `ids` after the first `prompt` tokens."""
        head, whole = self._decode(ids[:prompt]), self._decode(ids)
        return whole[len(head) :] if whole.startswith(head) else self._decode(ids[prompt:])

    def _decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
