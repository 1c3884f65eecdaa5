"""found.json: the queries of a test split that went worst, with the documents that were found for them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import Dataset

from hfkit.base.atomic import write_json, writing
from hfkit.evaluation.ranking import found_at

FILE = "found.json"

WORST, SHOWN = 12, 3
"""Queries that are kept, and documents of each beside the right one."""

LONGEST = 600
"""Characters of a text that are kept."""


def first_places(table: pa.Table, prediction: str = "prediction") -> np.ndarray:
    """(queries,) the place of each query's first right document, from 1; infinite where none was kept."""
    columns: Any = {name: table[name].to_pylist() for name in (prediction, "reference", "grades")}
    return np.array([row[:, 0].min(initial=np.inf) for row in found_at(columns, prediction)]) + 1


def keep(folder: Path, rows: Dataset, table: pa.Table) -> None:
    """Write found.json: of each query `id`, `text`, `place` of the first right document (null where it is not among
    those kept) and `found`: documents with `id`, `place`, `text` and whether it is `right`, the right one last."""
    places = first_places(table)
    order = [int(row) for row in np.argsort(-places, kind="stable")[:WORST] if places[row] > 1]
    texts = {
        id: text
        for ids, documents in zip(rows["document_ids"], rows["documents"], strict=True)
        for id, text in zip(ids, documents, strict=True)
    }
    chosen = []
    for row, said in zip(order, table.take(order).to_pylist() if order else [], strict=True):
        right = set(said["reference"])
        shown = {id: place + 1 for place, id in enumerate(said["prediction"][:SHOWN])}
        first = next((id for id in said["prediction"] if id in right), next(iter(said["reference"]), None))
        if first is not None:
            shown.setdefault(first, int(places[row]) if np.isfinite(places[row]) else 0)
        found = [
            {"id": id, "place": place or None, "text": texts.get(id, "")[:LONGEST], "right": id in right}
            for id, place in shown.items()
        ]
        place = int(places[row]) if np.isfinite(places[row]) else None
        chosen.append({"id": said["id"], "text": said["text"][:LONGEST], "place": place, "found": found})
    with writing(folder):
        write_json(folder / FILE, chosen)
