"""Bases: what an adapter stands on, published and pinned, so that no adapter ever names a place on one machine."""

import json
import re
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, ModelCardData

from hfkit.base.errors import HfkitError
from hfkit.data.sources.embedded import origin
from hfkit.hub.upload import commits
from hfkit.hub.upload.bundle import Bundle, model_files
from hfkit.hub.upload.readme import both
from hfkit.hub.upload.secrets import Secrets
from hfkit.models.adapting.lora import read_adapter
from hfkit.models.names import locate
from hfkit.report.metadata import HUB_ID

CONFIG = "adapter_config.json"


def is_public(name: str) -> bool:
    """Whether a base's name is a Hub id, and no folder here and no embedded model."""
    return bool(HUB_ID.fullmatch(name)) and not Path(name).exists()


def planned(folder: Path, repository: str, base: str | None) -> tuple[str, str | None]:
    """The base that the published adapter in `folder` will name, and its revision as far as it is known without a Hub.
    Raises HfkitError: nobody else has the base, and it is not to be published too."""
    name, revision = read_adapter(folder)
    if is_public(name):
        return name, revision
    if base == repository:
        raise HfkitError("the base and the adapter cannot be one repository", where="--with_base", fix="name another")
    if base is None:
        shown = f"the embedded {name}" if name.startswith("demo:") else f"the folder {Path(name).name}"
        what = f"the adapter stands on {shown}, which is not on the Hub: nobody could open it"
        fix = f"add --with_base to publish the base first, as {repository}-base"
        raise HfkitError(what, fix=f"{fix}; or --merged to publish the adapter and its base as one model")
    return base, None


def publish(api: HfApi, folder: Path, base: str | None, private: bool, secrets: Secrets) -> tuple[str, str]:
    """Publish the base where it is not on the Hub, and pin it: its Hub id, and the commit that the adapter needs: the
    one that it was trained on, or else what its revision is now. Raises HfkitError: the Hub has no such base, or
    refuses."""
    from hfkit.hub.upload.publishing import prepare

    name, revision = read_adapter(folder)
    if not is_public(name) and base is not None:
        files = base_bundle(folder, base, secrets)
        prepare(api, base, private)
        commit = commits.commit(api, base, files, "the base of an adapter, by hfkit push")
        print(f"Base: {base} at {commit}", flush=True)
        return base, commit
    if revision and re.fullmatch(r"[0-9a-f]{40}", revision):
        return name, revision
    return name, commits.persist(lambda: str(api.model_info(name, revision=revision).sha), name)


def base_bundle(folder: Path, repository: str, secrets: Secrets) -> Bundle:
    """The files of a base that is not on the Hub, with a card that says where they come from."""
    name, revision = read_adapter(folder)
    known, license = origin(name) if name.startswith("demo:") else (None, None)
    files: dict[str, bytes | Path] = dict(model_files(locate(name, revision)))
    front = ModelCardData(library_name="transformers", tags=["hfkit"], license=license, base_model=known).to_yaml()
    embedded = f"`{name}`, which hfkit has embedded"
    shown = embedded if name.startswith("demo:") else "a model that was not on the Hub before"
    same = f" Its weights are those of [{known}](https://huggingface.co/{known})." if known else ""
    title = repository.split("/")[1]
    text = f"# {title}\n\nThe base of an adapter: {shown}.{same} It is here so that the adapter opens.\n"
    files |= both(f"---\n{front}\n---\n\n{text}")
    found = Bundle(files)
    found.check(secrets)
    return found


def pinned(folder: Path, base: str, commit: str | None) -> bytes:
    """adapter_config.json with its base and the base's commit."""
    content: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    return (json.dumps(content | {"base_model_name_or_path": base, "revision": commit}, indent=2) + "\n").encode()
