"""Judged: the figures of what a search found, and of the same candidates in the order of a reranker."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from hfkit.base.errors import HfkitError
from hfkit.data.readers.judgements import read_judgements
from hfkit.evaluation import wording
from hfkit.evaluation.metric import Columns, figures
from hfkit.evaluation.ranking import METRICS, found_at, recall
from hfkit.evaluation.stats import paired, with_intervals


class Judged:
    """Collects what is found for each query for which a file of judgements names right documents."""

    def __init__(self, qrels: str | Path, ids: Iterable[str]) -> None:
        """`ids` are those of the documents that can be found. Raises HfkitError: no document is right for any query."""
        self.name = Path(qrels).name
        self.right: dict[str, dict[str, float]] = {}
        for query, document, grade in read_judgements(Path(qrels))[1]:
            if grade > 0:
                self.right.setdefault(query, {})[document] = grade
        if not self.right:
            raise HfkitError("No judgement says that a document is right for a query", where=str(qrels))
        self.rows: list[tuple[dict[str, float], list[str], list[str]]] = []
        self.unknown, self.absent = 0, len(set().union(*self.right.values()) - set(ids))

    def add(self, query: str, retrieved: list[str], shown: list[str]) -> None:
        """The ids of a query's candidates, the best first: as they were found, and as they are shown."""
        if query in self.right:
            self.rows.append((self.right[query], retrieved, shown))
        else:
            self.unknown += 1

    def table(self, candidates: int, reranked: bool) -> list[str]:
        """Lines for a screen: the figures with intervals; of a reranker its own beside them, the paired difference, and
        the ceiling: what the best order of the same candidates has. Raises HfkitError: no query has a judgement."""
        if not self.rows:
            what = f"{self.name} judges none of the queries: no _id or id of a query is one of its query-ids"
            raise HfkitError(what, where="--qrels", fix="name the judgements of these queries")
        ideal = [
            sorted(right.keys() & set(found), key=right.__getitem__, reverse=True) for right, found, _ in self.rows
        ]
        before, after = (self._columns(list(found)) for found in list(zip(*self.rows, strict=True))[1:])
        best = figures(METRICS, self._columns(ideal))
        firsts = [max(right, key=right.__getitem__) for right, *_ in self.rows]
        groups = np.array(firsts) if len(set(firsts)) < len(firsts) else None
        metrics = [one for one in METRICS if one.name.rpartition("_")[2] != "100"]
        old, new = (with_intervals(metrics, one, 1000, 0, groups) for one in (before, after))
        rows = [["", "retrieved", "95 % interval"]]
        rows[0] += ["reranked", "95 % interval", "difference", "95 % interval", "p", "ceiling"] if reranked else []
        for one in metrics:
            row = [one.title, wording.number(old[one.name]["value"]), wording.interval(old[one.name])]
            if reranked:
                test = paired(one, after, before, groups=groups)
                row += [wording.number(new[one.name]["value"]), wording.interval(new[one.name])]
                row += [wording.gap(test["value"]), wording.gaps(test), wording.p_value(test["p_value"])]
                row.append(wording.number(best[one.name]))
            rows.append(row)
        there = float(recall(found_at(before), candidates).mean())
        told = f"{len(firsts):,} queries are judged by {self.name}, {self.unknown:,} are not"
        told += f"; recall@{candidates} {there:.3f}"
        told += f"; {self.absent:,} right documents are not in the index" if self.absent else ""
        drawn = "" if groups is None else f"; intervals draw the {len(set(firsts)):,} documents anew"
        return [told + drawn, *wording.aligned(rows)]

    def _columns(self, found: list[list[str]]) -> Columns:
        rights = [right for right, *_ in self.rows]
        grades = [list(right.values()) for right in rights]
        return Columns({"prediction": found, "reference": [list(right) for right in rights], "grades": grades})
