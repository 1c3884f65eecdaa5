"""Tokens and private paths are found wherever they stand, and what merely looks like one is left alone."""

from pathlib import Path

import pytest

from hfkit.hub.upload.secrets import Secrets


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Secrets:
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.setenv("LOGNAME", "anna")
    monkeypatch.setenv("MY_PASSWORD", "correct-horse-battery")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    return Secrets("a-token-of-no-known-kind", [Path("/srv/shop/project")])


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("see /home/anna/data/films.csv.", "see films.csv."),
        ('"/home/bob/x/y.txt"', '"y.txt"'),
        ("/Users/bob/x.txt", "x.txt"),
        (r"C:\Users\bob\x.txt", "x.txt"),
        ("in /srv/shop/project/runs/a", "in a"),
        ("/mnt/disk/anna/films.csv", "films.csv"),
        ("/tmp/pytest-of-anna/pytest-1/run", "run"),
        ("anna@host said", "~ said"),
        ("key=hf_" + "aB3" * 10, "key=[removed]"),
        ("github_pat_" + "a1" * 20, "[removed]"),
        ("sk-proj-" + "a1B2" * 10, "[removed]"),
        ("AKIA" + "ABCD" * 4, "[removed]"),
        ("my correct-horse-battery", "my [removed]"),
        ("a-token-of-no-known-kind", "[removed]"),
        ("file:///home/anna/films.csv", "films.csv"),
    ],
)
def test_secrets_are_taken_out_of_what_a_run_says(secrets: Secrets, text: str, left: str) -> None:
    assert secrets.search(text.encode())
    assert secrets.without(text)[0] == left


@pytest.mark.parametrize(
    "text",
    [
        "anna was here, and Anna's film",
        "the /home page, /Users guide and hf_hub_download",
        "hfkit.pipeline('user/name') of sk-learn; AKIA",
        "false",
        "recipes/bert_imdb.py --output_dir runs/try",
    ],
)
def test_ordinary_words_are_left_alone(secrets: Secrets, text: str) -> None:
    assert secrets.search(text.encode()) == []
    assert secrets.without(text) == (text, [])


def test_a_file_is_searched_to_its_last_byte(secrets: Secrets, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"\0" * 3_000_000 + b"hf_" + b"aB3" * 10)
    (found,) = secrets.search_file(path)
    assert (found.kind, found.start) == ("a Hugging Face token", 3_000_000)
    assert "aB3aB3" not in str(found), "the message does not repeat it"
    path.write_bytes(b"")
    assert secrets.search_file(path) == []
