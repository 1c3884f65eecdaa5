"""TextClassificationPipeline: transformers' own, reading texts as the model was trained to, sorted, and fast."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

from hfkit.base.errors import HfkitError, nearest
from hfkit.base.hardware import check_device
from hfkit.base.processes import one_thread_after_fork
from hfkit.inference.classifying import ClassifyingPipeline, check_count
from hfkit.inference.texts import text_and_pair
from hfkit.models.inspection import readable
from hfkit.models.loading import load_model
from hfkit.runs.run import Run
from hfkit.tasks.text_classification import TextClassification

HEAD = "ForSequenceClassification"
FUNCTIONS = ("sigmoid", "softmax", "none")
"""What transformers can make of logits."""

BACKENDS = ("torch", "openvino")
"""What a text classifier can be computed with."""

CHUNK_CPU, CHUNK = 256, 1024
"""Rows that are sorted by length together: enough to pad little, few enough to stream. A CPU's batches are smaller."""

TOKENS_CPU, TOKENS = 2048, 65536
"""Padded tokens of a batch. A CPU gains nothing from more, and a program loses by it that is not told to keep its
memory: glibc gives blocks of more than 32 MiB back each time (benchmarks/NOTES.md)."""


def pipeline(
    model: str | Path,
    *,
    device: int | str | torch.device | None = None,
    mixed_precision: str = "auto",
    tokens_per_batch: int | None = None,
    backend: str = "torch",
    revision: str | None = None,
    trust_remote_code: bool = False,
    **options: Any,
) -> Any:
    """A transformers pipeline for a trained model.

    Args:
        model: A run (`runs/bert_imdb`), a model's folder, an adapter's folder or a Hub id.
        device: As in transformers: by default the first accelerator, else the CPU.
        mixed_precision: auto, no, bf16 or fp16; see `TextClassificationPipeline`.
        tokens_per_batch: Padded tokens in a text classifier's batch. Default: 2,048 on a CPU, 65,536 on an accelerator.
            A longer text is a batch of its own.
        backend: `torch`, or `openvino` for a text classifier on a CPU: faster, but compiled anew in each process.
        revision: Commit, tag or branch of a Hub id.
        trust_remote_code: Run Python code that the model ships. Off unless you trust it.
        options: Further arguments of the pipeline: `top_k`, `function_to_apply`, `batch_size` (most rows in a batch);
            of a language model's: see `hfkit.inference.generation.pipeline`.

    Raises:
        HfkitError: the run is not finished; the model has no head for text classification; there is no such model, or
            a part of it is missing (`hfkit.models.load_model`); an argument that is none, such as a device that is not
            here.

    On a CPU glibc is taught to keep freed blocks (`hfkit.base.hardware.keep_blocks`). A program that has its memory
    to itself gains some more with `hfkit.base.hardware.keep_memory()` before anything else, as the commands have it.
    A fork of the process computes with one thread, or it would wait for ever for threads that are not in it.

    >>> classify = hfkit.pipeline("runs/bert_imdb")                             # doctest: +SKIP
    >>> classify(["A film to see twice.", {"text": "...", "text_pair": "..."}])  # doctest: +SKIP
    [{'label': 'positive', 'score': 0.98}, {'label': 'negative', 'score': 0.61}]
    """
    check_device(device)
    one_thread_after_fork()
    if (Path(model) / "run.json").is_file():
        Run(model).check_finished()
    loaded, tokenizer = load_model(model, revision, trust_remote_code)
    merged = hasattr(loaded, "merge_and_unload")
    if merged:  # an adapter: merged, it costs nothing
        from hfkit.models.adapting.adapters import summed

        loaded = summed(loaded).eval()
    if loaded.can_generate() or loaded.main_input_name != "input_ids":
        if tokens_per_batch is not None:
            raise HfkitError("tokens_per_batch is for text classifiers", where=str(model), fix="set batch_size")
        if backend != "torch":
            raise HfkitError(
                f"backend={backend!r} is for text classifiers", where=str(model), fix="leave it out: torch"
            )
    if loaded.can_generate():
        from hfkit.inference.generation.pipeline import generation_pipeline

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
        backend=backend,
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


