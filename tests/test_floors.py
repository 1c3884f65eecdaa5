"""Floors: an old torch or transformers is refused when hfkit is imported, with the reason."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from hfkit import floors
from hfkit.errors import HfkitError
from hfkit.models.names import locate


def put(folder: Path, name: str, version: str) -> None:
    """A package as pip leaves it."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text("raise SystemError('imported')\n")
    (folder / f"{name}-{version}.dist-info").mkdir()


@pytest.mark.pain("old-libraries")
@pytest.mark.parametrize(
    ("name", "version", "why"),
    [("torch", "2.9.1+cu128", "CVE-2026-24747"), ("transformers", "5.2.0", "CVE-2026-4372")],
)
def test_an_old_library_stops_the_import_with_the_reason(name: str, version: str, why: str, tmp_path: Path) -> None:
    put(tmp_path, name, version)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport hfkit"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 1
    last = ended.stderr[ended.stderr.index("HfkitError") :]
    assert f"{name} {version} is installed" in last and why in last and f"pip install --upgrade '{name}>=" in last


@pytest.mark.parametrize("version", ["2.10.0", "2.10.0a0+git1234", "2.15.0+cpu", "10.0"])
def test_what_is_new_enough_passes(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "torchlike", version)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(floors, "FLOORS", {"torchlike": floors.FLOORS["torch"], "no_such_package": ((1, 0), "")})
    assert floors.installed("torchlike") == version
    floors.check()


@pytest.mark.parametrize("name", floors.FLOORS)
def test_the_version_is_what_pip_says(name: str) -> None:
    assert floors.installed(name) == metadata.version(name)


def test_pip_is_told_the_same_floors() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name, (floor, _) in floors.FLOORS.items():
        (line,) = [line for line in project["dependencies"] if re.match(rf"{name}\b", line)]
        assert re.match(rf"{name}>={floor[0]}\.{floor[1]}\b", line)


def test_python_without_docstrings_is_refused_where_a_model_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floors, "sys", SimpleNamespace(flags=SimpleNamespace(optimize=1)))
    assert locate("demo:minilm").is_dir()
    monkeypatch.setattr(floors, "sys", SimpleNamespace(flags=SimpleNamespace(optimize=2)))
    with pytest.raises(HfkitError, match=r"python -OO takes docstrings away(?s:.*)leave out -OO"):
        locate("demo:minilm")
