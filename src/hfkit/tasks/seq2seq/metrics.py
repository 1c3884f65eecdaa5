"""What generated texts are judged by: chrF and BLEU of translations, ROUGE of summaries, exact matches of others.

All are made of sums over rows, so that intervals and paired tests come of them, and none reads token ids: a prediction
and its references are texts as people wrote them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hfkit.evaluation.metric import Columns, Metric, Of, mean_of, metric_of_sums, total
from hfkit.tasks.seq2seq.scores import faults
from hfkit.tasks.seq2seq.scores.bleu import bleu, bleu_sums
from hfkit.tasks.seq2seq.scores.chrf import chrf, chrf_sums
from hfkit.tasks.seq2seq.scores.rouge import rouge
from hfkit.tasks.seq2seq.scores.tokenizers import tokenizer_for

ANSWERS = ("references", "prediction")

SACREBLEU = "2.6.0"  # the version that the figures are held against in the tests


def _pairs(columns: Columns) -> list[tuple[str, list[str]]]:
    """Each row's prediction and its references."""
    predictions = map(str, columns["prediction"])
    return list(zip(predictions, ([str(one) for one in row] for row in columns["references"]), strict=True))


def _tokenizer(columns: Columns) -> str:
    return tokenizer_for(str(one) for row in columns["references"] for one in row)


def _bleu_rows(columns: Columns) -> np.ndarray:
    """(rows, 10), as `bleu_sums`."""
    tokenizer = columns.of_rows(_tokenizer)
    return np.array([bleu_sums(said, right, tokenizer) for said, right in _pairs(columns)], dtype=np.float64)


def _each(of: Callable[[str, list[str]], Any]) -> Callable[[Columns], np.ndarray]:
    """What is made of each row's prediction and references: (rows, ...)."""
    return lambda columns: np.array([of(*pair) for pair in _pairs(columns)], dtype=np.float64)


_chrf_rows = _each(chrf_sums)  # (rows, 18)
_rouge_rows = _each(rouge)  # (rows, 3)
# (rows,): whether the prediction is one of the references, white space at the ends aside
exact = _each(lambda said, right: said.strip() in [one.strip() for one in right])


def _of_sums(rows: Callable[[Columns], np.ndarray], figure: Callable[[np.ndarray], np.ndarray]) -> Of:
    return lambda columns, weights: figure(total(weights, columns.of_rows(rows)))


def _of_rouge(place: int) -> Of:
    return lambda columns, weights: total(weights, columns.of_rows(_rouge_rows))[:, place] / weights.sum(axis=1)


def _length_ratio(columns: Columns, weights: np.ndarray) -> Any:
    sums = total(weights, columns.of_rows(_bleu_rows))
    return sums[:, 0] / sums[:, 1]


_empty = _each(lambda said, _: faults.is_empty(said))
_looping = _each(lambda said, _: faults.is_loop(said))


def _copied(columns: Columns) -> np.ndarray:
    pairs = zip(columns["prediction"], columns["source"], strict=True)
    return np.array([faults.is_copy(str(said), str(source)) for said, source in pairs], dtype=np.float64)


def _references(columns: Columns) -> str:
    counts = {len(row) for row in columns["references"]}
    return str(counts.pop()) if len(counts) == 1 else "var"


def bleu_signature(columns: Columns) -> str:
    """How BLEU was counted, as sacrebleu writes it."""
    told = f"nrefs:{_references(columns)}|case:mixed|eff:no|tok:{columns.of_rows(_tokenizer)}|smooth:exp"
    return f"{told}|version:{SACREBLEU}|by:hfkit"


def chrf_signature(columns: Columns) -> str:
    """How chrF was counted, as sacrebleu writes it."""
    return f"nrefs:{_references(columns)}|case:mixed|eff:yes|nc:6|nw:0|space:no|version:{SACREBLEU}|by:hfkit"


_GIVEN: dict[str, Any] = {"columns": ANSWERS, "given": ("references",)}
_OWN_UNIT: dict[str, Any] = {"unit": "", **_GIVEN}  # BLEU and chrF go from 0 to 100, as everyone writes them

CHRF = Metric("chrf", "chrF", of=_of_sums(_chrf_rows, chrf), signature=chrf_signature, **_OWN_UNIT)
BLEU = Metric("bleu", "BLEU", of=_of_sums(_bleu_rows, bleu), signature=bleu_signature, hub="sacrebleu", **_OWN_UNIT)
ROUGE = tuple(
    Metric(f"rouge{kind}", f"ROUGE-{kind} (F1)", of=_of_rouge(place), hub="rouge", **_GIVEN)
    for kind, place in (("L", 2), ("1", 0), ("2", 1))
)
EXACT = Metric(
    "exact_match", "exact match", of=mean_of(exact), right=lambda columns: columns.of_rows(exact) == 1, **_GIVEN
)

LENGTH = Metric("length_ratio", "words per word of the reference", of=_length_ratio, compared=False, **_OWN_UNIT)
FAULTS = (
    Metric("empty", "empty texts", of=mean_of(_empty), better="lower", compared=False, **_GIVEN),
    Metric("looping", "texts that end in a loop", of=mean_of(_looping), better="lower", compared=False, **_GIVEN),
    Metric(
        *("copied", "texts that are their source", ("source", *ANSWERS), mean_of(_copied)),
        given=("source", "references"),
        better="lower",
        compared=False,
    ),
)

LOSS = metric_of_sums("loss", "loss", "nll", "tokens")  # nats a token of the target

_OF_TASKS = {
    "translation": (CHRF, BLEU, LENGTH, *FAULTS, LOSS),
    "summarization": (*ROUGE, LENGTH, *FAULTS, LOSS),
    "text2text-generation": (EXACT, CHRF, LENGTH, *FAULTS, LOSS),
}


def metrics_of(settings: Mapping[str, Any]) -> tuple[Metric, ...]:
    """The metrics of a job, `settings["task"]`, the primary one first."""
    return _OF_TASKS[str(settings["task"])]


METRICS = tuple({metric.name: metric for metrics in _OF_TASKS.values() for metric in metrics}.values())
