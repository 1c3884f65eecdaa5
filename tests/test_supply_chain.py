"""The supply chain: what is fetched is pinned, no code of strangers runs unasked, and nobody is told of a run."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from test_house import FILES, RECIPES, ROOT, SOURCE, _imports, _load

import hfkit
from hfkit.config import TrainConfig
from hfkit.data.cards.card import DataCard
from hfkit.models.loading import load_model

COMMIT = re.compile(r"[0-9a-f]{40}")
CONVERTED = "refs/convert/parquet"  # the Hub's own copy of a data set whose files only a script can read
CARDS = sorted((ROOT / "data_cards").glob("*.md"))

# What opens connections, and who may: one room asks whether the Hub is there, one looks for a free port of loopback.
NETWORK = {"socket", "ssl", "http", "urllib", "ftplib", "smtplib", "requests", "httpx", "aiohttp", "urllib3"}
MAY_CONNECT = {
    "data/vision/given.py",
    "base/network.py",
    "base/processes.py",
    "hub/space/app.py",
}  # processes: to the launcher's own address
SWITCHED_OFF = r"analytics_enabled=False|\"GRADIO_ANALYTICS_ENABLED\"\] = \"False\""


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_a_card_of_the_hub_pins_its_commit(card: Path) -> None:
    read = DataCard.read(card)
    on_the_hub = not read.source.startswith((".", "demo:"))
    assert not on_the_hub or read.revision == CONVERTED or COMMIT.fullmatch(read.revision or ""), read.source


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_a_recipe_with_a_model_of_the_hub_pins_its_commit(recipe: Path) -> None:
    module = vars(_load(recipe))
    (config,) = (kind() for kind in module.values() if isinstance(kind, type) and issubclass(kind, TrainConfig))
    on_the_hub = not config.model.startswith(("baseline:", "demo:"))
    revision = config.model_revision or ""
    # A pull request may move, where it alone has safetensors, which run no code.
    asked = config.model == "Helsinki-NLP/opus-mt-en-zh" and revision == "refs/pr/26"
    assert not on_the_hub or COMMIT.fullmatch(revision) or asked, config.model


def test_code_of_strangers_runs_only_where_it_is_asked_for() -> None:
    assert TrainConfig().trust_remote_code is False
    for door in (hfkit.pipeline, load_model):
        assert inspect.signature(door).parameters["trust_remote_code"].default is False
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "trust_remote_code":
                given: Any = node.value.value if isinstance(node.value, ast.Constant) else None
                assert given is not True, f"{file.name}:{node.value.lineno}"


def test_no_telemetry() -> None:
    """hfkit opens no connection of its own but to the Hub, and to a picture's address that it is given; it calls no
    library's telemetry.

    `pains/test_local_phones_home.py` watches a whole job from outside: it asks for no name and connects to nobody.
    """
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        used = {name.split(".")[0] for name in _imports(ast.parse(text))} & NETWORK
        assert not used or file.relative_to(SOURCE).as_posix() in MAY_CONNECT, f"{file.name} imports {used}"
        text = re.sub(SWITCHED_OFF, "", text)
        assert not re.search(r"(?i)send_\w*telemetry|analytics|sentry", text), file.name
