"""load_stream: held-out splits in memory, and the first window of a stream of training documents."""

from typing import TYPE_CHECKING

from hfkit.config import DataArguments
from hfkit.data.labels.column import UNLABELLED
from hfkit.data.readers.streams import TableRows
from hfkit.data.sources.source import open_source
from hfkit.data.sources.text_files import text_source
from hfkit.data.splits import remove_repeats
from hfkit.data.tables.roles import renamed, roles_of
from hfkit.data.tables.rows import Rows
from hfkit.data.tables.table import counted
from hfkit.data.text.document_streams import DocumentStream
from hfkit.data.text.documents import dataset, few_cut

if TYPE_CHECKING:
    from hfkit.data.summary import LoadedData

HELD_OUT = 500
"""Documents of validation and of test where --max_eval_samples and --max_test_samples do not say."""


def load_stream(arguments: DataArguments) -> "LoadedData":
    """Splits as `hfkit.data.text.documents.load_documents` gives them, where `train` is the first window of a stream.

    The rest of the stream is behind its attribute `stream`. A validation or test split of the source is read up to
    `max_eval_samples` or `max_test_samples` documents (500 where they do not say); one that it lacks is as many
    documents of the stream's start, test before validation, which training then leaves out.

    Raises:
        HfkitError: As `load_documents`; a source that is read whole; an empty stream, or one that ends too soon.
    """
    files = text_source(arguments)
    opened = files or open_source(arguments)
    card = opened.card
    start = None if files else arguments.document_start or (card.document_start if card else None)
    opened.streams = opened.streams or {split: TableRows(table) for split, table in opened.tables.items()}
    roles = roles_of(opened, arguments)
    notes = opened.notes + renamed(roles, opened)
    if rest := sorted(opened.streams.keys() - roles.values()):
        notes.append(f"splits not used: {', '.join(rest)}")

    def documents(role: str) -> DocumentStream:
        return DocumentStream(opened.streams[roles[role]], opened, arguments, start)

    stream = documents("train")
    limits = {"test": arguments.max_test_samples, "validation": arguments.max_eval_samples}
    held: dict[str, Rows] = {}
    for role, limit in limits.items():
        count = limit or HELD_OUT
        if role in roles:
            held[role] = documents(role).hold(count, role)
            notes.append(f"{role}: the first {counted(len(held[role]), 'document')} of its split")
        else:
            first = stream.held + 1
            held[role] = stream.hold(count, role)
            notes.append(f"{role}: documents {first:,} to {stream.held:,} of the stream, which training leaves out")
    held = {role: held[role] for role in ("validation", "test")}
    stream.keep_out(held)
    stream.first = stream.window(stream.begin())
    held = remove_repeats(held, notes, keep=arguments.keep_duplicates)
    for role in held:
        held[role] = few_cut(held[role], role, notes)
    return _finish(stream, held, notes + stream.unused + stream.first.notes)


def _finish(stream: DocumentStream, held: dict[str, Rows], notes: list[str]) -> "LoadedData":
    from hfkit.data.summary import finished

    opened, first = stream.opened, stream.first
    window = counted(len(first.rows), "document")
    notes.append(f"what is counted before training (a baseline's vocabulary, n-grams) comes from the first {window}")
    if not stream.arguments.keep_duplicates:
        notes.append("documents with the text of one that is held out are left out as they come; repeats stay")
    if first.end.leaked:
        notes.append(f"{counted(first.end.leaked, 'text')} of the first {window} also held out: left out of train")
    sizes = " / ".join(f"{len(rows):,}" for rows in held.values())
    columns = ", ".join(stream.columns)
    data = finished(
        opened,
        {"train": first.rows, **{role: dataset(rows) for role, rows in held.items()}},
        notes,
        problem_type=UNLABELLED,
        reading=f"text = {columns}: a stream, {window} at a time; {sizes} documents of validation and test",
        text_column=columns,
        label_column=None,
    )
    data.stream = stream
    return data
