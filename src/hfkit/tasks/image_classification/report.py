"""The pictures that a run of images keeps, as parts of its page. Nothing but the run's files is read."""

from collections.abc import Iterable
from typing import Any

from hfkit.report import analysis
from hfkit.report.analysis import Predictions
from hfkit.report.page import section, totals
from hfkit.report.pictures import Row, damaged, kept_tiles
from hfkit.runs.run import Run

MISTAKES = 20  # a picture is looked at faster than a text is read
LAYERS = 400  # layers of a model that are listed at most


def parts(run: Run, seen: Predictions) -> dict[str, Any]:
    """What the page shows of a run of pictures, and leaves out."""
    told = {"seen": seen, "info": run.info, "pictures": pictures(run, seen)}
    wrong = analysis.mistakes(seen, MISTAKES)
    mistakes = section(__package__, "mistakes.html.jinja", mistakes=wrong, **told) if wrong else wrong
    own = section(__package__, "pictures.html.jinja", layers=layers(run), speeds=speeds(run), **told)
    return {"images": told["pictures"] is not None, "own": [own], "mistakes": mistakes, "lengths": None}


def speeds(run: Run) -> list[tuple[str, float]]:
    """What the run measured, in images a second. A linear probe trains on features, which says nothing of images."""
    learning = "training the head, on features computed once" if run.config.get("linear_probe") else "training"
    names = {"samples_per_second": learning, "eval_samples_per_second": "answering, in the batches of evaluation"}
    times = totals(run)
    return [(title, float(times[name])) for name, title in names.items() if name in times]


def pictures(run: Run, seen: Predictions) -> dict[str, Any] | None:
    """The parts of the page that show pictures; a part that the run keeps nothing for is empty: `filters` (a tile or
    None), `mistakes` (row -> tile), `classes` and `maps` and `augmented` (lines of tiles), and `facts`, which run.json
    says of them. None where the run keeps no pictures at all. A tile is `{"uri", "why", "row", "label", "width",
    "height"}`. Raises HfkitError: the file holds what hfkit does not write."""
    table = run.table("pictures.parquet")
    if table is None:
        return None
    tiles = kept_tiles(table, run, len(seen), ("filters", "augmented"))
    parts: dict[str, list[Row]] = {name: [] for name in ("filters", "mistake", "map", "augmented", "class")}
    for tile in tiles:
        parts.get(tile["part"], []).append(tile)
    for tile in [*parts["class"], *parts["map"]]:
        if not seen.regression and tile["why"] != "picture" and not 0 <= tile["label"] < len(seen.names):
            raise damaged(run)
    return {
        "facts": run.info.get("pictures") or {},
        "filters": next(iter(parts["filters"]), None),
        "mistakes": {tile["row"]: tile for tile in parts["mistake"]},
        "classes": [_class(seen, line) for line in _lines(parts["class"], "label")],
        "maps": [_map(seen, line) for line in _lines(parts["map"], "row")],
        "augmented": _lines(parts["augmented"], "row"),
    }


def layers(run: Run) -> dict[str, Any] | None:
    """layers.json for the page: the layers with their shapes as text, and what they have in common left out."""
    if not (run.path / "layers.json").is_file():
        return None
    found = run.read("layers.json")
    lines = [
        {**layer, "size": " × ".join(f"{int(side):,}" for side in layer["shape"]) or "–"} for layer in found["layers"]
    ]
    return {**found, "layers": lines[:LAYERS], "more": max(0, len(lines) - LAYERS)}


def _lines(tiles: Iterable[Row], key: str) -> list[list[Row]]:
    """Tiles of the same `key`, in the order in which it comes first."""
    found: dict[int, list[Row]] = {}
    for tile in tiles:
        found.setdefault(int(tile[key]), []).append(tile)
    return list(found.values())


def _class(seen: Predictions, tiles: list[Row]) -> dict[str, Any]:
    """A line of the grid: the class's name, and each picture with what the model said of it."""
    label = int(tiles[0]["label"])
    for tile in tiles:
        assert seen.shares is not None
        tile["share"] = float(seen.shares[tile["row"], label])
        tile["answer"] = "" if tile["why"] != "missed" else seen.names_of(seen.answer[tile["row"]])
    return {"name": seen.names[label], "tiles": tiles}


def _map(seen: Predictions, tiles: list[Row]) -> dict[str, Any]:
    """A picture with its maps, in words."""
    row = int(tiles[0]["row"])
    for tile in tiles:
        label = "the answer" if seen.regression else seen.names[tile["label"]] if tile["why"] != "picture" else ""
        tile["named"] = label
    named = {"truth": seen.names_of(seen.truth[row]), "answer": seen.names_of(seen.answer[row])}
    return {"tiles": tiles, "right": bool(seen.right()[row])} | named
