"""DataSummary: the facts of a load, for the screen, the run and the report; and LoadedData, which carries them."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import datasets

from hfkit.base.errors import HfkitError
from hfkit.base.processes import is_first
from hfkit.base.sanitize import flat
from hfkit.data.labels.names import finder, left_out
from hfkit.data.labels.problem import feature_of, figures, in_words, kind_of, names_of
from hfkit.data.sources.source import Source
from hfkit.data.tables import near_copies
from hfkit.data.tables.columns import Columns
from hfkit.data.tables.rows import Rows
from hfkit.data.text.chats import said, unpacked
from hfkit.data.text.keys import folded
from hfkit.data.vision.decode import data_of, undecoded
from hfkit.data.vision.pictures import pictured

if TYPE_CHECKING:
    from hfkit.data.text.document_streams import DocumentStream

# The columns of what a language model reads, and of pairs
DOCUMENTS = ("text", "prompt", "completion", "messages", "tools", "source", "target")


@dataclass
class DataSummary:
    """What was loaded, and everything that was counted on the way. All of it is plain JSON."""

    name: str  # what `--dataset` said
    source: str  # hub, file or embedded
    location: str  # Hub id, path, or package and file
    reading: str  # the printed sentence: which column is what, the classes, the sizes
    label_column: str | None
    problem_type: str  # one of transformers' three; language_modeling where there are no labels
    text_column: str | None = None  # the columns as the source calls them
    text_pair_column: str | None = None
    image_column: str | None = None
    label_names: list[str] | None = None  # the classes in order; None for regression
    decimal: str | None = None  # a comma, where that is the decimal mark of the labels
    pixel_range: list[float] | None = None  # what becomes black and white of pixels of more than 8 bits
    # The pinned commit of a Hub data set; of an embedded one the first digits of its checksum
    revision: str | None = None
    # The data card's file, if one was used; pretty_name, license, language and prose come from it
    card: str | None = None
    pretty_name: str | None = None
    license: str | None = None
    language: str | None = None
    origin: str | None = None  # the Hub id that the card names, which embedded rows come from too
    prose: str | None = None  # what the card tells people about the data, for the model card
    # For each split `rows`, `labels` (a count for each name, or mean, std, min, max) and `fingerprint`; of documents,
    # which have no labels, `bytes`
    splits: dict[str, dict[str, Any]] = field(default_factory=dict)
    # Repeats and leaks removed, rows dropped, columns not used, labels merged: each with its count
    notes: list[str] = field(default_factory=list)


class LoadedData(datasets.DatasetDict):
    """A plain `datasets.DatasetDict` that remembers how it was read, as `summary`. Of a stream `train` is the first
    window, and `stream` what the others come from."""

    summary: DataSummary
    stream: "DocumentStream | None" = None

    def apart_from(self, judged: datasets.DatasetDict) -> "LoadedData":
        """The same splits, without the training texts that `judged` has in its validation or test split (equal without
        outer space and case): what is learnt here says nothing of figures there. How many these were is told."""
        held = {folded(text) for split in judged if split != "train" for text in judged[split]["text"]}
        kept = [row for row, text in enumerate(self["train"]["text"]) if folded(text) not in held]
        apart = LoadedData(self | {"train": self["train"].select(kept)})
        left, texts = len(self["train"]) - len(kept), len(self["train"])
        note = f"{left:,} of {texts:,} texts of train are judged elsewhere: removed"
        splits = self.summary.splits | {"train": describe(apart["train"])}
        apart.summary = replace(self.summary, splits=splits, notes=[*self.summary.notes, note])
        apart.summary.reading = reading(apart.summary)
        say(apart.summary)
        return apart


def summary_of(data: datasets.DatasetDict) -> DataSummary:
    """The summary of loaded data; of a DatasetDict from elsewhere, what can be read from its columns."""
    if isinstance(data, LoadedData):
        return data.summary
    feature = data["train"].features.get("label")
    held = [name for name in ("text", "text_pair", "image", "label") if name in data["train"].column_names]
    columns: dict[str, Any] = {"label_column": None} | {f"{name}_column": name for name in held}
    summary = DataSummary(
        name="in memory", source="file", location="in memory", reading="", problem_type=kind_of(feature),
        label_names=names_of(feature), **columns,
    )  # fmt: skip
    summary.splits = {split: describe(rows) for split, rows in data.items()}
    summary.reading = reading(summary)
    return summary


def finished(
    opened: Source, splits: dict[str, datasets.Dataset], notes: list[str], *, problem_type: str, **columns: Any
) -> LoadedData:
    """The splits with their summary, which rank 0 prints; `columns` are its entries on what was read as what, and
    `reading` where it is not what `reading` says."""
    data = LoadedData(splits)
    card = opened.card
    told: dict[str, Any] = {name: getattr(card, name, None) for name in ("pretty_name", "license", "language", "prose")}
    data.summary = DataSummary(
        name=opened.name,
        source=opened.kind,
        location=opened.location,
        revision=opened.revision,
        problem_type=problem_type,
        card=card.path.name if card else None,
        origin=card.source if card else None,
        **told,
        splits={role: describe(rows) for role, rows in data.items()},
        notes=[*notes, *near_copies.told(data)],
        **{"reading": ""} | columns,
    )
    data.summary.reading = data.summary.reading or reading(data.summary)
    say(data.summary)
    return data


def build(
    rows: Rows, columns: Columns, problem_type: str, names: list[str] | None, grouped: bool = False
) -> datasets.Dataset:
    """One split as a data set in memory, without a cache; with `group` where rows are `grouped` by a column."""
    texts = rows.inputs if columns.image is None else {}
    held = {"id": rows.id, **texts, "label": rows.label} | ({"group": rows.unit} if grouped else {})
    features = dict.fromkeys(held, datasets.Value("string")) | {"label": feature_of(problem_type, names)}
    if columns.image is not None:
        return pictured(rows.table, rows.index, {"image": columns.image}, held, features)
    return datasets.Dataset.from_dict(held, features=datasets.Features(features))


def finished_pictures(
    opened: Source,
    splits: dict[str, Rows],
    notes: list[str],
    images: dict[str, str],
    columns: Callable[[Rows], dict[str, tuple[Any, Any]]],
    grouped: bool,
    **told: Any,
) -> LoadedData:
    """As `finished`, of rows of pictures: `id`, the columns of the source that `images` names, what `columns` makes of
    a split's rows, each with its kind, and `group` where rows are `grouped` by a column."""
    data, text = {}, datasets.Value("string")
    for role, rows in splits.items():
        made = {"id": (rows.id, text), **columns(rows)} | ({"group": (rows.unit, text)} if grouped else {})
        held, kinds = ({name: pair[at] for name, pair in made.items()} for at in (0, 1))
        data[role] = pictured(rows.table, rows.index, images, held, kinds)
    return finished(opened, data, notes, **told)


