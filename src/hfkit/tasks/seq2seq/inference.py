"""Seq2SeqPipeline: translations, summaries and other texts, as of transformers 4, which 5 has no pipeline for."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import transformers
from transformers import GenerationConfig

from hfkit.base.errors import HfkitError, nearest
from hfkit.config import GenerationArguments
from hfkit.data.text.language_codes import codes_of
from hfkit.inference.answering import Alone, check_count
from hfkit.inference.generation.rewriter import Rewriter, Written, seed_of
from hfkit.inference.generation.sampling import settle
from hfkit.inference.texts import TextPipeline, check_whole
from hfkit.models.inspection import first_line, readable
from hfkit.tasks.seq2seq.task import Seq2Seq

KEYS = {"translation": "translation_text", "summarization": "summary_text", "text2text-generation": "generated_text"}
"""What transformers 4 calls an answer."""

NO_TEXT = ("output_", "return_", "_")
"""How arguments of `generate` begin that change what it gives beside texts, and not the texts."""


class Seq2SeqPipeline(TextPipeline, Alone):
    """Texts as transformers 4's three pipelines give them: [{"translation_text": ...}] to a text, and to several a list
    of such. `summary_text` and `generated_text` are what summarization and text2text-generation call it.

    Texts are read as in training, the run's prefix in front; one that is cut is told. How an answer is written is the
    model's generation config, or any argument of `generate`: `num_beams`, `max_new_tokens`, `do_sample`, ... Batches
    are sorted by length and change no answer; nor do they change what is drawn, which goes by `seed` and place.

    It computes in float32 unless `mixed_precision` says otherwise: a lower precision could turn an answer.

    >>> translate = hfkit.pipeline("runs/marian_opus")                  # doctest: +SKIP
    >>> translate("The film was warm.", num_beams=6)                    # doctest: +SKIP
    >>> hfkit.pipeline("facebook/bart-large-cnn", task="summarization")  # doctest: +SKIP
    """

    one = (str, Mapping)
    of, exact = Seq2Seq, True
    reading: Seq2Seq
    chunks, budgets = (64, 512), (4096, 65536)  # of tokens, source and what is written together

    def __init__(self, *, model: transformers.PreTrainedModel, tokenizer: Any, task: str = "", **options: Any) -> None:
        saved = getattr(model.config, "hfkit", None) or {}
        name = task or saved.get("task") or next(reversed(KEYS))
        if name not in KEYS:
            raise HfkitError(f"{name} is no job of this model", where=f"task={name!r}", fix=nearest(name, KEYS))
        languages = {"source_lang": options.pop("src_lang", None), "target_lang": options.pop("tgt_lang", None)}
        model.config.hfkit = {**saved, **{key: value for key, value in languages.items() if value}, "task": name}
        super().__init__(model=model, tokenizer=tokenizer, task=name, **options)
        if (spoken := codes_of(tokenizer).get(getattr(tokenizer, "tgt_lang", None) or "")) and languages["target_lang"]:
            own: Any = model.generation_config
            own.forced_bos_token_id = spoken

    def _sanitize_parameters(self, **given: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """How texts are written: arguments of `generate`. Others of transformers 4's are idle."""
        for name in ("return_text", "truncation", "clean_up_tokenization_spaces"):
            given.pop(name, None)
        known = {*GenerationArguments.__dataclass_fields__, *GenerationConfig().to_dict(), "generation_config"}
        known -= {name for name in known if name.startswith(NO_TEXT)}
        for name, value in given.items():
            if name not in known:
                fix = nearest(name, known)
                raise HfkitError(f"The pipeline takes no {name}={value!r}: it is no argument of generate", fix=fix)
        return {}, given, {}

    def __call__(self, inputs: Any, *args: Any, **options: Any) -> Any:
        """Answers to one text or many; a row may be {"source": ...} or {"text": ...}."""
        inputs = self.listed(inputs)
        found = super().__call__(inputs, *args, **options)
        if isinstance(inputs, list) and all(len(one) == 1 for one in found):  # as upstream of transformers 4
            return [one[0] for one in found]
        return found

    def answered(self, rows: Sequence[Any], batch_size: int | None = None, **how: Any) -> list[list[Written]]:
        """What is written to each row."""
        texts = [_text(row) for row in rows]
        config, seed = self._config(how)
        read = self.reading.sources(texts, self.tokenizer)
        if cut := sum(read["truncated"]):
            most = f"{self.reading.max_length} tokens that the model reads"
            warnings.warn(f"{cut} of {len(texts)} texts were cut to the {most}", stacklevel=2)
        seeds = [seed_of(seed, place) for place in range(len(texts))]
        rewriter = Rewriter(self.model, self.tokenizer, config, self.tokens_per_batch)
        with self.computing(self.low_precision), readable(lambda: [repr(text[:60]) for text in texts[:3]], "the texts"):
            return rewriter.write(read["input_ids"], seeds, batch_size)

    def _config(self, how: dict[str, Any]) -> tuple[GenerationConfig, int]:
        """The generation config that comes of a call's options, and the seed."""
        options = {name: value for name, value in how.items() if value is not None}
        own: Any = options.pop("generation_config", self.model.generation_config)
        if not isinstance(own, GenerationConfig):
            what = f"generation_config is no GenerationConfig, but {str(own)[:80]!r}"
            raise HfkitError(what, fix="give its fields as arguments, such as num_beams=4")
        if (longest := options.pop("max_length", None)) is not None:  # which counts the token that begins a text
            check_count("max_length", longest)
            options.setdefault("max_new_tokens", max(1, longest - 1))
        flags = {name: options.pop(name) for name in GenerationArguments.__dataclass_fields__ if name in options}
        arguments = replace(GenerationArguments(), **flags)
        if arguments.stop:
            raise HfkitError("stop is for models that continue a text", fix="leave it out: this one ends its texts")
        config: Any = settle(arguments, own, self.tokenizer)
        try:
            config.update(**options)
            config.validate(strict=True) if options else None
        except (ValueError, TypeError) as error:
            raise HfkitError(f"The model cannot write so: {first_line(error)}", where=str(how)) from error
        return config, arguments.seed

    def said(self, answer: list[Written], options: dict[str, Any]) -> Any:
        """The texts in transformers' form."""
        return [{KEYS[self.task]: one.text} for one in answer]


pipeline = Seq2SeqPipeline.over


def _text(row: Any) -> str:
    """The text of a row. Raises HfkitError: it has none, or half a character."""
    text = row.get("source", row.get("text")) if isinstance(row, Mapping) else row
    if not isinstance(text, str) or not text.strip():
        what = f"A row has no text: {str(row)[:80]!r} ({type(row).__name__})"
        raise HfkitError(what, fix='give a text with something in it, or {"text": "..."}')
    check_whole(text)
    return text
