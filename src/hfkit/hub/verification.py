"""Verification: what was published is opened as a stranger would, and must answer as the run does, bit for bit."""

import base64
import json
import os
import subprocess
import sys
import tempfile
from typing import Any

import torch

from hfkit.base.errors import HfkitError
from hfkit.base.sanitize import line
from hfkit.hub import stranger
from hfkit.hub.editions import Edition
from hfkit.models.loading import read_tokenizer
from hfkit.runs.run import Run
from hfkit.tasks.discover import find

NAMES = {"transformers": "plain transformers", "hfkit": "hfkit", "code": "transformers and trust_remote_code=True"}
"""What the ways of `Edition.ways` are called."""

MADE = ["One text.", "And another one, which is longer than the first!"]

EXAMPLES = 8  # rows that are compared. One wrong weight or word shows in each; more rows would only take longer.
ROUNDING = 1e-4  # share of the largest logit by which the order of a picture's normalisation may move one
SECONDS = 1800  # for downloading and opening; a large model on a slow line takes minutes


def examples(run: Run) -> list[Any]:
    """Rows that the run has stored: texts, pairs of texts, texts as words, pictures as base64 of their files; else
    a few made ones."""
    if _kind(run)["images"]:
        pictures = run.table("pictures.parquet")  # that the run keeps for its report
        rows = [] if pictures is None else pictures.to_pylist()
        kept = [row["image"] for row in rows if row["part"] in ("mistake", "class")][:EXAMPLES]
        return [base64.b64encode(image).decode() for image in kept] or list(range(EXAMPLES))
    table = run.predictions()
    if _kind(run)["words"]:
        return _words(run, table["tokens"].to_pylist())
    names = [name for name in ("text", "text_pair") if name in table.column_names]
    if not names:
        return MADE
    places = [place * len(table) // EXAMPLES for place in range(min(EXAMPLES, len(table)))]
    columns = [table[name].take(places).to_pylist() for name in names]
    return [list(row) for row in zip(*columns, strict=True)] if len(names) > 1 else columns[0]


def _words(run: Run, texts: list[list[str]]) -> list[list[str]]:
    """Texts as their words, as many as are whole in one window, and each with a piece of its own: what a longer text,
    or a word that the tokenizer makes nothing of, is to plain transformers is another thing."""
    tokenizer = read_tokenizer(run.model_path, run.path)
    found = []
    for words in [*texts[:: max(1, len(texts) // 200)], *(text.split() for text in MADE)]:
        of = tokenizer(words, is_split_into_words=True, truncation=True).word_ids(0)
        inside = {word for word in of if word is not None}
        cut = words if len(inside) == len(words) else words[: max(inside, default=0)]  # the last may be there in part
        if cut and set(range(len(cut))) <= inside:
            found.append(cut)
    return [found[place * len(found) // EXAMPLES] for place in range(min(EXAMPLES, len(found)))]


def _kind(run: Run) -> dict[str, Any]:
    """What a stranger has to know of the run's task."""
    spec = find(str(run.info["task"]))
    kind = {"auto_model": spec.auto_model, "images": "image" in spec.reads, "captions": "captions" in spec.reads}
    return kind | {"last": not spec.labelled, "words": "tokens" in spec.reads}


def _whole(run: Run, rows: list[Any]) -> list[Any]:
    """Rows that nothing has to be cut from: the model's own code reads a text's head, whatever the run read."""
    if _kind(run)["images"] or run.config.get("long_text", "head") == "head":
        return rows
    pair = rows and isinstance(rows[0], list)
    return [[text, text] for text in MADE] if pair else list(MADE)


def verify(made: Edition, repository: str, commit: str, token: str | None, address: str) -> int:
    """Open `repository` at `commit` from an empty cache, in a new process for each way, and compare logits; returns of
    how many rows. Raises HfkitError: it does not open, or answers otherwise than the run. Nothing is taken back: the
    commit stands."""
    stored = examples(made.run)
    for way in made.ways:
        rows = _whole(made.run, stored) if way == "code" else stored
        question = {"how": way, "kind": _kind(made.run), "model": repository, "revision": commit, "rows": rows}
        answers = _ask({"threads": torch.get_num_threads(), "question": question}, token, address, repository)
        _compare(_expected(made, way, rows), answers, repository, commit, way)
    return len(stored)


def _expected(made: Edition, way: str, rows: list[Any]) -> list[list[float]]:
    """The run's own logits. Pictures are normalised in another order by hfkit, in batches, than by transformers alone:
    there what is compared bit for bit is transformers on the run's folder, and with hfkit it agrees to rounding."""
    kind = _kind(made.run)
    ours = stranger.logits("hfkit", kind, str(made.model if made.merged else made.run.path), None, rows)
    if not kind["images"] or way == "hfkit":
        return ours
    plain = stranger.logits("transformers", kind, str(made.model), None, rows)
    gap = max(abs(a - b) for row in zip(ours, plain, strict=True) for a, b in zip(*row, strict=True))
    if gap > ROUNDING * max(1.0, max(abs(value) for row in ours for value in row)):
        what = f"{made.run.path} answers otherwise in plain transformers than in hfkit: by {gap:.3g} in a logit"
        raise HfkitError(what, fix="the card promises the same answers; tell hfkit's maintainers")
    return plain


def _compare(expected: list[list[float]], answers: list[list[float]], repository: str, commit: str, way: str) -> None:
    differing = [place for place, pair in enumerate(zip(expected, answers, strict=True)) if pair[0] != pair[1]]
    if not differing:
        return
    here, there = expected[differing[0]], answers[differing[0]]
    gap = max((abs(a - b) for a, b in zip(here, there, strict=False)), default=float("nan"))
    differ = f"{len(differing)} of {len(expected)} examples differ, the first by {gap:.3g} in a logit"
    what = f"{repository} does not answer as the run does: {differ}"
    fix = "the commit stands as it is. Compare its files with the run's model/ before you tell anybody of it"
    raise HfkitError(what, where=f"commit {commit}, opened with {NAMES[way]}", fix=fix)


def _ask(order: dict[str, Any], token: str | None, address: str, repository: str) -> list[list[float]]:
    """The stranger's logits. Its caches are a new, empty folder, which is deleted afterwards."""
    ours = ("TRANSFORMERS_", "HF_HUB_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_MODULES_CACHE", "HF_TOKEN")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    kept |= {"HF_ENDPOINT": address, "HF_HUB_DISABLE_PROGRESS_BARS": "1"} | ({"HF_TOKEN": token} if token else {})
    with tempfile.TemporaryDirectory(prefix="hfkit-stranger-") as empty:
        done = subprocess.run(
            [sys.executable, "-P", stranger.__file__],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=kept | {"HF_HOME": empty},
            cwd=empty,
            check=False,
        )
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        why = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        what = f"{repository} was published, and cannot be opened from an empty cache: {line(why, 400)}"
        where = f"commit {order['question']['revision']}, with {NAMES[order['question']['how']]}"
        raise HfkitError(what, where=where, fix="the commit stands as it is; HFKIT_DEBUG=1 shows more")
    return json.loads(lines[-1])["logits"]
