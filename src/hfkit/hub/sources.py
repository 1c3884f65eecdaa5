"""Sources: the Python files of a from-scratch model, so that it opens without hfkit.

As transformers' `register_for_auto_class` does it, but with imports by full names made relative. What then opens it is
`from_pretrained(..., trust_remote_code=True)`; after `import hfkit` neither the files nor that consent are needed.
"""

import ast
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hfkit import __version__
from hfkit.tasks.discover import specs

HEADER = f"# From hfkit {__version__}, Apache-2.0. Opens this model without hfkit: trust_remote_code=True.\n"


def sources(folder: Path) -> dict[str, bytes]:
    """The files to publish with a model of hfkit's own, by name: its modules, and config.json with `auto_map`."""
    import transformers

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
    """A module's source with its imports of hfkit made relative, and the modules that it imports.

    A module imports names from modules, as everywhere in these rooms; what only type checkers read stays as it is.
    """
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


def auto_class(files: dict[str, bytes]) -> str | None:
    """The Auto class that opens the model, for its card; None where there are no sources."""
    if not any(name.endswith(".py") for name in files):
        return None
    return next((name for name in json.loads(files["config.json"])["auto_map"] if name != "AutoConfig"), None)