class TextClassificationPipeline(ClassifyingPipeline, transformers.TextClassificationPipeline):
    """transformers' pipeline, with three differences and the same answers.

    A text is read as at training: the model's config says how many tokens, head, tail, both or windows. Rows are sorted
    by length and batched under a token budget; answers come in the order of the input. A generator or torch data set is
    answered as a stream, in chunks of `chunk` rows: 256 on a CPU, 1,024 on an accelerator.

    Of `mixed_precision` see `ClassifyingPipeline`.
    """

    one = (str, Mapping)
    reading: TextClassification

    def __init__(
        self,
        *,
        model: transformers.PreTrainedModel,
        tokenizer: transformers.PreTrainedTokenizerBase,
        mixed_precision: str = "auto",
        tokens_per_batch: int | None = None,
        backend: str = "torch",
        task: str = "text-classification",
        **options: Any,
    ) -> None:
        super().__init__(model=model, tokenizer=tokenizer, task=task, **options)
        self.settle(TextClassification.from_model(model.config, tokenizer), mixed_precision)
        on_cpu = self.device.type == "cpu"
        self.chunk = CHUNK_CPU if on_cpu else CHUNK
        if tokens_per_batch is not None:
            check_count("tokens_per_batch", tokens_per_batch)
        self.tokens_per_batch = tokens_per_batch or (TOKENS_CPU if on_cpu else TOKENS)
        if backend not in BACKENDS:
            raise HfkitError(f"There is no backend {backend!r}.", fix=nearest(backend, BACKENDS))
        self.fast: Any = self.model  # what computes, but for rows that are decided again in float32
        if backend == "openvino":
            from hfkit.inference.backends.openvino import converted

            self.fast = converted(self)

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

    def at_once(self, batch_size: int | None) -> int:
        return self.chunk

    def logits(self, rows: Sequence[Any], batch_size: int | None = None) -> torch.Tensor:
        """(rows, labels) in float32 on the CPU, in the order of `rows`: texts, or dicts of `text` and `text_pair`.

        Raises:
            HfkitError: A row is no text, or the model answers with what is no number.
        """
        features = self._features(rows)
        return self.decided(
            lambda places, dtype: self._run(
                features if places is None else [features[place] for place in places], dtype, batch_size
            )
        )

    def _features(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """Encoded rows. Pairs and single texts may be mixed; each kind goes through the tokenizer at once."""
        tokenizer: Any = self.tokenizer
        split = [text_and_pair(row) for row in rows]
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

    def _run(self, features: list[dict[str, Any]], dtype: torch.dtype | None, batch_size: int | None) -> torch.Tensor:
        """Logits of the rows, in their order, computed in `dtype` (None: the model's own)."""
        order = sorted(range(len(features)), key=lambda row: -features[row]["length"])
        answers = torch.empty(len(features), len(self.reading.labels))
        start = 0
        while start < len(order):
            # Longest first, so that the first row of a batch says how many fit, and memory runs out at once or never.
            count = self.tokens_per_batch // features[order[start]]["length"]
            rows = order[start : start + max(1, min(count, batch_size or count))]
            batch = [features[row] for row in rows]
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

    def batch_of(self, texts: list[str]) -> dict[str, torch.Tensor]:
        """The model's inputs for some texts."""
        return self.reading.collate(self._features(texts))

    def _batch(self, features: list[dict[str, Any]], dtype: torch.dtype | None) -> torch.Tensor:
        batch, model = self.reading.collate(features), self.fast if dtype == self.low_precision else self.model
        with self.computing(dtype), readable(lambda: self._shown(batch["input_ids"][:3]), "the batch of"):
            return self.reading.logits(model, {k: v.to(self.device) for k, v in batch.items()}).cpu()

    def _shown(self, rows: torch.Tensor) -> list[str]:
        """The beginnings of some rows, quoted."""
        tokenizer: Any = self.tokenizer
        return [repr(text[:60]) for text in tokenizer.batch_decode(rows, skip_special_tokens=True)]
