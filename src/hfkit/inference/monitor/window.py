"""Window: rows and their answers, as much of them as the tests read: a sample of the texts, a number of the rest."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from hfkit.base.errors import HfkitError, nearest
from hfkit.base.sanitize import line
from hfkit.config import FileArguments
from hfkit.evaluation.confidence.scaling import logits_of, scaled
from hfkit.evaluation.confidence.thresholds import decided
from hfkit.evaluation.metric import as_array
from hfkit.inference.readers import open_rows
from hfkit.runs.run import Run
from hfkit.training.judging.test_split import TEXT_KEPT, VALIDATION

SAMPLE = 1000
"""Texts that are read again: enough for the tests, and seconds whatever the file's size."""

REGULAR = 5000
"""Confidences that are held against validation's: with more a test would find what nobody would act on."""


@dataclass
class Window:
    """Rows of one kind, and what was answered to them."""

    answer: np.ndarray  # (rows,) ids of labels
    claimed: np.ndarray  # (rows,) the probability of the label that was answered
    truth: np.ndarray | None  # (rows,) ids of labels; -1 where a row has none
    texts: list[str] | None  # of the rows of `sample`, at most TEXT_KEPT characters each; None for pictures
    sample: np.ndarray  # the places of the rows whose texts are here

    def __len__(self) -> int:
        return len(self.answer)

    @property
    def regular(self) -> np.ndarray:
        """Confidences, as many as the tests take, evenly from all."""
        return self.claimed[:: max(1, -(-len(self.claimed) // REGULAR))]

    def counts(self, classes: int) -> np.ndarray:
        """How often each label was answered, (classes,)."""
        return np.bincount(self.answer, minlength=classes)


def reference(run: Run) -> Window:
    """The validation rows of a finished run of one label a row.

    Raises HfkitError: the run learnt something else, or keeps no validation predictions."""
    table = run.table(VALIDATION)
    if table is None or not len(table):
        fix = "hfkit evaluate RUN --split validation makes them"
        raise HfkitError(f"{run.path} has no validation predictions to hold new rows against", fix=fix)
    told = {
        name: as_array(table[name]) for name in ("label", "prediction", "probabilities") if name in table.column_names
    }
    if len(told) < 3 or told["label"].ndim != 1 or not run.info["task_settings"].get("labels"):
        what = f"{run.path} is a run of {run.info['task']} that does not answer with one label a row"
        raise HfkitError(what, fix="take a classifier: it alone is watched")
    sample = _sampled(len(table))
    texts = _texts(table.take(sample), [name for name in ("text", "text_pair") if name in table.column_names])
    answer, shares = told["prediction"], told["probabilities"]
    if calibration := run.info["task_settings"].get("calibration"):  # which new rows are answered with
        shares = scaled(calibration, logits_of(shares, several=False), several=False)
        rule = decided(calibration, shares, several=False)
        answer = answer if rule is None else rule
    claimed = np.take_along_axis(shares, answer[:, None], axis=1)[:, 0]
    return Window(answer, claimed, told["label"], texts, sample)


def answered(file: Path, names: list[str], columns: list[str], truth: np.ndarray | None) -> Window:
    """The rows of a Parquet file whose last two columns are the label that was answered and its probability, those
    without an answer left out. `columns` hold their texts, `names` are the model's labels, `truth` (rows,) the true
    ones. Raises HfkitError: nothing was answered."""
    source = parquet.ParquetFile(file)
    said, score = source.schema_arrow.names[-2:]
    table = source.read(columns=[said, score])
    given = np.array([value is not None for value in table[said].to_pylist()], dtype=bool)
    if not given.any():
        raise HfkitError("No row has an answer", where=str(file))
    table, ids = table.filter(pa.array(given)), {name: place for place, name in enumerate(names)}
    answer = np.array([ids[value] for value in table[said].to_pylist()])
    sample = _sampled(len(answer))
    texts = _sampled_texts(source, columns, np.flatnonzero(given)[sample]) if columns else None
    return Window(answer, as_array(table[score]), None if truth is None else truth[given], texts, sample)


def true_labels(path: Path, column: str, names: list[str], how: FileArguments) -> np.ndarray:
    """The true labels in a column of a file, (rows,) ids of `names`, whose case does not count; -1: none is given.

    Raises HfkitError: there is no such column, or a label that the model does not know."""
    if not path.is_file():
        what = "--label_column is for files with a row a line"
        raise HfkitError(what, where=str(path), fix="name a CSV file of paths and labels")
    ids = {name.casefold(): place for place, name in enumerate(names)}
    with open_rows(path, how) as source:
        if column not in source.columns:
            raise HfkitError(f"There is no column {column!r}", where=source.name, fix=nearest(column, source.columns))
        cells = ["" if row.get(column) is None else str(row[column]).strip() for _, row in source.rows]
    unknown = sorted({cell for cell in cells if cell and cell.casefold() not in ids})
    if unknown:
        what = f"The file has labels that the model does not know: {', '.join(map(line, unknown[:8]))}"
        raise HfkitError(what, where=str(path), fix=f"the model's labels are {', '.join(map(line, names[:12]))}")
    return np.array([ids.get(cell.casefold(), -1) for cell in cells], dtype=int)


def _sampled(rows: int) -> np.ndarray:
    """The places of SAMPLE rows, evenly drawn; of fewer all. The same for the same number of rows."""
    drawn = np.random.default_rng(0).choice(rows, min(rows, SAMPLE), replace=False)
    return np.sort(drawn)


def _sampled_texts(source: parquet.ParquetFile, columns: list[str], wanted: np.ndarray) -> list[str]:
    """The texts of the rows at some places, read a batch at a time."""
    begin, texts = 0, []
    for batch in source.iter_batches(columns=columns):
        here = wanted[(wanted >= begin) & (wanted < begin + len(batch))] - begin
        texts += _texts(pa.Table.from_batches([batch.take(pa.array(here))]), columns) or []
        begin += len(batch)
    return texts


def _texts(table: pa.Table, columns: list[str]) -> list[str] | None:
    """A text a row, cut as runs cut what they keep; both of a pair in one."""
    if not columns:
        return None
    cells = ([str(cell or "")[:TEXT_KEPT] for cell in table[name].to_pylist()] for name in columns)
    return ["\n".join(row) for row in zip(*cells, strict=True)]
