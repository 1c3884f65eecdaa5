"""Decoding: a generation config that can work, tokens drawn the same in any batch, and texts told as they are made."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, PreTrainedTokenizerBase
from transformers.generation.streamers import BaseStreamer

from hfkit.base.errors import HfkitError
from hfkit.base.sanitize import before_stop
from hfkit.config import GenerationArguments
from hfkit.models.inspection import refusing

NEW_TOKENS = 50  # tokens that are added where neither the user nor the model says: two or three sentences

# name: what is refused, and what to give instead.
RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "max_new_tokens": (lambda value: value < 1, "give a number of at least 1"),
    "temperature": (
        lambda value: not 0 < value < math.inf,
        "give a number above 0; for the likeliest token each time leave --do_sample out",
    ),
    "top_k": (lambda value: value < 0, "give a number of tokens; 0 is all of them"),
    "top_p": (lambda value: not 0 < value <= 1, "give a probability above 0 and at most 1"),
    "min_p": (lambda value: not 0 <= value <= 1, "give a share from 0 to 1, such as 0.05; 0 is off"),
    "repetition_penalty": (lambda value: not 0 < value < math.inf, "give a number above 0, such as 1.1; 1 is off"),
    "no_repeat_ngram_size": (lambda value: value < 0, "give a number of tokens; 0 is off"),
    "num_beams": (lambda value: value < 1, "give a number of at least 1; 1 is off"),
    "length_penalty": (lambda value: not math.isfinite(value), "give a number, such as 1.0"),
    "num_return_sequences": (lambda value: value < 1, "give a number of at least 1"),
    "stop": (lambda value: not all(value), "give texts with at least one character"),
    "seed": (lambda value: not 0 <= value < 2**32, "give a whole number from 0 to 4,294,967,295"),
}

# In the order in which transformers applies them; each with the value that leaves everything as it is.
_WARPERS: tuple[tuple[str, type, float], ...] = (
    ("temperature", transformers.TemperatureLogitsWarper, 1.0),
    ("top_k", transformers.TopKLogitsWarper, 0),
    ("top_p", transformers.TopPLogitsWarper, 1.0),
    ("min_p", transformers.MinPLogitsWarper, 0.0),
    ("typical_p", transformers.TypicalLogitsWarper, 1.0),
    ("epsilon_cutoff", transformers.EpsilonLogitsWarper, 0.0),
    ("eta_cutoff", transformers.EtaLogitsWarper, 0.0),
)


def said(options: GenerationArguments) -> dict[str, Any]:
    """What the user says; a number that cannot be is refused."""
    given = {field.name: getattr(options, field.name) for field in fields(options)}
    given = {name: value for name, value in given.items() if value not in (None, [])}
    for name, (wrong, fix) in RULES.items():
        try:
            refused = name in given and wrong(given[name])
        except TypeError:  # a text where a number is wanted
            refused = True
        if refused:
            raise HfkitError(f"--{name} is {given[name]!r}", fix=fix)
    return given


def settle(options: GenerationArguments, own: GenerationConfig, tokenizer: PreTrainedTokenizerBase) -> GenerationConfig:
    """The model's own generation config with what the user says instead. Raises HfkitError: as `said`; a flag without
    effect; more answers than there can be."""
    given = said(options)
    del given["seed"]
    if "stop" in given:
        given["stop_strings"] = given.pop("stop")
    drawn = given.get("do_sample", own.do_sample)
    beams = given.get("num_beams", own.num_beams) or 1
    wanted = given.get("num_return_sequences", own.num_return_sequences) or 1
    for name in ("temperature", "top_k", "top_p", "min_p"):
        if name in given and not drawn:
            raise HfkitError(f"--{name} has no effect without --do_sample", fix=f"add --do_sample, or drop --{name}")
    if wanted > beams and (beams > 1 or not drawn):
        one = "the likeliest tokens give one answer" if beams == 1 else f"{beams} beams give {beams} answers at most"
        fix = f"add --do_sample, or --num_beams {wanted}" if beams == 1 else f"set --num_beams {wanted}"
        raise HfkitError(f"--num_return_sequences is {wanted}, and {one}", fix=fix)
    settled: Any = copy.deepcopy(own)
    with refusing("The model's generation_config.json cannot work", of=ValueError):  # it is looked at only now
        settled.update(**given | {"max_length": None, "num_beams": beams, "num_return_sequences": wanted})
    if isinstance(settled.stop_strings, str):
        settled.stop_strings = [settled.stop_strings]
    settled.max_new_tokens = settled.max_new_tokens or NEW_TOKENS
    if settled.eos_token_id is None:
        settled.eos_token_id = tokenizer.eos_token_id
    ends = settled.eos_token_id
    first = ends[0] if isinstance(ends, list) else ends
    pads = [settled.pad_token_id, tokenizer.pad_token_id, first, 0]
    settled.pad_token_id = next(pad for pad in pads if pad is not None)
    return settled


class Draw(LogitsProcessor):
    """Draws each row's token with a generator of its own, by its seed, so that an answer does not depend on its batch:
    transformers' own sampling takes one stream of numbers for the whole of it.

    The likeliest token after Gumbel noise is one drawn by its probability (Gumbel 1954), hence `do_sample=False`. What
    cuts the choice (temperature, top_k, top_p, ...) is the config's."""

    def __init__(self, config: GenerationConfig, seeds: Sequence[int]) -> None:
        defaults = {"top_k": 50}  # transformers'
        self.warpers = LogitsProcessorList()
        for name, warper, idle in _WARPERS:
            value = getattr(config, name)
            value = defaults.get(name, idle) if value is None else value
            if value != idle:
                self.warpers.append(warper(value))
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """(rows, tokens), (rows, vocabulary) -> (rows, vocabulary)."""
        scores = self.warpers(input_ids, scores.float())  # type: ignore[arg-type]
        drawn = [torch.empty(scores.size(1)).exponential_(generator=one) for one in self.generators]
        noise = torch.stack(drawn).clamp_min(torch.finfo(torch.float32).tiny)
        return scores - noise.log().to(scores.device)


