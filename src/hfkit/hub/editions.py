"""Editions: a run as it is published: whole, an adapter on its base, or the two merged; with its source if it is ours.

Nothing here writes to the run: what differs is held in memory, or in a folder that is deleted again.
"""

import ast
import copy
import json
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import transformers

from hfkit import __version__
from hfkit.hub.bases import CONFIG, pinned
from hfkit.models.adapting.adapters import merge
from hfkit.report.metadata import license_of
from hfkit.runs.run import Run
from hfkit.tasks.discover import specs

HEADER = f"# From hfkit {__version__}, Apache-2.0. Opens this model without hfkit: trust_remote_code=True.\n"

# Where a model was read from: a remark of transformers', and often a folder of this machine.
_READ_FROM = ("_name_or_path", "name_or_path")


@dataclass
class Edition:
    """What is published of a run."""

    run: Run  # its info is what the published run.json and card tell
    model: Path  # the folder with the model's files
    changed: dict[str, bytes] = field(default_factory=dict)  # files with other bytes than in `model`, or not in it
    merged: bool = False  # whether the adapter was merged into its base
    pictures: bool = True  # whether report.html and the card show those that the run keeps

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


def edition(run: Run, stack: ExitStack, merged: bool = False, pictures: bool = True) -> Edition:
    """The edition of a finished run, with `merged` its adapter merged into its base; `stack` deletes that in the end.
    Raises HfkitError: `merged`, and the run has no adapter; or the merged model answers otherwise than the adapter."""
    run.check_finished()
    told, folder = copy.copy(run), run.model_path
    told.info = copy.deepcopy(run.info)
    told.info["license"] = license_of(run)  # asks by the base's name, which may become another
    if merged:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hfkit-merged-")))
        folder, _ = merge(run.path, scratch / "model")
        told.info["model"]["plain_transformers"] = run.config.get("long_text", "head") == "head" and not sources(folder)
    made = Edition(told, folder, merged=merged, pictures=pictures)
    if not made.adapter:
        made.changed |= sources(folder)
        if "config.json" in made.changed:
            classes = json.loads(made.changed["config.json"])["auto_map"]
            told.info["code"] = {"class": next(name for name in classes if name != "AutoConfig")}
    for path in sorted(folder.glob("*config.json")):
        content = made.changed.get(path.name) or path.read_bytes()
        kept = json.loads(content, object_hook=lambda entry: {k: v for k, v in entry.items() if k not in _READ_FROM})
        if path.name != CONFIG and kept != json.loads(content):
            made.changed[path.name] = (json.dumps(kept, indent=2, sort_keys=True) + "\n").encode()
    return made


def sources(folder: Path) -> dict[str, bytes]:
    """The files to publish with a model of hfkit's own, by name: its modules, with imports by full names made relative,
    and config.json with `auto_map`. `from_pretrained(..., trust_remote_code=True)` opens it; after `import hfkit`
    neither the files nor that consent are needed."""
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    try:
        config = transformers.CONFIG_MAPPING[str(content.get("model_type"))]
    except KeyError:
        return {}
    if not config.__module__.startswith("hfkit."):
        return {}
    classes: dict[str, Any] = {"AutoConfig": config}
    for name in sorted({spec.auto_model for spec in specs()}):
        known = getattr(transformers, name)._model_mapping
        if config in known:
            classes[name] = known[config]
    content["auto_map"] = {name: f"{file_of(one.__module__)}.{one.__name__}" for name, one in classes.items()}
    found = {"config.json": (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()}
    waiting, done = sorted({one.__module__ for one in classes.values()}), set()
    while waiting:
        module = waiting.pop()
        if module not in done:
            done.add(module)
            text, needed = _relative(module)
            found[f"{file_of(module)}.py"] = (HEADER + text).encode()
            waiting += needed
    return found


def file_of(module: str) -> str:
    """`hfkit.baselines.vision.cnn` -> `baselines_vision_cnn`: a repository's code lies in one folder."""
    return module.removeprefix("hfkit.").replace(".", "_")


def _relative(module: str) -> tuple[str, list[str]]:
    """A module's source with its imports of hfkit made relative, and the modules that it imports. A module imports
    names from modules, as everywhere in these rooms; what only type checkers read stays as it is."""
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None, f"{module} has no file"
    text = Path(spec.origin).read_text(encoding="utf-8")
    lines, needed = text.splitlines(keepends=True), []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hfkit."):
            name = str(node.module)
            line = lines[node.lineno - 1]
            lines[node.lineno - 1] = line.replace(f"from {name} import", f"from .{file_of(name)} import", 1)
            needed.append(name)
    return "".join(lines), needed
