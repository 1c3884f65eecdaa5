"""Tally: what the answers in a file came to, in the line that a command ends with."""

import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hfkit.base.sanitize import line
from hfkit.data.tables.table import counted

SHOWN = 20
"""Labels that are told with their number, the most frequent first."""


class Tally:
    """Counts labels, or takes in numbers, as they are written; constant memory."""

    def __init__(self) -> None:
        self.labels: Counter[str] = Counter()
        self.rows = self.numbers = self.without = 0
        self.low, self.high, self.sum = math.inf, -math.inf, 0.0

    def add(self, answers: Iterable[Any]) -> None:
        """Take in an answer a row: a label, a list of labels, a number, or None where there is none."""
        for answer in answers:
            self.rows += 1
            if answer is None:
                self.without += 1
            elif isinstance(answer, float):
                self.numbers += 1
                self.low, self.high, self.sum = min(self.low, answer), max(self.high, answer), self.sum + answer
            else:
                self.labels.update((answer or ["no label"]) if isinstance(answer, list) else [answer])

    def told(self, output: str | Path) -> str:
        """`20 rows written to answers.csv: positive 11, negative 9`."""
        parts = [f"{line(label, 60)} {number:,}" for label, number in self.labels.most_common(SHOWN)]
        if len(self.labels) > SHOWN:
            parts.append(f"and {counted(len(self.labels) - SHOWN, 'more label')}")
        if self.numbers:
            parts.append(f"{self.low:.4g} to {self.high:.4g}, {self.sum / self.numbers:.4g} on average")
        if self.without:
            parts.append(f"without an answer {self.without:,}")
        return f"{counted(self.rows, 'row')} written to {line(output)}" + (f": {', '.join(parts)}" if parts else "")
