"""Three rows as the model reads them: tokens decoded back and what was cut, or augmented pictures."""

from pathlib import Path
from typing import Any

import torch

from hfkit.base.atomic import writing
from hfkit.base.sanitize import line
from hfkit.training.doctor.patient import Patient

ROWS, KEPT = 3, 300  # rows that are shown, and characters of each


def show(patient: Patient, folder: Path) -> list[dict[str, Any]]:
    """Prints rows of the training split, and gives what was shown; pictures go to `folder` as PNG files."""
    encoded, shown = patient.encoded["train"], []
    rows = [round(at * (len(encoded) - 1) / (ROWS - 1)) for at in range(min(ROWS, len(encoded)))]
    for row, features in zip(rows, patient.task.read(patient.learnt, _known(rows, patient), 0), strict=False):
        entry: dict[str, Any] = {"id": str(encoded[row]["id"])}
        if isinstance(features.get("pixel_values"), torch.Tensor):
            entry["file"] = str(_drawn(features["pixel_values"], folder / f"row-{row}.png"))
        elif "input_ids" in encoded.column_names:
            ids = encoded[row]["input_ids"]
            ids = [token for window in ids for token in window] if ids and isinstance(ids[0], list) else ids
            entry["read"] = patient.processor.decode(ids)[:KEPT]
            entry["tokens"], entry["cut"] = len(ids), bool(encoded[row]["truncated"])
        print("row " + line(", ".join(f"{name} {value}" for name, value in entry.items()), 500))
        shown.append(entry)
    return shown


def _known(rows: list[int], patient: Patient) -> list[int]:
    return [min(row, len(patient.learnt) - 1) for row in rows]


def _drawn(pixels: torch.Tensor, path: Path) -> Path:
    """A picture of what the model sees, its least number black and its largest white."""
    from PIL import Image

    low, high = pixels.min(), pixels.max()
    made = ((pixels - low) / (high - low).clamp(min=1e-9) * 255).round().to(torch.uint8).permute(1, 2, 0)
    with writing(path, "set --output"):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(made.squeeze(-1).numpy()).save(path)
    return path
