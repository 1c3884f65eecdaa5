"""TextClassificationPipeline: transformers' own, reading texts as the model was trained to, sorted, and fast."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import transformers

from hfkit.errors import HfkitError, nearest
from hfkit.hardware import mixed_precision as precision_for
from hfkit.models.loading import load_model
from hfkit.run import Run
from hfkit.tasks.labels import MULTI, REGRESSION
from hfkit.tasks.text_classification import TextClassification

HEAD = "ForSequenceClassification"
FUNCTIONS = ("sigmoid", "softmax", "none")
"""What transformers can make of logits."""

CHUNK_CPU, CHUNK = 256, 1024
"""Rows that are sorted by length together: enough to pad little, few enough to stream. A CPU's batches are smaller."""

CLOSE = 0.05
"""Two labels whose probabilities differ by less are decided in float32. On 4,000 reviews MiniLM's bf16 moved that
difference by 0.011 at most, and the one label that turned had a difference of 0.0003."""


def pipeline(
    model: str | Path,
    *,
    device: int | str | torch.device | None = None,
    mixed_precision: str = "auto",
    tokens_per_batch: int | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    **options: Any,
) -> Any:
    """A transformers pipeline for a trained model.

    Args:
        model: A run (`runs/bert_imdb`), a model's folder, an adapter's folder or a Hub id.
        device: As in transformers: by default the first accelerator, else the CPU.
        mixed_precision: auto, no, bf16 or fp16; see `TextClassificationPipeline`.
        tokens_per_batch: Padded tokens in a batch. Default: 4,096 on a CPU, 65,536 on an accelerator.
        revision: Commit, tag or branch of a Hub id.
        trust_remote_code: Run Python code that the model ships. Off unless you trust it.
        options: Further arguments of the pipeline: `top_k`, `function_to_apply`, `batch_size` (most rows in a batch);
            of a language model's: see `hfkit.inference.generation_pipeline`.

    Raises:
        HfkitError: the run is not finished; the model has no head for text classification; there is no such model, or
            a part of it is missing (`hfkit.models.load_model`).

    >>> classify = hfkit.pipeline("runs/bert_imdb")                             # doctest: +SKIP
    >>> classify(["A film to see twice.", {"text": "...", "text_pair": "..."}])  # doctest: +SKIP
    [{'label': 'positive', 'score': 0.98}, {'label': 'negative', 'score': 0.61}]
    """
    if (Path(model) / "run.json").is_file() and (state := Run(model).state) != "finished":
        raise HfkitError(f"The run is {state}, and has no model yet.", where=str(model), fix="give its command again")
    loaded, tokenizer = load_model(model, revision, trust_remote_code)
    merged = hasattr(loaded, "merge_and_unload")
    if merged:  # an adapter: merged, it costs nothing
        loaded = loaded.merge_and_unload().eval()
    if loaded.can_generate():
        from hfkit.inference.generation_pipeline import generation_pipeline

        return generation_pipeline(loaded, tokenizer, device, mixed_precision, **options)
    if not merged and loaded.main_input_name == "input_ids":
        _check_head(loaded, model)
    if loaded.main_input_name == "pixel_values":
        from hfkit.inference.image_pipeline import ImageClassificationPipeline

        return ImageClassificationPipeline(
            model=loaded, image_processor=tokenizer, device=device, mixed_precision=mixed_precision, **options
        )
    return TextClassificationPipeline(
        model=loaded,
        tokenizer=tokenizer,
        device=device,
        mixed_precision=mixed_precision,
        tokens_per_batch=tokens_per_batch,
        **options,
    )


def _check_head(model: transformers.PreTrainedModel, name: str | Path) -> None:
    """Refuse a bare backbone or a model for another job: it would answer with a head of random numbers.

    `architectures` says what the saved weights were; an adapter brings its own head.
    """
    built_as = (model.config.architectures or ["model of unknown kind"])[0]
    if HEAD not in built_as:
        raise HfkitError(
            f"{name} is a {built_as}, and has no head for text classification.",
            fix=f"fine-tune it first: hfkit train --model {name}",
        )


