"""What only a report of pictures and texts shows: where the own one stands, classes, the temperature, the worst."""

from typing import Any

import numpy as np

from hfkit.base.untrusted import read_json_file
from hfkit.evaluation import stats
from hfkit.report.analysis import Predictions, written
from hfkit.report.page import section
from hfkit.report.pictures import damaged, kept_tiles
from hfkit.runs.run import Run
from hfkit.tasks.zero_shot_image_classification.gallery import FILE

PLACES = {"first": (1, 1), "2 to 5": (2, 5), "6 to 10": (6, 10), "11 to 100": (11, 100)}
CLASSES = 100
"""That are listed at most."""


def parts(run: Run, seen: Predictions) -> dict[str, Any]:
    """What the page shows of pictures and captions, and leaves out."""
    with written(run):
        context: dict[str, Any] = {
            "places": _places(seen),
            "classes": _classes(run, seen),
            "lines": _lines(run, len(seen)),
        }
    learnt = [line["temperature"] for line in run.log() if "temperature" in line]
    context |= {"temperatures": (learnt[0], learnt[-1]) if learnt else None, "limit": PLACES}
    own = section(str(__package__), "captions.html.jinja", **context)
    return {"images": bool(context["lines"]), "own": [own], "lengths": None, "mistakes": None}


def _places(seen: Predictions) -> list[dict[str, Any]]:
    """How many have their own one where: pictures among the captions, captions among the pictures."""
    if "caption_place" not in seen.table.column_names:
        return []
    back = [place for row in seen.table["picture_places"].to_pylist() for place in row]
    found = []
    for title, places in (
        ("a picture's first own caption", seen.table["caption_place"].to_numpy()),
        ("a caption's picture", np.array(back)),
    ):
        counts = [int(((places >= low) & (places <= high)).sum()) for low, high in PLACES.values()]
        found.append({"title": title, "counts": [*counts, len(places) - sum(counts)], "all": len(places)})
    return found


def _classes(run: Run, seen: Predictions) -> list[dict[str, Any]]:
    """Of each class that occurs how many of its pictures are named, those that were never learnt first."""
    if not seen.labelled:
        return []
    found: list[dict[str, Any]] = []
    unseen = set(run.info["task_settings"].get("unseen") or [])
    for number, name in enumerate(seen.names):
        own = seen.truth == number
        if own.any():
            right = stats.wilson(int((seen.answer[own] == number).sum()), int(own.sum()))
            found.append({"name": name, "rows": int(own.sum()), "right": right, "unseen": name in unseen})
    return sorted(found, key=lambda one: (not one["unseen"], one["right"].value))[:CLASSES]


def _lines(run: Run, rows: int) -> list[dict[str, Any]]:
    """The kept pictures with what was found for them, the worst first."""
    table, path = run.table("pictures.parquet"), run.path / FILE
    if table is None or not path.is_file():
        return []
    tiles = {int(tile["row"]): tile for tile in kept_tiles(table, run, rows) if tile["part"] == "captions"}
    found = []
    for one in read_json_file(path):
        if not {"row", "id", "captions", "found"} <= set(one):
            raise damaged(run)
        if tile := tiles.get(int(one["row"])):
            found.append({"label": None, "answer": None, "place": None} | one | {"tile": tile})
    return found
