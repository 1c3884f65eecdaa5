"""Streams: the same documents whoever asks, each once, a window in memory, and a training that can be taken up."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from processes import in_child, in_children
from test_resume import fingerprint

from hfkit import HfkitError, build_model, build_task, fit, load_data
from hfkit.config import DataArguments, TrainConfig
from hfkit.config.parsing import parse
from hfkit.config.rules import check
from hfkit.data.batching import BatchPlan
from hfkit.data.readers.streams import PIECE, FileRows, Row
from hfkit.data.sources.source import streamed
from hfkit.data.text.document_streams import DocumentStream, Position, Window, load_stream
from hfkit.runs.run import Run
from hfkit.training.engine import Engine

TINY = '{"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}'


def text(number: int) -> str:
    """A document of some words that no other one has."""
    return " ".join(f"w{(number * 7 + place * place) % 97}" for place in range(3 + number % 23)) + f" n{number}"


def write_lines(path: Path, texts: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"text": one}) + "\n" for one in texts))


def arguments(name: str, **changes: Any) -> DataArguments:
    sizes = {"streaming_window": 16, "max_eval_samples": 7, "max_test_samples": 5}
    return DataArguments(name, streaming=True, **sizes | changes)


def stream_of(name: str, **changes: Any) -> DocumentStream:
    stream = load_stream(arguments(name, **changes)).stream
    assert stream is not None
    return stream


def windows(stream: DocumentStream, count: int) -> list[Window]:
    found = [stream.first]
    while len(found) < count:
        found.append(stream.window(found[-1].end))
    return found


TEXTS = [text(number) for number in range(90)]


def lines_file() -> str:
    write_lines(Path("docs.jsonl"), TEXTS)
    return "docs.jsonl"


def parquet_folder() -> str:
    Path("shards").mkdir()
    for shard in range(3):
        part = datasets.Dataset.from_dict({"text": TEXTS[shard * 30 : shard * 30 + 30], "other": [b"\xff"] * 30})
        part.to_parquet(f"shards/train-0000{shard}-of-00003.parquet")
    return "shards"


def text_file() -> str:
    Path("docs.txt").write_text("\n<|endoftext|>\n".join(TEXTS))
    return "docs.txt"


def hub_data(hub: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """TEXTS as a data set of two shards on the Hub of the tests."""
    from hfkit.base import network

    for name, value in {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": False}.items():
        monkeypatch.setattr(datasets.config, name, value)
    network.hub_reachable.cache_clear()
    repository = hub.store.create("dataset", "tester/docs")
    parts = {f"train-0000{at}-of-00002.jsonl": TEXTS[at * 45 : at * 45 + 45] for at in range(2)}
    files = {name: "".join(json.dumps({"text": one}) + "\n" for one in part) for name, part in parts.items()}
    repository.commit("main", "data", {name: hub.store.keep(content.encode()) for name, content in files.items()})
    return "tester/docs"


@pytest.mark.parametrize("source", ["lines", "parquet", "texts", "hub"])
def test_every_document_once_and_from_any_place_the_same(
    source: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if source == "hub":
        name = hub_data(request.getfixturevalue("hub"), monkeypatch)
    else:
        name = {"lines": lines_file, "parquet": parquet_folder, "texts": text_file}[source]()
    loaded = load_stream(arguments(name))
    stream = loaded.stream
    assert stream is not None
    held = loaded["test"]["text"][:] + loaded["validation"]["text"][:]
    found = windows(stream, 10)  # 78 documents are five windows: two passes
    assert [len(window.rows) for window in found] == [16, 16, 16, 16, 14] * 2
    assert [window.begin.epoch for window in found] == [0] * 5 + [1] * 5
    for once in (found[:5], found[5:]):
        learnt = [one.strip() for window in once for one in window.rows["text"]]
        assert [one.strip() for one in held] + learnt == TEXTS
    assert (found[-1].end.documents, found[-1].end.row) == (156, 90)
    for window in found[1 :: 4 if source == "hub" else 1]:
        other = stream_of(name)  # another session: all that it is told went through a file
        place = Position(**json.loads(json.dumps(asdict(window.begin))))
        again = other.window(place)
        assert again.rows["text"][:] == window.rows["text"][:]
        assert json.dumps(asdict(again.end)) == json.dumps(asdict(window.end))
        assert again.end.digest == window.end.digest
        assert other.window(again.end).end.digest == stream.window(window.end).end.digest
    if source == "hub":
        repository = request.getfixturevalue("hub").store.repositories["dataset", name]
        assert loaded.summary.revision == repository.branches["main"]


class Endless:
    """A stream of texts of 10,000 characters, of which nobody keeps any."""

    origin, unit = "endless", "row"

    def open(self, skip: int, state: Any = None) -> Iterator[Row]:
        number = skip
        while True:
            yield number, {"text": f"{number} " * (10_000 // (len(str(number)) + 1))}, True
            number += 1

    def state(self) -> Any:
        return None


def test_memory_holds_a_window_and_not_the_stream() -> None:
    opened = streamed("endless", "file", "endless", {"train": Endless()}, [])
    stream = DocumentStream(Endless(), opened, DataArguments("endless", streaming=True, streaming_window=50), None)
    window, most = stream.window(stream.begin()), 0
    before = pa.total_allocated_bytes()
    for _ in range(60):
        window = stream.window(window.end)
        most = max(most, pa.total_allocated_bytes() - before)
    assert window.end.bytes > 29_000_000  # 60 windows of half a megabyte
    assert most < 3_000_000


def test_what_is_left_out_is_counted() -> None:
    texts = [*TEXTS[:40], TEXTS[2], "", TEXTS[9].upper(), *TEXTS[40:50]]
    write_lines(Path("docs.jsonl"), texts)
    with pytest.raises(HfkitError, match=r"docs.jsonl line 42"):
        windows(stream_of("docs.jsonl"), 3)
    stream = stream_of("docs.jsonl", drop_bad_rows=True)
    end = windows(stream, 3)[-1].end
    assert (end.documents, end.dropped, end.leaked, end.row) == (38, 1, 2, 53)
    kept = windows(stream_of("docs.jsonl", drop_bad_rows=True, keep_duplicates=True), 3)[-1].end
    assert (kept.documents, kept.dropped, kept.leaked) == (40, 1, 0)


def test_a_window_may_hold_nothing_but_bad_rows() -> None:
    write_lines(Path("docs.jsonl"), [*TEXTS[:28], ""])  # held out 12, a window of 16, and one of a blank row
    stream = stream_of("docs.jsonl", drop_bad_rows=True)
    window = stream.window(stream.first.end)
    assert (window.begin.epoch, len(window.rows), window.end.dropped) == (1, 16, 1)


def test_an_error_on_the_way_is_not_the_end_of_the_stream() -> None:
    stream = stream_of(lines_file())
    rows = stream._rows

    def broken() -> Iterator[Row]:
        yield next(rows)
        raise HfkitError("no connection")

    stream._rows = broken()
    with pytest.raises(HfkitError, match="no connection"):
        stream.window(stream.first.end)
    assert stream.window(stream.first.end).rows["text"][:] == TEXTS[28:44]


def test_a_text_of_any_length_is_read_in_pieces() -> None:
    lines = [f"line {number} of a long text\n" for number in range(20_000)]
    Path("long.txt").write_text("".join(lines) + "<|endoftext|>\n \n<|endoftext|>\nshort\n\n")
    pieces = [(row["text"], ends) for _, row, ends in FileRows("long.txt", [Path("long.txt")]).open(0)]
    assert "".join(piece for piece, _ in pieces[:-1]) == "".join(lines)
    assert [ends for _, ends in pieces] == [False] * (len(pieces) - 2) + [True, True]
    assert max(len(piece) for piece, _ in pieces) < PIECE + 100
    assert pieces[-1][0] == "short\n\n"


@pytest.mark.parametrize("column", [False, True])
def test_lines_are_joined_to_documents(column: bool) -> None:
    heads = "".join(f" = {number} = \n\n {text(number)} \n = = part = = \n tail \n" for number in range(60))
    if column:
        name = "heads.jsonl"
        write_lines(Path(name), heads.splitlines())
    else:
        name = "heads.txt"
        Path(name).write_text(heads)
    start = r"^ = [^=]+ = $"
    rows = load_data(name, task="text-generation", document_start=start, max_eval_samples=None)
    whole = sorted(one for split in rows.values() for one in split["text"])
    loaded = load_stream(arguments(name, document_start=start))
    assert loaded.stream is not None
    found = [one for split in ("test", "validation") for one in loaded[split]["text"]]
    found += [one for window in windows(loaded.stream, 3) for one in window.rows["text"]]
    assert sorted(found) == whole and len(found) == 60


def test_chats_and_prompts_are_streamed_too() -> None:
    chat = [{"role": "user", "content": "how?"}, {"role": "assistant", "content": "so"}]
    Path("chats.jsonl").write_text((json.dumps({"messages": chat}) + "\n") * 40)
    window = stream_of("chats.jsonl", keep_duplicates=True).first
    assert window.rows[0]["messages"] == chat and window.end.bytes == 16 * 6
    pair = {"prompt": "2 + 2 =", "completion": " 4", "score": 3}
    Path("pairs.jsonl").write_text((json.dumps(pair) + "\n") * 40)
    assert set(stream_of("pairs.jsonl", keep_duplicates=True).first.rows.column_names) == {"id", "prompt", "completion"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        (json.dumps({"text": "one"}) + "\n", "ends within the 1 document that are held out"),
        ("[1]\n" * 3, "holds list, not an object"),
        ('{"text": "a"}\n{"text": \n', "docs.jsonl, line 2"),
        ('{"text": "\xe9"}\n', "docs.jsonl, line 1"),
        ('{"number": 1}\n' * 50, "No column holds texts"),
    ],
)
def test_a_stream_that_cannot_be_learnt_is_one_error(content: str, message: str) -> None:
    Path("docs.jsonl").write_bytes(content.encode("latin-1"))
    with pytest.raises(HfkitError, match=message):
        load_stream(arguments("docs.jsonl"))


def test_what_cannot_stream_is_told_before_anything_is_read(reviews_csv: Path) -> None:
    Path("list.json").write_text(json.dumps([{"text": text} for text in TEXTS]))
    with pytest.raises(HfkitError, match="no object a line: it is read whole"):
        load_data("list.json", task="text-generation", streaming=True)
    with pytest.raises(HfkitError, match="Only texts for a language model"):
        load_data(str(reviews_csv), streaming=True)
    bad: dict[str, dict[str, Any]] = {
        "no known length": {"max_steps": -1},
        "--max_train_samples goes by": {"max_train_samples": 10},
        "--test_size goes by": {"test_size": 0.2},
    }
    for message, changes in bad.items():
        with pytest.raises(HfkitError, match=message):
            check(TrainConfig(**{"task": "text-generation", "streaming": True, "max_steps": 5} | changes))
    with pytest.raises(SystemExit):  # a flag of another task
        parse(TrainConfig, {}, ["--streaming", "--max_steps", "5"])


@pytest.mark.parametrize("header", [True, False])
def test_rows_for_the_test_are_not_learnt_from_a_stream(header: bool) -> None:
    lines = [f"{one},{'test' if number % 3 else 'train'}\n" for number, one in enumerate(TEXTS)]
    Path("docs.csv").write_text("text,split\n" * header + "".join(lines))
    names = [] if header else ["text", "split"]
    with pytest.raises(HfkitError, match="A stream is one split; its column 'split' names several"):
        load_stream(replace(arguments("docs.csv"), column_names=names))
    loaded = load_stream(replace(arguments("docs.csv"), column_names=names, split_column="none"))
    assert "columns not used: split" in loaded.summary.notes


def test_an_embedded_data_set_streams_from_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    from hfkit.data.sources.source import Source
    from hfkit.data.tables.table import Table
    from hfkit.data.text import documents

    table = Table("reviews", {"text": TEXTS, "label": list(range(90))})
    source = Source("demo:reviews", "embedded", "package", {"train": table}, single=True)
    monkeypatch.setattr(documents, "open_source", lambda _: source)
    assert [len(window.rows) for window in windows(stream_of("demo:reviews"), 5)] == [16, 16, 16, 16, 14]


# Training


def config(name: str, data: str, **changes: Any) -> TrainConfig:
    basics: dict[str, Any] = {"task": "text-generation", "dataset": data, "model": "baseline:transformer_lm"}
    basics |= {"model_args": TINY, "max_length": 48, "vocab_size": 300, "max_steps": 14, "learning_rate": 3e-3}
    basics |= {"output_dir": name, "mixed_precision": "no", "use_cpu": True, "disable_tqdm": True, "dropout": 0.1}
    return TrainConfig(**basics | {"per_device_train_batch_size": 8, "logging_steps": 1} | changes)


def trained(settings: TrainConfig) -> Run:
    data = load_data(settings)
    task = build_task(settings, data)
    return fit(settings, task, *build_model(settings, task, data), data)


def three_files() -> None:
    for split, numbers in (("train", range(90)), ("validation", range(90, 100)), ("test", range(100, 110))):
        write_lines(Path(f"docs/{split}.jsonl"), [text(number) for number in numbers])


def test_a_stream_of_one_window_trains_as_rows_in_memory() -> None:
    """Two passes and a bit: the plan of a window is that of an epoch, and so are dropout, saving and evaluation."""
    three_files()
    memory = trained(config("memory", "docs"))
    stream = trained(config("stream", "docs", streaming=True, streaming_window=1000))
    one, other = fingerprint(memory.path / "model"), fingerprint(stream.path / "model")
    assert one == other
    assert (memory.path / "predictions.parquet").read_bytes() == (stream.path / "predictions.parquet").read_bytes()
    lines = [[{k: v for k, v in line.items() if k != "epoch"} for line in run.log()] for run in (memory, stream)]
    assert lines[0] == lines[1]
    assert math.floor(memory.log()[-1]["epoch"]) >= 1
    told = stream.info["training"]["stream"]
    assert (told["documents"] % 90, told["passes"]) == (0, told["windows"] - 1)
    assert "documents read in" in stream.info["data"]["notes"][-1]


def see_documents(path: Path) -> None:
    """Write down the tokens of each document that counts, by the process that learns from it."""
    weigh = Engine._weigh

    def seen(self: Engine, share: Any) -> Any:
        with (path / f"{self.accelerator.process_index}.txt").open("a") as file:
            for batch, real in share:
                places = batch.get("position_ids")
                for row, ids in enumerate(batch["input_ids"].tolist() if real else []):
                    targets = batch["targets"][row].tolist()
                    starts = [0] if places is None else [at for at, place in enumerate(places[row]) if place == 0]
                    for begin, end in zip(starts, [*starts[1:], len(ids)], strict=True):
                        if any(target != -100 for target in targets[begin:end]):
                            learnt = [ids[at] for at in range(begin, end) if targets[at] != -100]
                            file.write(f"{self.state.step} {learnt}\n")
        return weigh(self, share)

    Engine._weigh = seen  # type: ignore[method-assign]  # for the rest of this child's life


@pytest.mark.parametrize("processes", [1, 2])
def test_every_document_is_learnt_once_a_pass_by_one_process(processes: int) -> None:
    three_files()
    Path("seen").mkdir()
    settings = config("run", "docs", streaming=True, streaming_window=32, max_steps=200, max_length=256)
    settings.per_device_train_batch_size = 4 // processes
    settings.eval_strategy = settings.save_strategy = "no"

    def work(steps: int) -> None:
        see_documents(Path("seen"))
        settings.max_steps = steps
        trained(settings)

    # Three windows of 32, 32 and 26 documents make as many updates in each pass; two passes.
    steps = 2 * updates_of_a_pass(settings)
    one: Callable[[], None] = partial(work, steps)
    assert ([in_child(one)] if processes == 1 else in_children(one, processes)) == [0] * processes
    files = [path.read_text().splitlines() for path in sorted(Path("seen").iterdir())]
    assert len(files) == processes and all(files)
    learnt = Counter(line.split(" ", 1)[1] for lines in files for line in lines)
    assert len(learnt) == 90 and set(learnt.values()) == {2}
    assert Run("run").info["training"]["stream"]["documents"] == 180


def updates_of_a_pass(settings: TrainConfig) -> int:
    data = load_data(settings)
    task = build_task(settings, data)
    model, processor = build_model(settings, task, data)
    task = task.for_model(model.config, processor)
    assert data.stream is not None
    rows = [task.to_train(task.encode(window.rows, processor)) for window in windows(data.stream, 3)]
    return sum(len(BatchPlan(one["length"][:], 4).epoch(0)) for one in rows)


def test_documents_that_changed_are_not_taken_for_the_same() -> None:
    three_files()
    settings = config("run", "docs", streaming=True, streaming_window=16, save_strategy="steps", save_steps=1)
    count = Engine._count

    def stop(self: Engine, *rest: Any) -> None:
        count(self, *rest)  # type: ignore[arg-type]
        self.interrupted = self.state.step == 5

    def work() -> None:
        Engine._count = stop  # type: ignore[method-assign]
        trained(settings)

    assert in_child(work) == 1  # KeyboardInterrupt
    state = json.loads(Path("run/checkpoints/step-000005/state.json").read_text())
    begin = state["callbacks"]["StreamPosition"]["begin"]
    assert begin["row"] >= 16
    path = Path("docs/train.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[: begin["row"] + 2], lines[0], *lines[begin["row"] + 3 :]]))
    with pytest.raises(HfkitError, match=f"after number {begin['row']} of the stream are not those"):
        trained(settings)
