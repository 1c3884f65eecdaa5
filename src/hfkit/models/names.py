"""Where a model is: a name on the command line -> a folder with all that a model needs."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hfkit.base import versions
from hfkit.base.errors import HfkitError
from hfkit.base.network import hub_access, or_cached
from hfkit.data.sources import embedded
from hfkit.runs.run import Run, like_runs

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_TORCH = "pytorch_model.bin"
PICKLES = (_TORCH, f"{_TORCH}.index.json", "tf_model.h5", "flax_model.msgpack", "adapter_model.bin")
HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors", "*.jinja", "*.codes", "*.spm", "*.tokenizer"]


def locate(name: str | Path, revision: str | None = None, code: bool = False) -> Path:
    """The folder with a model's files: of a folder, a run directory (its `model/`), `demo:minilm`, or a Hub id, which
    is fetched into the Hub's cache: safetensors and JSON, no pickles, and with `code` Python files too. Raises
    HfkitError: no such folder, no such embedded model, no such repository, or the Hub cannot be reached."""
    found = here(name)
    if found is not None:
        return found
    try:
        return fetch(str(name), revision, [*HUB_FILES, *["*.py"] * code])
    except HfkitError as error:
        run = like_runs(name)
        raise HfkitError(error.what, where=error.where, fix=f"{run} Else: {error.fix}") if run else error from error


def check_name(name: str) -> None:
    """Refuse an embedded model or a folder that there is not, before anything heavy is imported."""
    if name.startswith("demo:"):
        embedded.check_name(name.removeprefix("demo:"))
    elif not name.startswith("timm/"):
        here(name)


def here(name: str | Path) -> Path | None:
    """The folder of a model on this machine, as `locate` finds it; None for what may be a Hub id. Raises HfkitError: it
    can only be a folder or an embedded model, and there is none."""
    text = str(name)
    versions.check_docstrings()
    if text.startswith("demo:"):
        return embedded.model_path(text.removeprefix("demo:"))
    try:
        path = Path(text).expanduser()
        found = path.is_dir()
    except (OSError, RuntimeError) as error:  # a name of thousands of characters, ~nobody
        raise HfkitError(f"there is no folder {text!r}: {error}", where="--model") from error
    if not text:
        raise HfkitError("the model has no name", where="--model", fix="name a folder or a Hub id")
    if found:
        return Run(path).model_path if (path / "run.json").is_file() else path
    if path.is_file():
        raise HfkitError(f"{name} is a file; a model is a folder", where="--model", fix="name the folder it is in")
    if text.startswith("runs/"):
        raise HfkitError(f"there is no run {name}", fix=like_runs(name) or "train it first, or name a run's folder")
    if path.is_absolute() or text.startswith((".", "~")) or text.endswith("/") or text.count("/") > 1:
        beside = {place.name: str(place) for place in path.parent.glob("*/")}
        close = [beside[one] for one in get_close_matches(path.name, beside, n=2)]
        fix = like_runs(name) or (f"did you mean {' or '.join(close)}?" if close else "name a folder or a Hub id")
        raise HfkitError(f"there is no folder {name!r}", where="--model", fix=fix)
    return None


def fetch(name: str, revision: str | None, files: list[str]) -> Path:
    """The folder of one commit of a repository in the Hub's cache, with the files at its top that fit these patterns.
    Raises HfkitError: the name is no Hub id, there is no such repository or revision, the Hub cannot be reached, or the
    weights are pickles alone. A repository that cannot be asked, because there is no connection, passes."""
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        with hub_access(f"model {name}"):
            # Subfolders hold other formats (ONNX, OpenVINO) of the same weights; those with a number, modules of
            # sentence-transformers.
            only: dict[str, Any] = {"allow_patterns": files, "ignore_patterns": ["[!0-9]*/*"]}
            folder = or_cached(f"model {name}", lambda: snapshot_download(name, revision=revision, **only))
            weights = "*.safetensors" in files
            if weights and not constants.HF_HUB_OFFLINE and not any(folder.glob("*.safetensors")):
                there = HfApi().list_repo_files(name, revision=folder.name)
                if pickles := [file for file in there if file in PICKLES]:
                    raise _only_pickles(name, pickles[0], f"commit {folder.name}")
            return folder
    except HFValidationError as error:
        what = f"{name!r} is neither a folder nor a Hub id"
        raise HfkitError(what, where="--model", fix="a Hub id looks like owner/name") from error


def _only_pickles(name: str | Path, pickle: str, place: str) -> HfkitError:
    what = f"the weights of {name} are only there as {pickle}; hfkit reads safetensors, which cannot run code"
    convert = "convert it once where you trust it: model.save_pretrained(folder)"
    fix = f"take a revision with model.safetensors (--model_revision refs/pr/...), or {convert}"
    return HfkitError(what, where=place, fix=fix)


def check_folder(folder: Path, name: str | Path) -> None:
    """Refuse a folder that lacks its config or weights before anything heavy is imported. Raises HfkitError: a part is
    missing, or the weights are pickles, which can run code and are never read."""
    place = str(folder)
    if (folder / "adapter_config.json").is_file() and not any((folder / file).is_file() for file in WEIGHTS):
        fix = "start from its base model, or write the two as one: hfkit merge"
        raise HfkitError(f"{name} holds a LoRA adapter, not a whole model", where=place, fix=fix)
    if not (folder / "config.json").is_file():
        raise HfkitError(f"{name} holds no model: there is no config.json", where=place, fix=_contents(folder))
    check_weights(folder, name)


def check_weights(folder: Path, name: str | Path) -> None:
    """Refuse a folder without safetensors: one without weights, or with pickles alone."""
    if not any((folder / file).is_file() for file in WEIGHTS):
        if pickles := [file for file in PICKLES if (folder / file).is_file()]:
            raise _only_pickles(name, pickles[0], str(folder))
        what = f"{name} has no weights: there is no model.safetensors"
        raise HfkitError(what, where=str(folder), fix=_contents(folder))


def _contents(folder: Path) -> str:
    found = sorted(path.name + ("/" if path.is_dir() else "") for path in folder.iterdir())
    return f"the folder holds {', '.join(found[:12]) if found else 'nothing'}; name the one that save_pretrained wrote"
