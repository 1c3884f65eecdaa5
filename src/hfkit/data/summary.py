"""DataSummary: the facts of a load, for the screen, the run and the report; and LoadedData, which carries them."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import datasets
import pyarrow as pa

from hfkit.base.errors import HfkitError
from hfkit.base.processes import is_first
from hfkit.base.sanitize import flat
from hfkit.data.labels.feature import feature_of, figures, kind_of, names_of, told
from hfkit.data.labels.names import finder, left_out
from hfkit.data.sources.source import Source
from hfkit.data.tables.columns import Columns
from hfkit.data.tables.rows import Rows
from hfkit.data.text.chats import said, unpacked
from hfkit.data.vision.decode import data_of
from hfkit.data.vision.pictures import stored_column

if TYPE_CHECKING:
    from hfkit.data.text.document_streams import DocumentStream

DOCUMENTS = ("text", "prompt", "completion", "messages", "tools")
"""The columns of what a language model reads."""


@dataclass
class DataSummary:
    """What was loaded, and everything that was counted on the way. All of it is plain JSON.

    Attributes:
        name: What `--dataset` said.
        source: hub, file or embedded.
        location: Hub id, path, or package and file.
        revision: The pinned commit of a Hub data set; of an embedded one the first digits of its checksum.
        card: The data card's file, if one was used; pretty_name, license, language and prose come from it.
        origin: The Hub id that the card names, which embedded rows come from too.
        prose: What the card tells people about the data, for the model card.
        reading: The printed sentence: which column is what, the classes, the sizes.
        text_column, text_pair_column, image_column, label_column: As the source calls them.
        problem_type: One of transformers' three; language_modeling where there are no labels.
        label_names: The classes in order; None for regression.
        decimal: A comma, where that is the decimal mark of the labels.
        pixel_range: What becomes black and white of pixels of more than 8 bits.
        splits: For each split `rows`, `labels` (a count for each name, or mean, std, min, max) and `fingerprint`;
            of documents, which have no labels, `bytes`.
        notes: Repeats and leaks removed, rows dropped, columns not used, labels merged: each with its count.
    """

    name: str
    source: str
    location: str
    reading: str
    label_column: str | None
    problem_type: str
    text_column: str | None = None
    text_pair_column: str | None = None
    image_column: str | None = None
    label_names: list[str] | None = None
    decimal: str | None = None
    pixel_range: list[float] | None = None
    revision: str | None = None
    card: str | None = None
    pretty_name: str | None = None
    license: str | None = None
    language: str | None = None
    origin: str | None = None
    prose: str | None = None
    splits: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The summary as plain dicts, lists, strings and numbers."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "DataSummary":
        """The summary that `to_json` wrote."""
        return cls(**values)


class LoadedData(datasets.DatasetDict):
    """A plain `datasets.DatasetDict` that remembers how it was read, as `summary`.

    Of a stream `train` is the first window, and `stream` what the others come from.
    """

    summary: DataSummary
    stream: "DocumentStream | None" = None


def summary_of(data: datasets.DatasetDict) -> DataSummary:
    """The summary of loaded data; of a DatasetDict from elsewhere, what can be read from its columns."""
    if isinstance(data, LoadedData):
        return data.summary
    feature = data["train"].features.get("label")
    problem_type = kind_of(feature)
    summary = DataSummary(
        name="in memory", source="file", location="in memory", reading="", label_column="label" if feature else None,
        text_column="text" if "text" in data["train"].column_names else None,
        image_column="image" if "image" in data["train"].column_names else None,
        problem_type=problem_type, label_names=names_of(feature),
        text_pair_column="text_pair" if "text_pair" in data["train"].column_names else None,
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
    data.summary = DataSummary(
        name=opened.name,
        source=opened.kind,
        location=opened.location,
        revision=opened.revision,
        problem_type=problem_type,
        card=str(card.path.name) if card else None,
        pretty_name=card.pretty_name if card else None,
        license=card.license if card else None,
        language=card.language if card else None,
        origin=card.source if card else None,
        prose=card.prose if card else None,
        splits={role: describe(rows) for role, rows in data.items()},
        notes=notes,
        **{"reading": ""} | columns,
    )
    data.summary.reading = data.summary.reading or reading(data.summary)
    say(data.summary)
    return data


def build(
    rows: Rows, columns: Columns, problem_type: str, names: list[str] | None, grouped: bool = False
) -> datasets.Dataset:
    """One split as a data set in memory, where no cache of an earlier run can be mistaken for this one's; with `group`
    where rows are `grouped` by a column."""
    features = {"label": feature_of(problem_type, names)}
    more = {"group": rows.unit} if grouped else {}
    features |= dict.fromkeys(more, datasets.Value("string"))
    if columns.image is None:
        features = {"id": datasets.Value("string"), **dict.fromkeys(rows.inputs, datasets.Value("string")), **features}
        return datasets.Dataset.from_dict(
            {"id": rows.id, **rows.inputs, "label": rows.label, **more}, features=datasets.Features(features)
        )
    features = {"id": datasets.Value("string"), **features}
    columns_of = {"id": rows.id, "label": rows.label, **more}
    named = datasets.Dataset.from_dict(columns_of, features=datasets.Features(features))
    table = pa.table({"image": stored_column(rows.table, columns.image, rows.index)})
    pictures = datasets.Dataset(table, info=datasets.DatasetInfo(features=datasets.Features(image=datasets.Image())))
    return datasets.concatenate_datasets([pictures, named], axis=1).select_columns(["id", "image", "label", *more])


def rename_labels(
    rows: datasets.Dataset, names: list[str], origin: str, drop: bool
) -> tuple[datasets.Dataset, list[str]]:
    """The same rows with `names` as classes, matched by name (names that look equal are), and what was left out.

    Raises:
        HfkitError: The rows are of another kind of label, or have a label that `names` lacks and are not to be dropped.
    """
    own = names_of(rows.features["label"])
    if own is None:
        raise HfkitError("The labels are numbers, and the model knows classes", where=origin, fix=", ".join(names))
    to = list(map(finder(names), own))
    multi = isinstance(rows.features["label"], datasets.List)
    lists = [label if multi else [label] for label in rows["label"][:]]
    kept = [row for row, label in enumerate(lists) if None not in [to[n] for n in label]]
    unknown = [own[n] for n in sorted({n for label in lists for n in label}) if to[n] is None]
    if unknown and not (drop and kept):
        raise HfkitError(
            f"The data has labels that the model does not know: {', '.join(unknown)}",
            where=origin,
            fix=f"rename them; the model's labels are {', '.join(names)}"
            + ("; or --drop_unseen_labels leaves those rows out, counted" if kept else ""),
        )
    notes = [left_out(len(rows) - len(kept), "test", unknown)] if unknown else []
    rows = rows.select(kept) if unknown else rows
    labels = [sorted(to[n] for n in lists[row]) if multi else to[lists[row][0]] for row in kept]
    feature = datasets.ClassLabel(names=names)
    features = {**rows.features, "label": datasets.List(feature) if multi else feature}
    if "image" in rows.column_names:
        relabelled = datasets.Dataset.from_dict({"label": labels}, features=datasets.Features(label=features["label"]))
        return datasets.concatenate_datasets([rows.remove_columns("label"), relabelled], axis=1), notes
    columns = {name: rows[name][:] for name in rows.column_names}
    return datasets.Dataset.from_dict({**columns, "label": labels}, features=datasets.Features(features)), notes


def describe(rows: datasets.Dataset) -> dict[str, Any]:
    """Rows, labels and fingerprint of one split."""
    if "label" not in rows.column_names:
        texts = [column for column in DOCUMENTS if column in rows.column_names]
        size = sum(_bytes(value) for column in texts for value in rows[column])
        return {"rows": len(rows), "bytes": size, "fingerprint": _fingerprint(rows, None)}
    feature = rows.features["label"]
    labels = rows["label"][:]
    names = names_of(feature)
    return {"rows": len(rows), "labels": figures(labels, names), "fingerprint": _fingerprint(rows, names)}


def reading(summary: DataSummary) -> str:
    """The sentence on the screen: `text = review, label = stars: 2 classes negative, positive; 900 / 50 / 50 rows`."""
    pair = f", text_pair = {summary.text_pair_column}" if summary.text_pair_column else ""
    sizes = " / ".join(f"{split['rows']:,}" for split in summary.splits.values())
    if summary.label_column is None:
        size = sum(split["bytes"] for split in summary.splits.values())
        return f"text = {summary.text_column}: {size / 1e6:,.3g} MB; {sizes} documents"
    labels = [split["labels"] for split in summary.splits.values()]
    what = told(summary.problem_type, summary.label_names or [], labels)
    inputs = f"image = {summary.image_column}" if summary.image_column else f"text = {summary.text_column}{pair}"
    return f"{inputs}, label = {summary.label_column}: {what}; {sizes} rows"


def _bytes(value: Any) -> int:
    """Of a text, or of all that is said in a chat."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    return sum(_bytes(said(message)) for message in unpacked(value))


def say(summary: DataSummary) -> None:
    """Prints what was read, from the first process."""
    if is_first():
        print(*map(flat, [f"data {summary.name}: {summary.reading}", *summary.notes]), sep="\n  - ", flush=True)


def _fingerprint(rows: datasets.Dataset, names: list[str] | None) -> str:
    """sha256 over id, texts and label names: equal for equal examples in equal order, whatever file they came from.

    A picture counts with the sha256 of its file.
    """
    digest = hashlib.sha256()
    columns = [
        rows[name][:] for name in ("id", "text", "text_pair", "answers", *DOCUMENTS[1:]) if name in rows.column_names
    ]
    if "image" in rows.column_names:
        undecoded = rows.select_columns("image").cast_column("image", datasets.Image(decode=False))
        columns.append([hashlib.sha256(data_of(row["image"])).hexdigest() for row in undecoded])
    labels = rows["label"][:] if "label" in rows.column_names else [None] * len(rows)
    for *texts, label in zip(*columns, labels, strict=True):
        if names is not None:
            label = [names[number] for number in (label if isinstance(label, list) else [label])]
        digest.update(json.dumps([*texts, label], ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
