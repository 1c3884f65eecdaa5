"""Editions: a run as it is published: whole, an adapter on its base, or the two merged; with its source if it is ours.

Nothing here writes to the run: what differs in the published form is held in memory, a merged model in a folder that
is deleted again.
"""

import copy
import json
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hfkit.hub.bases import CONFIG, pinned
from hfkit.hub.sources import auto_class, sources
from hfkit.report.metadata import license_of
from hfkit.runs.run import Run

# Where a model was read from: a remark of transformers', and often a folder of this machine.
_READ_FROM = ("_name_or_path", "name_or_path")


@dataclass
class Edition:
    """What is published of a run.

    Attributes:
        run: The run, its info being what the published run.json and card tell.
        model: The folder with the model's files.
        changed: Files whose published bytes are others than those in `model`, or that are not in it.
        merged: Whether the adapter was merged into its base.
    """

    run: Run
    model: Path
    changed: dict[str, bytes] = field(default_factory=dict)
    merged: bool = False

    @property
    def adapter(self) -> bool:
        """Whether it needs a base to open."""
        return (self.model / CONFIG).is_file()

    @property
    def ways(self) -> list[str]:
        """How it is promised to open: see `hfkit.hub.stranger.logits`."""
        plain = self.run.info["model"].get("plain_transformers")
        code = any(name.endswith(".py") for name in self.changed)
        return ["transformers" if plain else "hfkit", *["code"] * code]

    def stand_on(self, base: str, commit: str | None) -> None:
        """Name the base, in the adapter and in what is told of it."""
        self.changed[CONFIG] = pinned(self.model, base, commit)
        self.run.info["model"] |= {"name": base, "revision": commit}
        self.run.info["config"] |= {"model": base, "model_revision": commit}


def edition(run: Run, stack: ExitStack, merged: bool = False) -> Edition:
    """The edition of a finished run, with `merged` its adapter merged into its base; `stack` deletes that in the end.

    Raises:
        HfkitError: `merged`, and the run has no adapter; or the merged model answers otherwise than the adapter.
    """
    run.check_finished()
    told, folder = copy.copy(run), run.model_path
    told.info = copy.deepcopy(run.info)
    told.info["license"] = license_of(run)  # asks by the base's name, which may become another
    if merged:
        from hfkit.models.adapting.adapters import merge

        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hfkit-merged-")))
        folder, _ = merge(run.path, scratch / "model")
        told.info["model"]["plain_transformers"] = run.config.get("long_text", "head") == "head" and not sources(folder)
    made = Edition(told, folder, merged=merged)
    if not made.adapter:
        made.changed |= sources(folder)
        if opened_by := auto_class(made.changed):
            told.info["code"] = {"class": opened_by}
    for path in sorted(folder.glob("*config.json")):
        if path.name != CONFIG:
            made.changed |= _without_origin(path.name, made.changed.get(path.name) or path.read_bytes())
    return made


def _without_origin(name: str, content: bytes) -> dict[str, bytes]:
    """A config without the name that its model was read under; nothing where there is none."""

    def cut(entry: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in entry.items() if key not in _READ_FROM}

    kept = json.loads(content, object_hook=cut)
    return {name: (json.dumps(kept, indent=2, sort_keys=True) + "\n").encode()} if kept != json.loads(content) else {}
