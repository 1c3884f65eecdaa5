"""draft_card: a data card written from the data, with the places marked that only a person can fill."""

import dataclasses
import json
import os
import re
from pathlib import Path
from typing import Any

import jinja2
from datasets import List

from hfkit.base.atomic import write_text, writing
from hfkit.base.errors import HfkitError
from hfkit.base.sanitize import line
from hfkit.config import DataArguments
from hfkit.data.cards import facts
from hfkit.data.cards.vocabulary import size_category
from hfkit.data.load import load_data
from hfkit.data.sources.source import Source, open_source
from hfkit.data.summary import LoadedData
from hfkit.data.tables.roles import choose_splits
from hfkit.tasks import discover

MARK = "fill in:"  # stands where a person has something to say. `hfkit card check` refuses a card that still has it.
EXAMPLE_CHARACTERS = 300


def draft_card(name: str, data: DataArguments, output: str | Path | None = None, overwrite: bool = False) -> Path:
    """Write `data_cards/NAME.md` from the data: front matter, columns, counts, lengths, repeats, leaks, examples.

    Rows without a text or label, and pictures that cannot be read, are dropped and counted, as training does with
    `--drop_bad_rows --skip_corrupt`. `name` is what `--dataset` shall take; columns and splits that `data` names stand
    in the card. A path in it is seen from the card, so `output`, the file, must stand where it will be used. Raises
    HfkitError: the file is there, the name is none, or the data cannot be read."""
    path = Path(output) if output else Path("data_cards") / f"{name}.md"
    if not name.replace("-", "_").replace(".", "_").isidentifier() or path.suffix != ".md":
        fix = "letters, digits, - and _, in a file ending in .md"
        raise HfkitError(f"{name!r} in {path} is no card's name", fix=fix)
    if path.exists() and not overwrite:
        raise HfkitError(f"{path} is there", fix="say --overwrite, or choose another name")
    limits: dict[str, Any] = dict.fromkeys(("max_train_samples", "max_eval_samples", "max_test_samples"))
    data = dataclasses.replace(data, data_seed=0, drop_bad_rows=True, skip_corrupt=True, **limits)
    opened, loaded = open_source(data), load_data(data)
    text = _template().render(_context(name, path, data, opened, loaded))
    with writing(path, "say --output"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    return path


def _context(name: str, path: Path, data: DataArguments, opened: Source, loaded: LoadedData) -> dict[str, Any]:
    summary = loaded.summary
    tables, _ = choose_splits(opened, data)
    texts = loaded["train"]["text"][:] if "text" in loaded["train"].column_names else []
    languages = facts.guess(texts)
    labels = {split: found["labels"] for split, found in summary.splits.items()}
    columns = {role: getattr(summary, f"{role}_column") for role in ("text", "text_pair", "image", "label")}
    used = {role: column for role, column in columns.items() if column is not None}
    reads = ("image" if summary.image_column else "text",)
    size = sum(map(len, loaded.values()))
    first_pictures = loaded["train"].select(range(min(200, len(loaded["train"]))))
    return {
        "name": name,
        "mark": MARK,
        "summary": summary,
        "source": source_of(opened, path),
        "splits": {role: next(key for key, one in opened.tables.items() if one is tables[role]) for role in tables},
        "single": opened.single,
        "shares": {key: getattr(data, key) for key in ("validation_size", "test_size") if getattr(data, key)},
        "columns": facts.columns(tables),
        "used": used | ({"label": data.label_columns} if data.label_columns else {}),
        "separator": data.label_separator,
        "declared": next(iter(opened.tables.values())).label_names.get(str(summary.label_column)),
        "task": next(spec.name for spec in discover.specs() if spec.labelled and spec.reads == reads),
        "languages": languages,
        "language": ", ".join(code for code, _ in languages) or "en",
        "rows": size,
        "raw": sum(len(table) for table in tables.values()),
        "size": size_category(size),
        "regression": summary.label_names is None,
        "multi": isinstance(loaded["train"].features["label"], List),
        "lengths": {split: facts.lengths(rows["text"][:]) for split, rows in loaded.items()} if texts else {},
        "sizes": facts.sizes([row["image"] for row in first_pictures]) if summary.image_column else None,
        "labels": labels,
        "examples": _examples(loaded) if texts else [],
    }


def source_of(opened: Source, path: Path) -> str:
    """The source as a card at `path` names it: a Hub id, demo:NAME, or the way from the card to the data."""
    if opened.kind != "file":
        return opened.location if opened.kind == "hub" else opened.name
    way = os.path.relpath(Path(opened.location).expanduser().resolve(), path.parent.resolve()).replace(os.sep, "/")
    return way if way.startswith("..") else f"./{way}"


def _examples(loaded: LoadedData, at_most: int = 4) -> list[dict[str, str]]:
    """The first training row of each label, shortened."""
    rows, found, seen = loaded["train"], [], set()
    names = loaded.summary.label_names
    for row in rows.select(range(min(len(rows), 5000))):
        label = row["label"]
        if names is not None:
            numbers = label if isinstance(label, list) else [label]
            label = ", ".join(names[number] for number in numbers) or "(none)"
        if names is not None and label in seen:
            continue
        seen.add(label)
        texts = [row[column] for column in ("text", "text_pair") if column in row]
        found.append({"label": str(label), "text": line(" / ".join(texts), EXAMPLE_CHARACTERS)})
        if len(found) == at_most:
            break
    return found


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hfkit.data.cards", "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    # JSON is YAML: strings in quotes, whatever they hold.
    environment.filters["yaml"] = lambda value: json.dumps(value, ensure_ascii=False)
    environment.filters["count"] = lambda value: f"{value:,}"
    environment.filters["md"] = lambda value: re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", line(value, EXAMPLE_CHARACTERS))
    return environment.get_template("data_card.md.jinja")
