"""Spans: the best answer over all windows of a context, exactly, whatever its length."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

LOWEST = float("-inf")


@dataclass(frozen=True)
class Found:
    """An answer in its context."""

    begin: int  # in characters of the context
    end: int
    # The product of the probabilities that it begins and ends where it does, among all places of all windows and the
    # place of no answer: transformers 4's where there is one window
    score: float
    logit: float  # what of two answers makes one the better: the sum of its two logits


def best_spans(
    start: torch.Tensor, end: torch.Tensor, inside: torch.Tensor, longest: int | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The span with the largest sum of two logits in each window, exactly, in time linear in its tokens.

    For each last token the best first one is a running maximum, over all before it or over the `longest` before it.
    Logits, and where a span may begin and end (`inside`), are (windows, tokens). Returns the sum, -inf where a window
    has no such span, and the first and the last token: (windows,) each."""
    start, end = (values.masked_fill(~inside, LOWEST) for values in (start, end))
    width = start.shape[1]
    if longest is None or longest >= width:
        best, first = start.cummax(dim=1)
    else:
        best, first = F.pad(start, (longest - 1, 0), value=LOWEST).unfold(1, longest, 1).max(dim=2)
        first = first + torch.arange(width, device=first.device) - (longest - 1)
    total, last = (best + end).max(dim=1)
    return total, first.gather(1, last[:, None])[:, 0], last


def top_spans(
    start: torch.Tensor, end: torch.Tensor, inside: torch.Tensor, longest: int | None, count: int
) -> list[tuple[float, int, int]]:
    """The `count` best spans of one window, (tokens,) each, the best first: the sum, the first and the last token."""
    start, end = (values.masked_fill(~inside, LOWEST) for values in (start, end))
    width = len(start)
    sums = start[:, None] + end[None, :]
    allowed = torch.ones_like(sums, dtype=torch.bool).triu_().tril_((longest or width) - 1)
    totals, places = sums.masked_fill(~allowed, LOWEST).flatten().topk(min(count, width * width))
    found = zip(totals.tolist(), places.tolist(), strict=True)
    return [(total, place // width, place % width) for total, place in found if total > LOWEST]


@dataclass(frozen=True)
class Scores:
    """The logits of the windows of one row, (windows, tokens) each, on the CPU in float32.

    Windows are compared by their logits as they are, as BERT's authors do: what a softmax makes of each window alone
    would let one that holds nothing be as sure as one that holds the answer."""

    start: torch.Tensor
    end: torch.Tensor
    begins: torch.Tensor  # where tokens stand in the context, else OUTSIDE
    ends: torch.Tensor
    nulls: torch.Tensor  # (windows,) the token of no answer

    @property
    def no_answer(self) -> float:
        """The logits' sum of no answer: of the window that is least for it."""
        sums = [values.gather(1, self.nulls[:, None])[:, 0] for values in (self.start, self.end)]
        return float((sums[0] + sums[1]).min())

    def probability(self, logit: float) -> float:
        """The score of a sum of two logits, see `Found`."""
        allowed = (self.begins >= 0).scatter(1, self.nulls[:, None], True)
        whole = sum(float(values[allowed].double().logsumexp(dim=0)) for values in (self.start, self.end))
        return float(torch.tensor(logit - whole, dtype=torch.float64).exp())

    def best(self, context: str, longest: int | None, count: int = 1) -> list[Found]:
        """The best answers, in falling order; fewer where the context has fewer. Windows overlap, and an answer that
        two of them hold counts once, where it is the better."""
        inside = self.begins >= 0
        if count == 1:
            each = best_spans(self.start, self.end, inside, longest)
            spans = list(zip(*(values.tolist() for values in each), range(len(inside)), strict=True))
        else:
            windows = enumerate(zip(self.start, self.end, inside, strict=True))
            spans = [(*span, at) for at, parts in windows for span in top_spans(*parts, longest, count)]
        found: dict[tuple[int, int], float] = {}
        for total, first, last, window in sorted(spans, key=lambda span: -span[0]):
            if total > LOWEST:
                place = trimmed(context, int(self.begins[window, first]), int(self.ends[window, last]))
                found.setdefault(place, total)
        return [Found(*place, self.probability(total), total) for place, total in list(found.items())[:count]]


def trimmed(context: str, begin: int, end: int) -> tuple[int, int]:
    """A place without the space at its ends, which some tokenizers count to their words; and with the marks of its last
    character, which others drop: an accent that stands alone, a vowel sign."""
    while end < len(context) and (unicodedata.category(context[end])[0] == "M" or context[end] == "\u200d"):
        end += 1
    text = context[begin:end]
    return begin + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())


def best_threshold(scores: Sequence[float], answered: Sequence[float], empty: Sequence[float]) -> float:
    """Above which score, the logit of no answer minus that of the best one, a question has no answer: where the sum of
    F1 is largest, in the middle between two. `answered` are the F1 of each row's best answer, `empty` those of none."""
    order = sorted(range(len(scores)), key=lambda row: scores[row])
    ends = [scores[order[0]] - 1, *(scores[row] for row in order), scores[order[-1]] + 1]
    best, chosen = sum(empty), 0
    total = best
    for place, row in enumerate(order, start=1):
        total += answered[row] - empty[row]
        tied = place < len(order) and scores[order[place]] == scores[row]
        if not tied and total > best + 1e-9:
            best, chosen = total, place
    return (ends[chosen] + ends[chosen + 1]) / 2
