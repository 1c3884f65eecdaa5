"""Verification: what was published is opened as a stranger would, and must answer as the run does, bit for bit."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hfkit.errors import HfkitError
from hfkit.hub import stranger
from hfkit.plain import line
from hfkit.run import Run

EXAMPLES = 8
"""Rows that are compared. One wrong weight or word shows in each; more rows would only take longer."""

SECONDS = 1800
"""For downloading and opening; a large model on a slow line takes minutes."""


def examples(run: Run) -> list[Any]:
    """Stored rows of the run, spread over its test split: texts, pairs of texts; for pictures, the seeds of eight made
    ones, because a run keeps none."""
    if run.info["task"] == stranger.IMAGE:
        return list(range(EXAMPLES))
    table = run.predictions()
    if "text" not in table.column_names:
        return ["One text.", "And another one, which is longer than the first!"]
    places = [place * len(table) // EXAMPLES for place in range(min(EXAMPLES, len(table)))]
    columns = [table[name].take(places).to_pylist() for name in ("text", "text_pair") if name in table.column_names]
    return [list(row) for row in zip(*columns, strict=True)] if len(columns) > 1 else columns[0]


def ways(run: Run, merged: bool = False, code: bool = False) -> list[str]:
    """How the published model is promised to open: see `stranger.logits`."""
    plain = bool(run.info["model"].get("plain_transformers"))
    if merged:  # what the merged model is, its base decides
        plain = run.config.get("long_text") == "head" and run.config.get("pooling") == "model"
    return [*(["transformers"] if plain else ["hfkit"]), *(["code"] if code else [])]


def verify(
    run: Run, repository: str, commit: str, how: list[str], token: str | None, address: str, model: Path | None = None
) -> int:
    """Open `repository` at `commit` from an empty cache, in a new process for each way, and compare logits.

    Returns:
        How many rows were compared.

    Raises:
        HfkitError: It does not open, or answers otherwise than the run. Nothing is taken back: the commit stands.
    """
    import torch

    rows = examples(run)
    task = str(run.info["task"])
    expected = stranger.logits("hfkit", task, str(model or run.path), None, rows)
    for way in how:
        question = {"how": way, "task": task, "model": repository, "revision": commit, "rows": rows}
        answers = _ask({"threads": torch.get_num_threads(), "question": question}, token, address, repository)
        _compare(expected, answers, repository, commit, way)
    return len(rows)


def _compare(expected: list[list[float]], answers: list[list[float]], repository: str, commit: str, way: str) -> None:
    differing = [place for place, pair in enumerate(zip(expected, answers, strict=True)) if pair[0] != pair[1]]
    if not differing:
        return
    here, there = expected[differing[0]], answers[differing[0]]
    gap = max((abs(a - b) for a, b in zip(here, there, strict=False)), default=float("nan"))
    raise HfkitError(
        f"{repository} does not answer as the run does: {len(differing)} of {len(expected)} examples differ, the first"
        f" by {gap:.3g} in a logit",
        where=f"commit {commit}, opened with {NAMES[way]}",
        fix="the commit stands as it is. Compare its files with the run's model/ before you tell anybody of it",
    )


NAMES = {
    "transformers": "plain transformers",
    "hfkit": "hfkit",
    "code": "transformers and trust_remote_code=True",
}


def _ask(order: dict[str, Any], token: str | None, address: str, repository: str) -> list[list[float]]:
    """The stranger's logits. Its caches are a new, empty folder, which is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="hfkit-stranger-") as empty:
        done = subprocess.run(
            [sys.executable, "-P", stranger.__file__],
            input=json.dumps(order),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=_environment(Path(empty), token, address),
            cwd=empty,
            check=False,
        )
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        why = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        raise HfkitError(
            f"{repository} was published, and cannot be opened from an empty cache: {line(why, 400)}",
            where=f"commit {order['question']['revision']}, with {NAMES[order['question']['how']]}",
            fix="the commit stands as it is; HFKIT_DEBUG=1 shows more",
        )
    answers: list[list[float]] = json.loads(lines[-1])["logits"]
    return answers


def _environment(empty: Path, token: str | None, address: str) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("HF_HUB_OFFLINE", "TRANSFORMERS_"))
    }
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_MODULES_CACHE", "HF_TOKEN_PATH", "HF_TOKEN"):
        kept.pop(name, None)
    kept |= {"HF_HOME": str(empty), "HF_ENDPOINT": address, "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return kept | ({"HF_TOKEN": token} if token else {})
