"""pull: a repository's model, or the whole run that it came from, fetched once and checked byte by byte."""

import shutil
import sys
from pathlib import Path

from huggingface_hub import HfApi, constants

from hfkit.base.atomic import damage, whole_folder, writing
from hfkit.base.errors import HfkitError
from hfkit.base.network import endpoint, hub_access, hub_reachable
from hfkit.hub.upload import commits
from hfkit.hub.upload.publishing import check_name
from hfkit.models.names import HUB_FILES, fetch
from hfkit.runs.run import Run

RUN_FILES = ["*.md", "report.html", "predictions.parquet"]
"""What a published run has beside its model; see `hfkit.hub.upload.bundle`."""


def pull(
    repository: str, revision: str | None = None, output: str | Path | None = None, *, trust_remote_code: bool = False
) -> Path:
    """Fetch a model, and what else of its run was published: figures, predictions, report and card.

    What comes is pinned to one commit, which is printed, and each file is compared with the hash that the Hub has for
    it; without a connection the cache answers, and run.json has the hashes. Weights come as safetensors only, Python
    files with `trust_remote_code`; nothing is run here. `repository` is `user/name`, `revision` a commit, tag or
    branch. Returns the folder, which `hfkit predict`, `compare`, `evaluate` and `hfkit.pipeline` take: in the Hub's
    cache, or `output`, a new one. Raises HfkitError: there is no such repository or revision, its weights are pickles
    alone, a file is not what the Hub says, or `output` cannot be written."""
    check_name(repository)
    if output is not None and Path(output).exists():
        raise HfkitError(f"{output} exists", where="--output", fix="name a new folder")
    folder = fetch(repository, revision, [*HUB_FILES, *RUN_FILES, *["*.py"] * trust_remote_code])
    commit = folder.name
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    with hub_access(f"model {repository}"):
        if not constants.HF_HUB_OFFLINE and hub_reachable(endpoint()):
            there = commits.tree(HfApi(endpoint=endpoint()), repository, commit)
            damaged = [name for name, path in files.items() if not commits.matches(there.get(name), path)]
        else:
            known = Run(folder).info.get("files", {}) if (folder / "run.json").is_file() else {}
            damaged = damage(folder, {name: entry for name, entry in known.items() if (folder / name).is_file()})
    if damaged:
        what = f"{damaged[0]} of {repository} is not what the Hub has at commit {commit}"
        raise HfkitError(what, where=str(folder), fix="delete that folder of the cache and fetch it again")
    print(f"{repository} at commit {commit}: {len(files)} files, each as the Hub has it", file=sys.stderr)
    if output is None:
        return folder
    with writing(Path(output), "set --output"), whole_folder(Path(output)) as staged:
        for name, path in files.items():
            (staged / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(path, staged / name)
    return Path(output)


def local(run: str | Path) -> Path:
    """The folder of a run: its own, or of one that was published, fetched."""
    name = str(run)
    return Path(run) if Path(run).exists() or name.count("/") != 1 or name.startswith("runs/") else pull(name)
