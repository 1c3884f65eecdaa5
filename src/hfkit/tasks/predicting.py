"""PredictArguments: how a file of texts is read and answered, whatever the task."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from hfkit.base.errors import HfkitError, check_known, nearest
from hfkit.config import FileArguments
from hfkit.data.tables.table import is_missing
from hfkit.inference.readers import Row
from hfkit.inference.rows import Answer
from hfkit.runs.run import Run


@dataclass(kw_only=True)
class PredictArguments(FileArguments):
    """What `predict` takes for a file of texts, beside the arguments of `hfkit.pipeline`."""

    text_column: str | None = None  # by default, as the next one, that which the run was trained on, else a usual name
    text_pair_column: str | None = None
    skip_bad_rows: bool = False  # give a row without a text no answer, counted, instead of stopping
    disable_tqdm: bool = False  # no progress bar on standard error
    trained: Mapping[str, Any] = field(default_factory=dict)  # what a run says of its data; nothing of other models

    @classmethod
    def taken(cls, model: Any, options: dict[str, Any]) -> Self:
        """Those among the options of a `predict`, taken out of them. What stands for a missing text is by default what
        the run says. Raises HfkitError: one is left over, and the pipeline that would take it is made already."""
        given = {one.name: options.pop(one.name) for one in fields(cls) if one.name in options}
        info = Run(model).info if isinstance(model, str | Path) and (Path(model) / "run.json").is_file() else {}
        for name, usual in (("missing_values", info.get("config", {}).get("missing_values", ())), ("column_names", ())):
            given[name] = list(given.get(name) or usual)
        for name in () if isinstance(model, str | Path) else options:
            what = f"{name}={options[name]!r} has no effect: the pipeline is loaded already"
            raise HfkitError(what, fix=nearest(name, [one.name for one in fields(cls) if one.name != "trained"]))
        return cls(**given | {"trained": info.get("data") or {}})

    def is_text(self, value: Any) -> bool:
        """Whether a cell holds a text."""
        return isinstance(value, str) and not self.is_empty(value)

    def is_empty(self, value: Any) -> bool:
        """Whether a cell holds nothing, or what stands for a missing value."""
        return is_missing(value) or str(value).strip() in self.missing_values

    def text_in(self, column: str, place: str, row: Mapping[str, Any]) -> str | None:
        """The text of a row's column; None for a row to skip. Raises as `leave_out`."""
        value = row.get(column)
        if self.is_text(value):
            return str(value)
        self.leave_out(place, column, value)
        return None

    def leave_out(self, place: str, column: str, value: Any, what: str = "text", fix: str = "mend the row") -> None:
        """Refuse a row that has no text, unless such rows may be skipped."""
        if not self.skip_bad_rows:
            told = f"The row has no {what} in its column {column!r}: {repr(value)[:80]}"
            fix = f"{fix}, or --skip_bad_rows to leave such rows without an answer"
            raise HfkitError(told, where=place, fix=fix)


def answering(
    read: Callable[[str, dict[str, Any]], Any], answer: Callable[[list[Any]], Iterable[Answer]]
) -> Callable[[list[Row]], list[Answer | None]]:
    """What `answer_rows` asks: `read` makes of a place and its row what `answer` takes, or None of one to skip."""

    def answers(rows: list[Row]) -> list[Answer | None]:
        asked = [read(place, row) for place, row in rows]
        found = iter(answer([one for one in asked if one is not None]))
        return [None if one is None else next(found) for one in asked]

    return answers


def check_format(asked: str, known: Sequence[str]) -> None:
    """Refuse an --output_format that there is not."""
    check_known(asked, known, f"There is no --output_format {asked}")
