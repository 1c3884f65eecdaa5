"""What only a report of a tagger shows: names by type, wrong names by kind, texts with their marks."""

from collections import Counter
from typing import Any

import numpy as np

from hfkit.base.errors import HfkitError
from hfkit.evaluation import stats
from hfkit.report import plots
from hfkit.report.analysis import Predictions, among_lengths
from hfkit.report.page import section
from hfkit.runs.run import Run
from hfkit.tasks.token_classification.errors import KINDS, errors
from hfkit.tasks.token_classification.metrics import counts, f1
from hfkit.tasks.token_classification.words.schemes import Entity, has_scheme, judged

NAMES = "names.json"  # what a run keeps of names that training showed, and of others
WORST, TYPES, WORDS = 12, 30, 120  # texts and types that a page shows, and words of a text


def parts(run: Run, seen: Predictions) -> dict[str, Any]:
    texts = _texts(run, seen)
    shown = section(
        str(__package__),
        "names.html.jinja",
        scheme=has_scheme(map(str, run.info["task_settings"]["labels"])),
        types=_by_type(texts)[:TYPES],
        kinds=_by_kind(texts),
        confusion=_confusion(texts),
        lengths=_by_length(texts),
        known=run.kept(NAMES, _known, None),
        worst=_worst(texts),
    )
    return {"own": [shown]}


def _texts(run: Run, seen: Predictions) -> list[dict[str, Any]]:
    """The test texts with their names, those there are and those that the model says, and what is wrong with these."""
    names = [str(name) for name in run.info["task_settings"]["labels"]]
    columns = (seen.table[name].to_pylist() for name in ("id", "tokens", "label", "prediction"))

    def found(tags: list[int]) -> list[Entity]:
        return judged([names[tag] for tag in tags], names)

    try:
        texts = [
            {"id": id, "words": words, "gold": found(gold), "said": found(said)}
            for id, words, gold, said in zip(*columns, strict=True)
        ]
        return [text | {"wrong": errors(text["gold"], text["said"])} for text in texts]
    except (IndexError, TypeError) as error:
        raise HfkitError(f"{run.path / 'predictions.parquet'} holds tags that the run does not name") from error


def _counts(texts: list[dict[str, Any]], kind: str | None = None) -> np.ndarray:
    """See `counts`; of the names of one type, or of all."""
    return counts([[one for one in text[key] if kind in (None, one[2])] for key in ("gold", "said")] for text in texts)


def _f1(counted: np.ndarray) -> stats.Interval:
    """F1 of names with its interval, texts drawn anew."""
    value = float(f1(*counted.sum(axis=0, keepdims=True).T)[0])
    return stats.resampled(value, lambda drawn: f1(*(drawn @ counted).T), len(counted))


def _by_type(texts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each type, the most frequent first."""
    found = []
    for kind in sorted({one[2] for text in texts for key in ("gold", "said") for one in text[key]}):
        counted = _counts(texts, kind)
        right, said, gold = counted.sum(axis=0).astype(int).tolist()
        recall = stats.wilson(right, gold) if gold else None
        row = {"name": kind, "names": gold, "said": said, "precision": right / said if said else None}
        found.append(row | {"recall": recall, "f1": _f1(counted)})
    return sorted(found, key=lambda row: -row["names"])


def _by_kind(texts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many names are wrong in each way, with the share of all that are wrong."""
    wrong = [kind for text in texts for kind, *_ in text["wrong"]]
    return [
        {"kind": kind, "told": told, "names": wrong.count(kind), "share": wrong.count(kind) / max(len(wrong), 1)}
        for kind, told in KINDS.items()
    ]


def _confusion(texts: list[dict[str, Any]], at_most: int = 15) -> list[dict[str, Any]]:
    """Pairs of types that are taken for each other, the most frequent first."""
    named = [(gold[2], said[2]) for text in texts for _, gold, said in text["wrong"] if gold and said]
    ranked = Counter(pair for pair in named if pair[0] != pair[1]).most_common(at_most)
    return [{"truth": truth, "answer": answer, "names": names} for (truth, answer), names in ranked]


def _by_length(texts: list[dict[str, Any]]) -> Any:
    """F1 among short to long texts, drawn."""
    counted, length = _counts(texts), np.array([len(text["words"]) for text in texts])
    return plots.by_length(among_lengths(length, lambda rows: _f1(counted[rows])), "F1", "words")


def _known(found: dict[str, Any]) -> dict[str, Any]:
    """What the run keeps of seen and unseen names, with Wilson's intervals of their recall."""
    rows = [
        {"which": which, "names": found[which]["names"], "recall": stats.wilson(found[which]["right"], total)}
        for which in ("seen", "unseen")
        if (total := int(found[which]["names"]))
    ]
    return {"rows": rows, "missed": [(str(m["name"]), str(m["type"]), int(m["times"])) for m in found["missed"]]}


def _worst(texts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The texts with the most wrong names, each line by line: what there is and what the model says."""
    ranked = sorted((text for text in texts if text["wrong"]), key=lambda text: -len(text["wrong"]))[:WORST]
    return [
        {
            "id": text["id"],
            "wrong": len(text["wrong"]),
            "lines": [
                {"title": title, "parts": _marked(text["words"], text[key], set(text[other]))}
                for title, key, other in (("truth", "gold", "said"), ("answer", "said", "gold"))
            ],
            "more": max(0, len(text["words"]) - WORDS),
        }
        for text in ranked
    ]


def _marked(words: list[str], names: list[Entity], others: set[Entity]) -> list[dict[str, Any]]:
    """The words of a text in runs: those of a name with its type, and whether the other line has it too."""
    found: list[dict[str, Any]] = []
    place = 0
    for begin, end, kind in sorted(name for name in names if name[0] < WORDS):
        if place < begin:
            found.append({"text": " ".join(words[place:begin]), "type": None})
        right = (begin, end, kind) in others
        found.append({"text": " ".join(words[begin:end]), "type": kind, "right": right})
        place = end
    rest = words[place:WORDS]
    return [*found, *([{"text": " ".join(rest), "type": None}] if rest else [])]
