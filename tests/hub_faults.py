"""Faults to order: what a network and a busy Hub do, at a request and as often as a test says."""

import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

CUT, LOST, SLOW, MOVED = "cut", "lost", "slow", "moved"


@dataclass
class Fault:
    """One thing that goes wrong.

    Args:
        on: A regular expression that is looked for in `METHOD /path`.
        what: A status to answer with; CUT, the connection ends halfway through the request's body; LOST, the request is
            carried out and the connection ends before the answer; SLOW, the answer takes `seconds`; MOVED, `act` is
            called first, and the request goes on.
        times: How often.
        headers: Of the answer, such as Retry-After.
        message: What the answer says.
    """

    on: str
    what: int | str
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "ordered by the test"
    seconds: float = 0.2
    act: Callable[[], Any] | None = None


class Faults:
    """The faults that are ordered, and how many of each kind have struck."""

    def __init__(self) -> None:
        self.ordered: list[Fault] = []
        self.struck: Counter[int | str] = Counter()
        self._lock = threading.Lock()

    def order(self, *faults: Fault) -> None:
        self.ordered += faults

    def take(self, request: str) -> Fault | None:
        """The fault that strikes this request, counted."""
        with self._lock:
            for fault in self.ordered:
                if fault.times > 0 and re.search(fault.on, request):
                    fault.times -= 1
                    self.struck[fault.what] += 1
                    return fault
        return None
