"""A card that people wrote on at the Hub: their keys and lines stay, the figures are new, and it is said."""

from typing import Any

import pytest
import yaml

from hfkit.hub.upload import commits
from hfkit.hub.upload.bundle import Bundle
from hfkit.hub.upload.publishing import connect, prepare
from hfkit.hub.upload.readme import both, merged

OURS = "---\ntags:\n- hfkit\nmetrics:\n- accuracy\n---\n\n# films\n\nAccuracy 0.90.\n\n## Limits\n\nEnglish alone.\n"
NEWER = OURS.replace("0.90", "0.92").replace("- hfkit", "- hfkit\n- lora")
NAME = "tester/films"


def parts(text: str) -> tuple[dict[str, Any], str]:
    head, body = text.removeprefix("---\n").split("---\n", 1)
    return yaml.safe_load(head), body


@pytest.mark.pain("card-overwritten")
@pytest.mark.parametrize("ours", [OURS, NEWER])
def test_a_persons_keys_and_lines_stay(ours: str) -> None:
    theirs = OURS.replace("tags:", "license: apache-2.0\ntags:").replace("alone.\n", "alone.\n\nThanks to Anna.\n")
    theirs = theirs.replace("## Limits\n", "## Limits and thanks\n")
    text, said = merged(ours, theirs, OURS)
    front, body = parts(text)
    assert front == {**parts(ours)[0], "license": "apache-2.0"}
    expected = parts(ours)[1].replace("alone.\n", "alone.\n\nThanks to Anna.\n")
    assert body == expected.replace("## Limits\n", "## Limits and thanks\n")
    assert said and "kept as edited there: license, 2 edited places" in said
    assert merged(ours, text, ours)[0] == text, "and again at the push after that"


def test_what_nobody_edited_is_new() -> None:
    for theirs, written in ((None, None), (OURS, OURS), (NEWER, OURS), (NEWER, None)):
        assert merged(NEWER, theirs, written) == (NEWER, None)


def test_a_line_that_both_changed_stands_twice() -> None:
    text, said = merged(NEWER, OURS.replace("0.90.", "0.90, says Anna."), OURS)
    assert "Accuracy 0.92." in text and "Accuracy 0.90, says Anna." in text
    assert said and "1 edited place of the text, of which 1 changed in the run too" in said


def test_what_a_person_took_out_stays_out() -> None:
    text, _ = merged(NEWER, OURS.replace("metrics:\n- accuracy\n", "").replace("English alone.\n", ""), OURS)
    assert "metrics" not in parts(text)[0] and "English" not in text and "0.92" in text


@pytest.mark.parametrize(
    ("theirs", "kept"),
    [
        ("---\nlicense: mit\n---\n", "license"),  # as the Hub's page for a new repository makes it
        ("# mine\n\nAll by hand.\n", "somebody else's"),
        ("---\nlicense: [\n---\n# mine\n", "somebody else's"),
        ("---\na: 1\n", "somebody else's"),
    ],
)
def test_a_readme_of_which_nothing_is_known(theirs: str, kept: str) -> None:
    text, said = merged(OURS, theirs, None)
    assert said and kept in said
    if kept == "license":
        assert parts(text) == ({**parts(OURS)[0], "license": "mit"}, parts(OURS)[1])
    else:
        assert text == theirs and "--overwrite_card" in said


@pytest.mark.pain("card-overwritten")
@pytest.mark.parametrize("kind", ["model", "dataset", "space"])
def test_over_the_hub(hub: Any, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    api = connect(NAME)
    prepare(api, NAME, kind=kind)
    commits.commit(api, NAME, Bundle(dict(both(OURS))), "one", kind=kind)
    repository = hub.store.repositories[kind, NAME]
    edited = OURS.replace("tags:", "license: mit\ntags:")
    head = repository.resolve("main")
    repository.commit("main", "by hand", head.files | {"README.md": hub.store.keep(edited.encode())})
    same = commits.commit(api, NAME, Bundle(dict(both(OURS))), "two", kind=kind)
    assert same == repository.branches["main"] and len(repository.history("main")) == 3, "nothing new: no commit"
    files = Bundle(dict(both(NEWER)))
    commits.commit(api, NAME, files, "three", kind=kind)
    there = hub.store.files(NAME, kind=kind)
    assert parts(there["README.md"].decode())[0]["license"] == "mit" and b"0.92" in there["README.md"]
    assert there[".hfkit/README.md"] == NEWER.encode()
    assert capsys.readouterr().out.count("README.md: kept as edited there: license") == 2
    commits.commit(api, NAME, Bundle(dict(both(NEWER))), "four", kind=kind, overwrite_card=True)
    assert hub.store.files(NAME, kind=kind)["README.md"] == NEWER.encode()
