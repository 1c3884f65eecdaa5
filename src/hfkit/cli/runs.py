"""Health: in which state the runs of a folder are, and whether their files are still what was written."""

from pathlib import Path
from typing import Any

from hfkit.base import atomic
from hfkit.base.errors import HfkitError
from hfkit.evaluation import wording
from hfkit.runs.run import Run, below
from hfkit.training import checkpoint


def state(path: str | Path) -> str:
    """`running, step N`, `finished`, `stopped at step N` or `damaged: why`: read from the files alone, and quick, by
    lengths and not hashes (`verify` does that). A run without a process that holds its lock is no longer running."""
    try:
        run = Run(path)
        state = run.state
        if state == "running":
            step = max((line.get("step", 0) for line in run.log()), default=0)
            return f"running, step {int(step)}"
        if state == "finished":
            found = atomic.damage(run.path, run.info.get("files", {}), hashes=False)
            return f"damaged: {found[0]}" if found else "finished"
    except HfkitError as error:
        return f"damaged: {error.what}"
    whole, skipped = checkpoint.newest(run.path / "checkpoints", hashes=False)
    step = checkpoint.step_of(whole) if whole else 0
    return f"stopped at step {step}" + "".join(f"; {place.name} is damaged: {why}" for place, why in skipped)


def table(folder: str | Path = "runs") -> str:
    """The runs in `folder`, at any depth: name, state, and the figure of finished ones. Refuses what is no folder."""
    folder = Path(folder)
    if not folder.is_dir():
        raise HfkitError(f"there is no folder {folder}", fix="name the folder that holds the runs: hfkit runs FOLDER")
    places = below(folder)
    if not places:
        return f"{folder} holds no runs"
    rows = [["run", "state", "figure"]]
    rows += [[str(place), wording.line(state(place), 100), _figure(place)] for place in places]
    return "\n".join(wording.aligned(rows))


def verify(path: str | Path) -> tuple[int, list[str]]:
    """Read every byte of a run that was written with a hash: its checkpoints and, once it is finished, its model, log,
    figures and predictions. Returns how many files were read, and a sentence for each that is damaged. Raises
    HfkitError: `path` holds no run, or its run.json cannot be read."""
    run = Run(path)
    files: dict[str, dict[str, Any]] = run.info.get("files", {}) if run.state == "finished" else {}
    found = [f"{run.path}: {sentence}" for sentence in atomic.damage(run.path, files)]
    count = len(files)
    for place in checkpoint.by_step(run.path / "checkpoints"):
        why = checkpoint.damage(place)
        found += [f"{place}: {why}"] if why else []
        count += sum(1 for _ in place.iterdir())
    return count, found


def _figure(path: Path) -> str:
    try:
        found = Run(path).metrics
        name = found["primary_metric"]
        return f"{wording.title(name)} {wording.number(found[name]['value'], name)}"
    except (HfkitError, KeyError, TypeError):
        return "-"
