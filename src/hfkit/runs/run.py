"""Run: a directory of plain files, the only thing that report, compare, predict and push read."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hfkit.base.atomic import remove, write_json, writing
from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import read_json, read_json_file
from hfkit.config import TrainConfig
from hfkit.config.by_task import elsewhere, say_idle

if TYPE_CHECKING:
    import pyarrow

    from hfkit.hub.upload.publishing import Published

# Knobs that change where a run is kept or how it is shown, not what is computed: not part of its identity.
NOT_IDENTITY = {"output_dir", "overwrite", "disable_tqdm", "report_to", "dataloader_num_workers", "reuse_tokens"}
NOT_IDENTITY |= {"explain_speed", "doctor", "push_to_hub", "hub_model_id", "hub_private_repo", "hub_revision"}

Shown = TypeVar("Shown")


class Run:
    """A run directory, finished or not. Raises HfkitError: `path` holds no run, or its `run.json` cannot be read."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            found = (self.path / "run.json").is_file()
        except OSError:  # a name of thousands of characters
            found = False
        if not found:
            what = "is not a run: it has no run.json" if self.path.is_dir() else "is not there"
            raise HfkitError(f"{self.path} {what}", fix=like_runs(path) or "name a folder such as runs/bert_imdb")
        self.info: dict[str, Any] = self.read("run.json")
        if self.model_path != self.path:  # a published run has its Hub id; any other is called what its folder is
            self.info["name"] = self.path.resolve().name

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {self.state})"

    @property
    def finished(self) -> bool:
        """Whether it was written to its end. Asking tries no lock, which another process may be about to take."""
        return bool(self.info.get("state") == "finished")

    @property
    def state(self) -> str:
        """`finished`; `running` as long as a process writes to the folder; else `stopped`, by whatever it was."""
        if self.finished:
            return "finished"
        return "running" if held(self.path) else "stopped"

    def check_finished(self) -> None:
        """Refuse, with an HfkitError, a run that has no figures and no model yet."""
        state = self.state
        if state != "finished":
            again = "give its command again: it goes on from its last checkpoint"
            fix = "wait for it to end" if state == "running" else again
            raise HfkitError(f"{self.path} is {state}: it has no figures yet, and no model", fix=fix)

    @property
    def config(self) -> dict[str, Any]:
        """The resolved configuration, field by field."""
        return dict(self.info["config"])

    @property
    def model_path(self) -> Path:
        """The model's folder. In a run that came from the Hub the model lies beside run.json, where others look."""
        published = any((self.path / name).is_file() for name in ("config.json", "adapter_config.json"))
        return self.path if published else self.path / "model"

    @property
    def metrics(self) -> dict[str, Any]:
        """metrics.json: every figure with its interval. Only a finished run has it."""
        if not (self.path / "metrics.json").is_file():
            self.check_finished()
            fix = "restore the file, or begin again with --overwrite"
            raise HfkitError(f"{self.path} has no figures: metrics.json is missing", fix=fix)
        return self.read("metrics.json")

    def predictions(self) -> "pyarrow.Table":
        """predictions.parquet: a row per test example."""
        found = self.table("predictions.parquet")
        if found is None:
            fix = "give the run's command again, to its end"
            raise HfkitError(f"{self.path / 'predictions.parquet'} is missing", fix=fix)
        return found

    def log(self) -> list[dict[str, Any]]:
        """log.jsonl: what was logged at each step."""
        return list(self.lines("log.jsonl"))

    def timing(self) -> list[dict[str, Any]]:
        """timing.jsonl: speeds, and the totals in the last line. A line that a kill cut off is left out."""
        return list(self.lines("timing.jsonl", skip=True))

    def update(self, **entries: Any) -> None:
        """Change entries of run.json, in one rename."""
        self.info.update(entries)
        with writing(self.path):
            write_json(self.path / "run.json", self.info)

    def push(self, repository: str, **options: Any) -> "Published | None":
        """Publish the run on the Hub as `user/name`; see `hfkit.push`."""
        import hfkit

        return hfkit.push(self, repository, **options)

    def hold(self) -> None:
        """Claim the folder for this process until it ends or lets go; an HfkitError where another one has it."""
        with writing(self.path):
            self._lock = (self.path / ".lock").open("w")
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise _in_use(self.path) from error
        _HELD.add(self.path.resolve())

    def release(self) -> None:
        """Let go of the folder. A file that the disk does not delete stays: what counts is that nobody holds it."""
        with suppress(OSError):
            (self.path / ".lock").unlink(missing_ok=True)
        self._lock.close()
        _HELD.discard(self.path.resolve())

    def table(self, name: str) -> "pyarrow.Table | None":
        """A Parquet file of the run; None where it keeps none of that name."""
        import pyarrow
        import pyarrow.parquet as parquet

        path = self.path / name
        try:
            return parquet.read_table(path) if path.is_file() else None
        except (pyarrow.ArrowException, OSError) as error:
            raise HfkitError(f"{path} is damaged: {error}", fix="restore the file") from error

    def read(self, name: str) -> dict[str, Any]:
        """A JSON file of the run."""
        fix = "restore the file, or begin again with --overwrite"
        try:
            content = read_json_file(self.path / name)
        except HfkitError as error:
            raise HfkitError(f"{self.path / name} cannot be read: {error.what}", where=error.where, fix=fix) from error
        if not isinstance(content, dict):
            raise HfkitError(f"{self.path / name} holds no JSON object", fix=fix)
        return content

    def kept(self, name: str, read: Callable[[Any], Shown], none: Shown) -> Shown:
        """What `read` makes of a JSON file of the run for its report; `none` where there is no such file. Raises
        HfkitError: it is of another form than the run wrote."""
        if not (self.path / name).is_file():
            return none
        content = read_json_file(self.path / name)
        try:
            return read(content)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise self.damaged(name) from error

    def damaged(self, name: str) -> HfkitError:
        """What to say of such a file."""
        return HfkitError(f"{self.path / name} holds what hfkit does not write", fix="restore the file, or delete it")

    def lines(self, name: str, skip: bool = False) -> Iterator[dict[str, Any]]:
        """The objects of a file of JSON lines, none where it is not there; with `skip` without those that are broken."""
        path = self.path / name
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        for number, line in enumerate(text.split("\n"), start=1):
            where = f"{path}, line {number}"
            try:
                entry = read_json(line, where, "The line") if line.strip() else {}
            except HfkitError:
                if not skip:
                    raise
                continue
            if not isinstance(entry, dict):
                raise HfkitError("The line holds no JSON object", where=where, fix="restore the file")
            if entry:
                yield entry