def for_generate(config: GenerationConfig, new: int, seeds: Sequence[int]) -> tuple[Any, LogitsProcessorList]:
    """What `generate` is given for rows of these seeds that get so many `new` tokens: the config, and processors that
    refuse NaN and, where tokens are drawn without beams, draw them."""
    own: Any = copy.deepcopy(config)
    own.max_new_tokens, processors = new, LogitsProcessorList([Sound()])
    if own.do_sample and own.num_beams == 1:
        processors.append(Draw(own, seeds))
        own.do_sample, own.num_return_sequences = False, 1  # nothing is left to draw for transformers
        for name, _, _ in _WARPERS:
            setattr(own, name, None)
    return own, processors


def batches(
    prompts: Sequence[list[int]],
    new: Callable[[list[int]], int],
    config: Any,
    tokens: int,
    most: int | None = None,
) -> Iterator[list[int]]:
    """Places of prompts that are answered together: `tokens` at once, or `most` prompts; one, where beams are drawn.

    Longest first: it says how many fit, and neighbours in length need little padding. `new` says how many tokens a
    prompt gets: a default length may be cut by the context, and then each prompt has its own, and its own batch."""
    order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))
    beams = max(config.num_beams, config.num_return_sequences)
    while order:
        longest = prompts[order[0]]
        fit = max(1, tokens // ((len(longest) + new(longest)) * beams))
        count = 1 if config.do_sample and config.num_beams > 1 else min(fit, most or fit)
        places = [place for place in order[:count] if new(prompts[place]) == new(longest)]
        yield places
        order = order[len(places) :]


def up_to_end(ids: list[int], config: Any) -> int | None:
    """How many tokens come before the end token; None where there is none."""
    ends = config.eos_token_id
    known = set(ends) if isinstance(ends, list) else {ends}
    return next((at for at, token in enumerate(ids) if token in known), None)


class Sound(LogitsProcessor):
    """Refuses NaN, from which any token could follow."""

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if bool(scores.isnan().any()):
            raise HfkitError("The model answers with NaN", fix="its weights are damaged, or its training diverged")
        return scores


class Telling(BaseStreamer):
    """Tells a text as it is made, in pieces that are whole characters and together the whole text.

    `decode` makes of the tokens so far the text after the prompt; `stops` are texts that end it and are not told."""

    def __init__(
        self, decode: Callable[[list[int]], str], say: Callable[[str], None], stops: Sequence[str] = ()
    ) -> None:
        self.decode, self.say, self.stops = decode, say, stops
        self.ids: list[int] = []
        self.said = ""

    def put(self, value: Tensor) -> None:
        """The prompt first, then a token at a time."""
        first = not self.ids
        self.ids += value.flatten().tolist()
        if not first:
            self._tell(self.decode(self.ids), last=False)

    def end(self) -> None:
        self._tell(self.decode(self.ids), last=True)

    def _tell(self, text: str, last: bool) -> None:
        if not last and text.endswith("\ufffd"):
            return  # it may be the first bytes of a character whose last are still to come
        text = before_stop(text, self.stops)
        if not last:  # the end may be how a stop begins
            begun = (stop[:size] for stop in self.stops for size in range(1, len(stop)))
            text = text.removesuffix(max(filter(text.endswith, begun), key=len, default=""))
        if text.startswith(self.said):
            if len(text) > len(self.said):
                self.say(text[len(self.said) :])
            self.said = text