def rename_labels(
    rows: datasets.Dataset, names: list[str], origin: str, drop: bool
) -> tuple[datasets.Dataset, list[str]]:
    """The same rows with `names` as classes, matched by name (names that look equal are), and what was left out. Raises
    HfkitError: the rows are of another kind of label, or have a label that `names` lacks and are not to be dropped."""
    own = names_of(rows.features["label"])
    if own is None:
        raise HfkitError("The labels are numbers, and the model knows classes", where=origin, fix=", ".join(names))
    to = list(map(finder(names), own))
    multi = isinstance(rows.features["label"], datasets.List)
    lists = [label if multi else [label] for label in rows["label"][:]]
    kept = [row for row, label in enumerate(lists) if None not in [to[n] for n in label]]
    unknown = [own[n] for n in sorted({n for label in lists for n in label}) if to[n] is None]
    if unknown and not (drop and kept):
        fix = f"rename them; the model's labels are {', '.join(names)}"
        fix += "; or --drop_unseen_labels leaves those rows out, counted" if kept else ""
        what = f"The data has labels that the model does not know: {', '.join(unknown)}"
        raise HfkitError(what, where=origin, fix=fix)
    notes = [left_out(len(rows) - len(kept), "test", unknown)] if unknown else []
    rows = rows.select(kept) if unknown else rows
    labels = [sorted(to[n] for n in lists[row]) if multi else to[lists[row][0]] for row in kept]
    feature = feature_of(kind_of(rows.features["label"]), names)
    return rows.remove_columns("label").add_column("label", labels, feature=feature), notes


def describe(rows: datasets.Dataset) -> dict[str, Any]:
    """Rows, labels and fingerprint of one split."""
    if "label" not in rows.column_names:
        cells = [value for column in DOCUMENTS if column in rows.column_names for value in rows[column]]
        texts = (value if isinstance(value, str) else "".join(map(said, unpacked(value))) for value in cells)
        size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
        return {"rows": len(rows), "bytes": size, "fingerprint": _fingerprint(rows, None)}
    names = names_of(rows.features["label"])
    return {"rows": len(rows), "labels": figures(rows["label"][:], names), "fingerprint": _fingerprint(rows, names)}


def reading(summary: DataSummary) -> str:
    """The sentence on the screen: `text = review, label = stars: 2 classes negative, positive; 900 / 50 / 50 rows`."""
    pair = f", text_pair = {summary.text_pair_column}" if summary.text_pair_column else ""
    sizes = " / ".join(f"{split['rows']:,}" for split in summary.splits.values())
    if summary.label_column is None:
        size = sum(split["bytes"] for split in summary.splits.values())
        return f"text = {summary.text_column}: {size / 1e6:,.3g} MB; {sizes} documents"
    labels = [split["labels"] for split in summary.splits.values()]
    what = in_words(summary.problem_type, summary.label_names or [], labels)
    inputs = f"image = {summary.image_column}" if summary.image_column else f"text = {summary.text_column}{pair}"
    return f"{inputs}, label = {summary.label_column}: {what}; {sizes} rows"


def say(summary: DataSummary) -> None:
    """Prints what was read, from the first process."""
    if is_first():
        print(*map(flat, [f"data {summary.name}: {summary.reading}", *summary.notes]), sep="\n  - ", flush=True)


def _fingerprint(rows: datasets.Dataset, names: list[str] | None) -> str:
    """sha256 over id, texts and label names: equal for equal examples in equal order, whatever file they came from. A
    picture, and a mask, counts with the sha256 of its file."""
    digest = hashlib.sha256()
    order = ["id", "text", "text_pair", "answers", "references", "documents", "grades", "score", "boxes", "captions"]
    columns = [rows[name][:] for name in order + list(DOCUMENTS[1:]) if name in rows.column_names]
    for name in ("image", "mask"):
        if name in rows.column_names:
            columns.append([hashlib.sha256(data_of(row[name])).hexdigest() for row in undecoded(rows, name)])
    labels = rows["label"][:] if "label" in rows.column_names else [None] * len(rows)
    for *texts, label in zip(*columns, labels, strict=True):
        if names is not None:
            label = [names[number] for number in (label if isinstance(label, list) else [label])]
        digest.update(json.dumps([*texts, label], ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