class TextClassificationPipeline(transformers.TextClassificationPipeline):
    """transformers' pipeline, with three differences and the same answers.

    A text is read as at training: the model's config says how many tokens, head, tail, both or windows. Rows are sorted
    by length and batched under a token budget; answers come in the order of the input. A generator or torch data set is
    answered as a stream, in chunks of `chunk` rows: 256 on a CPU, 1,024 on an accelerator.

    With `mixed_precision="auto"` the model runs under bf16 autocast where the hardware computes it, and the rows whose
    decision is close (the two best probabilities less than 0.05 apart; for a multi-label model, a probability less than
    0.025 from a half) run again in float32: so labels are float32's, and other rows' scores differ from float32's in
    the second or third digit. Regressions, which have no labels to keep, run in float32. `no` computes all in float32,
    `bf16` and `fp16` compute all in that format.
    """

    def __init__(
        self,
        *,
        model: transformers.PreTrainedModel,
        tokenizer: transformers.PreTrainedTokenizerBase,
        mixed_precision: str = "auto",
        tokens_per_batch: int | None = None,
        task: str = "text-classification",
        **options: Any,
    ) -> None:
        super().__init__(model=model, tokenizer=tokenizer, task=task, **options)
        self.model.eval()
        self.reading = TextClassification.from_model(model.config, tokenizer)
        on_cpu = self.device.type == "cpu"
        self.chunk = CHUNK_CPU if on_cpu else CHUNK
        self.tokens_per_batch = tokens_per_batch or (4096 if on_cpu else 65536)
        if mixed_precision == "fp8":
            raise HfkitError("fp8 is for training", where="mixed_precision='fp8'", fix="auto, no, bf16 or fp16")
        value, _ = precision_for(mixed_precision, use_cpu=on_cpu)
        exact = value == "no" or (mixed_precision == "auto" and self.reading.problem_type == REGRESSION)
        self.low_precision = None if exact else torch.float16 if value == "fp16" else torch.bfloat16
        self.keeps_labels = mixed_precision == "auto"

    def check_model_type(self, supported_models: Any) -> None:
        """`pipeline` has asked already, and knows the from-scratch models that transformers' list does not."""

    def _sanitize_parameters(
        self, function_to_apply: str | None = None, top_k: int | str | None = "", **tokenizer_kwargs: Any
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Upstream's, without the tokenizer's arguments: the model says how its texts are read."""
        for name, value in tokenizer_kwargs.items():
            if name not in ("truncation", "padding") or value in (False, "do_not_truncate"):
                raise HfkitError(
                    f"The pipeline takes no {name}={value!r}: texts are read as the model was trained to read them.",
                    fix=nearest(name, ("top_k", "function_to_apply", "batch_size")),
                )
        if isinstance(function_to_apply, str) and function_to_apply.lower() not in FUNCTIONS:
            raise HfkitError(
                f"There is no function_to_apply {function_to_apply!r}.", fix=nearest(function_to_apply, FUNCTIONS)
            )
        parameters: tuple[dict[str, Any], dict[str, Any], dict[str, Any]]
        parameters = super()._sanitize_parameters(function_to_apply, top_k)
        return parameters

    def __call__(self, inputs: Any, *args: Any, **options: Any) -> Any:
        """As upstream: a text, a dict with `text` and `text_pair`, or a list, generator or data set of them.

        Tuples, arrays and columns of a data frame or data set are taken as lists.
        """
        single = isinstance(inputs, str | Mapping)
        if not single and not isinstance(inputs, Iterator | torch.utils.data.Dataset):
            inputs = list(inputs)
            if not inputs:
                return []
        return super().__call__(inputs, *args, **options)

    def get_iterator(
        self,
        inputs: Iterable[Any],
        num_workers: int,
        batch_size: int,
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> Iterator[Any]:
        """The answers in the order of `inputs`, a chunk at a time."""
        # A torch data set need not be iterable, only countable.
        rows = iter(inputs) if isinstance(inputs, Iterable) else (inputs[i] for i in range(len(inputs)))
        while chunk := list(islice(rows, self.chunk)):
            for logits in self.logits(chunk, batch_size if batch_size > 1 else None):
                yield self.postprocess({"logits": logits[None]}, **postprocess_params)

    def run_single(
        self,
        inputs: Any,
        preprocess_params: dict[str, Any],
        forward_params: dict[str, Any],
        postprocess_params: dict[str, Any],
    ) -> Any:
        return self.postprocess({"logits": self.logits([inputs])}, **postprocess_params)

    def logits(self, rows: Sequence[Any], batch_size: int | None = None) -> torch.Tensor:
        """(rows, labels) in float32 on the CPU, in the order of `rows`: texts, or dicts of `text` and `text_pair`.

        Raises:
            HfkitError: A row is no text, or the model answers with what is no number.
        """
        features = self._features(rows)
        answers = self._run(features, range(len(rows)), self.low_precision, batch_size)
        if self.low_precision is not None and self.keeps_labels and (close := self._close(answers)):
            answers[close] = self._run(features, close, None, batch_size)
        if not bool(answers.isfinite().all()):
            raise HfkitError(
                f"{self.model.name_or_path or 'The model'} answers with NaN or infinity",
                fix="its weights are damaged, or its training diverged; of mixed_precision='fp16', try 'no'",
            )
        return answers

    def _features(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """Encoded rows. Pairs and single texts may be mixed; each kind goes through the tokenizer at once."""
        tokenizer: Any = self.tokenizer
        split = [_text_and_pair(row) for row in rows]
        features: list[dict[str, Any]] = [{}] * len(rows)
        for paired in (False, True):
            places = [place for place, (_, pair) in enumerate(split) if (pair is not None) == paired]
            if not places:
                continue
            pairs = [split[place][1] or "" for place in places] if paired else None
            encoded = self.reading.truncated.encode(tokenizer, [split[place][0] for place in places], pairs)
            for index, place in enumerate(places):
                features[place] = {name: column[index] for name, column in encoded.items()}
        return features

    def _run(
        self,
        features: list[dict[str, Any]],
        places: Sequence[int],
        dtype: torch.dtype | None,
        batch_size: int | None,
    ) -> torch.Tensor:
        """Logits of the rows at `places`, in their order, computed in `dtype` (None: the model's own)."""
        order = sorted(range(len(places)), key=lambda i: -features[places[i]]["length"])
        answers = torch.empty(len(places), len(self.reading.labels))
        start = 0
        while start < len(order):
            # Longest first, so that the first row of a batch says how many fit, and memory runs out at once or never.
            count = self.tokens_per_batch // features[places[order[start]]]["length"]
            rows = order[start : start + max(1, min(count, batch_size or count))]
            batch = [features[places[row]] for row in rows]
            apart = count == 0 and self.reading.long_text == "windows"
            answers[rows] = self._windows(batch[0], dtype) if apart else self._batch(batch, dtype)
            start += len(rows)
        return answers

    def _windows(self, feature: dict[str, Any], dtype: torch.dtype | None) -> torch.Tensor:
        """Logits (1, labels) of a text whose windows are more than a batch: the mean, a batch at a time."""
        windows = feature["input_ids"]
        size = max(1, self.tokens_per_batch // max(map(len, windows)))
        sums = torch.zeros(1, len(self.reading.labels))
        for start in range(0, len(windows), size):
            part = {name: value[start : start + size] for name, value in feature.items() if isinstance(value, list)}
            sums += self._batch([part], dtype) * len(part["input_ids"])
        return sums / len(windows)

    def _batch(self, features: list[dict[str, Any]], dtype: torch.dtype | None) -> torch.Tensor:
        batch = self.reading.collate(features)
        lower: AbstractContextManager[Any] = (
            torch.autocast(self.device.type, dtype=dtype) if dtype is not None else nullcontext()
        )
        with self.device_placement(), torch.inference_mode(), lower:
            return self.reading.logits(self.model, {k: v.to(self.device) for k, v in batch.items()}).cpu()

    def _close(self, logits: torch.Tensor) -> list[int]:
        """Rows whose label a lower precision could have turned."""
        probabilities = self.reading.predictions(logits)["probabilities"]
        if self.reading.problem_type == MULTI:
            close = ((probabilities - 0.5).abs() < CLOSE / 2).any(dim=1)
        else:
            best = probabilities.topk(2, dim=1).values
            close = best[:, 0] - best[:, 1] < CLOSE
        return close.nonzero().flatten().tolist()


def _text_and_pair(row: Any) -> tuple[str, str | None]:
    """A row in any form that transformers' pipeline takes: a text, a dict, or a list of one pair."""
    if isinstance(row, list) and len(row) == 1 and isinstance(row[0], list) and len(row[0]) == 2:
        row = {"text": row[0][0], "text_pair": row[0][1]}
    text, pair = (row.get("text"), row.get("text_pair")) if isinstance(row, Mapping) else (row, None)
    if not isinstance(text, str) or not isinstance(pair, str | None):
        raise HfkitError(
            f"A row is not a text: {str(row)[:80]!r} ({type(row).__name__}).",
            fix='give strings, or dicts such as {"text": "...", "text_pair": "..."}',
        )
    for part in (text, pair or ""):
        if not part.isascii() and any("\ud800" <= character <= "\udfff" for character in part):
            raise HfkitError(f"A text holds half a character: {part[:80]!r}.", fix="write it whole, or cut it")
    return text, pair
