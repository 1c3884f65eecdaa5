"""README.md where somebody wrote on at the Hub: what people added there stays, and what a push knows better is new.

Beside each card its text as hfkit wrote it is kept in `.hfkit/README.md`. What differs from that is a person's work.
"""

import tempfile
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.utils import yaml_dump

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import read_yaml

README, WRITTEN = "README.md", ".hfkit/README.md"

TAKE_OVER = "--overwrite_card publishes the run's own card instead"


def both(text: str) -> dict[str, bytes]:
    """A card's two files: the one that people read and write on, and the one that says what they changed."""
    return {README: text.encode(), WRITTEN: text.encode()}


def at_the_hub(
    api: HfApi, repository: str, there: dict[str, str], revision: str, kind: str
) -> tuple[str | None, str | None]:
    """README.md at a commit, and as hfkit wrote it there; None for what there is not, or is no text."""
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in {README, WRITTEN} & there.keys():
            path = api.hf_hub_download(repository, name, repo_type=kind, revision=revision, local_dir=folder)
            found[name] = Path(path).read_bytes().decode(errors="replace").replace("\r\n", "\n")
    return found.get(README), found.get(WRITTEN)


def merged(ours: str, theirs: str | None, written: str | None) -> tuple[str, str | None]:
    """The card to publish, and the sentence that says what is kept of somebody's work; None where there is none.

    Keys of the front matter and lines that people changed, added or deleted stay as they are there. Where a line was
    changed on both sides, both stand. A README of which nothing is known stays whole, but for one without a text.
    `ours` is the card that is pushed, `theirs` what the Hub has, `written` what hfkit wrote there last."""
    if theirs is None or theirs in (written, ours):
        return ours, None
    front, body = _parts(theirs)
    if front is None or (written is None and body.strip()):
        return theirs, f"README.md: somebody else's, left as it is there; {TAKE_OVER}"
    (before, base), (keys, text) = _parts(written or ""), _parts(ours)
    before, keys = before or {}, keys or {}
    changed = [name for name in before.keys() | front.keys() if before.get(name) != front.get(name)]
    new = {name: front.get(name) if name in changed else keys.get(name) for name in [*front, *keys]}
    lines, count, clashes = _lines(base.split("\n"), text.split("\n"), body.split("\n")) if written else ([text], 0, 0)
    kept = {name: value for name, value in new.items() if value is not None}
    whole = f"---\n{yaml_dump(kept, sort_keys=False)}---\n" + "\n".join(lines)
    told = [*sorted(changed), *([f"{count} edited place{'s' * (count != 1)} of the text"] if count else [])]
    again = f", of which {clashes} changed in the run too, so that both stand" if clashes else ""
    whole = theirs if ours == written else whole  # with its comments and its order of keys
    return whole, f"README.md: kept as edited there: {', '.join(told)}{again}; {TAKE_OVER}" if told else None


def _parts(text: str) -> tuple[dict[str, Any] | None, str]:
    """Front matter and body; no front matter is an empty one, and one that cannot be read is None."""
    head, _, body = text.removeprefix("---\n").partition("\n---\n")
    if not text.startswith("---\n") or (not body and "\n---" not in text):
        return {}, text
    try:
        front = read_yaml(head, Path(README), 2)
    except HfkitError:
        return None, body
    return (front if isinstance(front, dict) else {} if front is None else None), body


def _lines(base: list[str], ours: list[str], theirs: list[str]) -> tuple[list[str], int, int]:
    """`ours` with the edits that lead from `base` to `theirs`; how many, and how many of them clash with our own."""
    place = {len(base): len(ours)}  # of each line of the base that is still in ours
    for start, at, size in SequenceMatcher(None, base, ours, autojunk=False).get_matching_blocks():
        place |= {start + step: at + step for step in range(size)}
    edits, clashes = [], 0
    for kind, first, last, begin, end in SequenceMatcher(None, base, theirs, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        kept = [place[line] for line in range(first, last) if line in place]
        if kept and kept == list(range(kept[0], kept[0] + last - first)):
            edits.append((kept[0], kept[-1] + 1, theirs[begin:end]))
            continue
        clashes += first < last
        at = place[first - 1] + 1 if first - 1 in place else place[min(line for line in place if line >= last)]
        edits.append((at, at, theirs[begin:end]))
    for start, stop, lines in reversed(edits):
        ours = ours[:start] + lines + ours[stop:]
    return ours, len(edits), clashes