@contextmanager
def reading(*runs: Run) -> Iterator[None]:
    """Around what reads the files of runs: an entry that is missing, or of another kind, is told as damage, in an
    HfkitError instead of whatever the block raises, but an OSError."""
    try:
        yield
    except (HfkitError, OSError):
        raise
    except Exception as error:  # templates, arrays and dictionaries each complain in their own way
        what = f"there is no entry {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
        what = f"The files of {' and '.join(str(run.path) for run in runs)} do not fit together: {what}"
        fix = "restore run.json, metrics.json, log.jsonl and predictions.parquet as the run wrote them"
        raise HfkitError(what, fix=fix) from error


def identity(config: TrainConfig | dict[str, Any]) -> dict[str, Any]:
    """The knobs that decide what a run computes. Two commands with the same identity are the same run."""
    fields = config if isinstance(config, dict) else asdict(config)
    return {name: value for name, value in fields.items() if name not in NOT_IDENTITY}


def claim(config: TrainConfig, path: Path, recipe: str) -> Run:
    """The run at `path` for this configuration: a new one, or the one that the same command began. Raises HfkitError:
    the folder holds another run, one that another process is writing to, or something that is no run, or it cannot be
    written."""
    with writing(path):
        if config.overwrite and (path / "run.json").is_file():
            if held(path):
                raise _in_use(path)
            remove(path)
        if (path / "run.json").is_file():
            run = Run(path)
            with reading(run):
                _same_or_refuse(run, config)
            return run
        # Hidden files are what a kill left of a run that had only begun.
        if path.exists() and (not path.is_dir() or any(not entry.name.startswith(".") for entry in path.iterdir())):
            raise HfkitError(f"{path} is in use and holds no run", fix="set --output_dir to a new folder")
        path.mkdir(parents=True, exist_ok=True)
        info = {"name": path.name, "state": "running", "recipe": recipe, "config": asdict(config)}
        write_json(path / "run.json", info)
    return Run(path)


_HELD: set[Path] = set()  # what this process holds: to open and close such a lock once more would lose it (fcntl(2))


def held(path: Path) -> bool:
    """Whether a process is writing to the run at `path`."""
    if path.resolve() in _HELD:
        return True
    try:
        with (path / ".lock").open("rb") as lock:
            fcntl.lockf(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except (BlockingIOError, PermissionError):
        return True
    return False


def below(folder: Path) -> list[Path]:
    """The runs in a folder, at any depth; none in hidden ones."""
    places = sorted(file.parent for file in folder.rglob("run.json"))
    return [place for place in places if not any(part.startswith(".") for part in place.relative_to(folder).parts)]


def like_runs(name: str | Path) -> str | None:
    """The runs in `runs/`, or where the name says, whose names are like this one, as a question; None where there is
    none."""
    places = below(Path("runs"))
    with suppress(OSError):  # a name of thousands of characters
        places = [*places, *(path.parent for path in Path(name).parent.glob("*/run.json"))]
    names = {place.name: str(place) for place in places}
    close = [names[one] for one in get_close_matches(Path(name).name, names, n=2, cutoff=0.6)]
    return f"did you mean {' or '.join(close)}?" if close else None


def _in_use(path: Path) -> HfkitError:
    return HfkitError(f"another process is writing to {path}", fix="wait for it to end, or set --output_dir")


def _same_or_refuse(run: Run, config: TrainConfig) -> None:
    """Refuse to mix two configurations in one folder; name the flags in which they differ."""
    there, here = identity(run.config), identity(config)
    lacking = elsewhere(config.task).keys() - here.keys()  # which runs hold that began when one class had all knobs
    differing = sorted(name for name in (there.keys() | here.keys()) - lacking if there.get(name) != here.get(name))
    if differing:
        changes = ", ".join(f"{name} {there.get(name)!r} -> {here.get(name)!r}" for name in differing[:5])
        more = f" and {len(differing) - 5} more" if len(differing) > 5 else ""
        what = f"{run.path} holds a run of another configuration: {changes}{more}"
        raise HfkitError(what, fix="set --output_dir to a new folder, or --overwrite to delete the run that is there")
    say_idle({name: value for name, value in there.items() if name in lacking}, config.task, str(run.path))
