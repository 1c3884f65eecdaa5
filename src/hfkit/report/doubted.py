"""The test rows whose labels `hfkit labels` doubts, as a run keeps them, for its report."""

from collections.abc import Mapping
from typing import Any

from hfkit.runs.run import Run

FILE = "wrong_labels.json"


def doubted(run: Run, texts: Mapping[str, str]) -> dict[str, Any] | None:
    """What the page shows: how many labels are wrong, and rows with their text, by the `texts` of their ids; None where
    nobody asked. Raises HfkitError: the file holds what hfkit does not write."""

    def read(content: Any) -> dict[str, Any]:
        rows = [
            {name: str(row[name]) for name in ("id", "label", "suggested_label")}
            | {"sure": float(row["suggested_probability"]), "text": texts.get(str(row["id"]), "")}
            for row in content["rows"]
        ]
        wrong = {name: round(float(content["wrong"][name])) for name in ("value", "low", "high")}
        return {"labels": int(content["labels"]), "wrong": wrong, "rows": rows}

    return run.kept(FILE, read, None)
