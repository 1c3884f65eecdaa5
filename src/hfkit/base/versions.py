"""Floors: the oldest torch and transformers that hfkit is imported beside, and why; and the newest that was tested."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

from hfkit.base.errors import HfkitError

FLOORS = {
    "torch": ((2, 10), "before 2.10 a file of weights can run code, also with weights_only (CVE-2026-24747)"),
    "transformers": (
        (5, 5, 4),
        "before 5.3 a model's config.json can run code without trust_remote_code (CVE-2026-4372), and before 5.5.4 its"
        " Trainer divides an accumulated gradient twice",
    ),
}
"""pip keeps to them when it installs hfkit; a later `pip install something-else` may go below them."""

TESTED = {
    "torch": "2.14.1",
    "transformers": "5.24.0",
    "accelerate": "1.15.0",
    "datasets": "5.2.0",
    "peft": "0.21.2",
    "timm": "1.0.31",
    "evaluate": "0.4.6",
    "scikit-learn": "1.9.1",
}
"""The versions that the suite passed with last; `make lock` writes them here."""


def check() -> None:
    """Look, without importing it, whether a library is older than its floor, which raises an HfkitError."""
    for name, (floor, why) in FLOORS.items():
        found = installed(name)
        if found is not None and _parts(found) < floor:
            needed = ".".join(map(str, floor))
            fix = f"pip install --upgrade '{name}>={needed}'"
            raise HfkitError(f"{name} {found} is installed, and hfkit needs {needed} or newer: {why}", fix=fix)


def newer() -> str:
    """One line on the libraries that are newer than those that hfkit was tested with; empty where none is."""
    pairs = [(name, installed(name), version) for name, version in TESTED.items()]
    beyond = [f"{name} {found} ({version})" for name, found, version in pairs if _parts(found) > _parts(version)]
    return f"newer than what hfkit was tested with: {', '.join(beyond)}" if beyond else ""


def _parts(version: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version or "0")[:3])


def check_docstrings() -> None:
    """Refuse, as an HfkitError, `python -OO`: it takes docstrings away, which transformers builds classes from."""
    if sys.flags.optimize > 1:
        fix = "leave out -OO and PYTHONOPTIMIZE=2; -O does no harm"
        raise HfkitError("python -OO takes docstrings away, and transformers needs them to open a model", fix=fix)


def installed(name: str) -> str | None:
    """The version of a package, by the folder that pip keeps beside it; None where there is none (a checkout).
    `importlib.metadata` would know more cases, and takes longer to import than all of `import hfkit`."""
    name = name.replace("-", "_")
    spec = find_spec({"scikit_learn": "sklearn"}.get(name, name))
    if spec is None or spec.origin is None:
        return None
    beside = [entry.name for entry in Path(spec.origin).parent.parent.glob(f"{name}-*-info")]
    matches = [re.fullmatch(rf"{name}-(\d+\.\d[^-]*)(-.*)?\.(dist|egg)-info", entry) for entry in beside]
    return next((match[1] for match in matches if match), None)
