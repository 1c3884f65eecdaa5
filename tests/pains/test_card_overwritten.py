"""A licence or a paragraph that somebody added to the model card on the Hub is gone after the next push, unsaid.

Threads: spacy-huggingface-hub#7
"""

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi

import hfkit

pytestmark = pytest.mark.pain("card-overwritten")

NAME, THANKS = "tester/films", "Thanks to Anna, who labelled half of it."


def by_hand(hub: Any) -> None:
    """A person's commit on the Hub's page: a licence, and a sentence at the end."""
    repository = hub.store.repositories["model", NAME]
    card = hub.store.files(NAME)["README.md"].decode().replace("---\n", "---\nlicense: mit\n", 1) + f"\n{THANKS}\n"
    files = repository.resolve("main").files | {"README.md": hub.store.keep(card.encode())}
    repository.commit("main", "Update README.md", files)


def test_upstream_overwrites_it(hub: Any, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\ntags:\n- x\n---\n# films\n")
    api = HfApi(endpoint=hub.url)
    api.create_repo(NAME)
    api.upload_folder(repo_id=NAME, folder_path=tmp_path)
    by_hand(hub)
    api.upload_folder(repo_id=NAME, folder_path=tmp_path)
    assert THANKS.encode() not in hub.store.files(NAME)["README.md"]


def test_hfkit_keeps_it_and_says_so(hub: Any, tiny_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hfkit.push(tiny_run, NAME, verify=False)
    by_hand(hub)
    for _ in range(2):
        hfkit.push(tiny_run, NAME, verify=False)
        card = hub.store.files(NAME)["README.md"].decode()
        assert card.endswith(f"\n{THANKS}\n") and "license: mit" in card and "model-index" in card
        assert "README.md: kept as edited there: license, 1 edited place of the text" in capsys.readouterr().out
    hfkit.push(tiny_run, NAME, verify=False, overwrite_card=True)
    assert THANKS not in hub.store.files(NAME)["README.md"].decode()
