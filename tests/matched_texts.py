"""Queries and documents that share a word: what a tiny model can learn to match, in each form in which people write."""

import json
from pathlib import Path
from typing import Any

from words import WORDS_BAD, WORDS_GOOD, WORDS_PLAIN

WORDS = [*WORDS_GOOD, *WORDS_BAD, *WORDS_PLAIN]


def pairs(rows: int = 120) -> list[dict[str, Any]]:
    """`query`, `positive` and `negative`; a query shares two words with its document and none with the other."""
    found = []
    for number in range(rows):
        one, two, three = (WORDS[(number * step + step) % len(WORDS)] for step in (1, 5, 11))
        found.append(
            {
                "id": f"r{number}",
                "query": f"{one} {two} {number}",
                "positive": f"{two} {one} {three} {number} {number}",
                "negative": f"{three} {WORDS[(number + 17) % len(WORDS)]} {number + 500}",
            }
        )
    return found


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """JSON lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def write_beir(folder: Path, splits: dict[str, list[tuple[str, str, int]]], documents: int = 30) -> Path:
    """A BEIR folder: `documents` of them, a query for each, and the judgements of each split."""
    (folder / "qrels").mkdir(parents=True)
    rows = pairs(documents)
    corpus = [{"_id": f"d{at}", "title": f"t{at}", "text": row["positive"]} for at, row in enumerate(rows)]
    write_rows(folder / "corpus.jsonl", corpus)
    write_rows(folder / "queries.jsonl", [{"_id": f"q{at}", "text": row["query"]} for at, row in enumerate(rows)])
    for split, judged in splits.items():
        lines = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, one)) for one in judged)]
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    return folder
