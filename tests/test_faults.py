"""Fault injection: sixty of the thousand of `make faults`, of each kind some; every run has to end in equal bytes."""

import ast
import json
import subprocess
import sys
from pathlib import Path

from test_resume import CASES

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"


def test_sixty_broken_runs_end_as_if_nothing_had_happened(tmp_path: Path) -> None:
    """In a process of its own: it forks, and what it forks may hold neither threads nor pytest."""
    table = tmp_path / "faults.json"
    command = [sys.executable, "-m", "tests.faults", "--count", "60", "--seed", "60", "--json", str(table)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    found = json.loads(table.read_text())
    assert found["injections"] == 60 and found["failures"] == 0
    assert all(kind["injections"] for kind in found["kinds"].values())
    for outcome in ("could not go on", "other bytes", "other faults"):
        assert sum(kind[outcome] for kind in found["kinds"].values()) == 0
    assert sum(kind["resumed"] for kind in found["kinds"].values()) > 20, "most faults came after a checkpoint"
    assert found["longest_notice_seconds"] < 10


def test_the_page_names_every_kind_and_the_matrix_of_exact_resume() -> None:
    page = PAGE.read_text(encoding="utf-8")
    source = ast.parse((ROOT / "tests" / "faults" / "injections.py").read_text(encoding="utf-8"))
    (kinds,) = (
        ast.literal_eval(node.value)
        for node in source.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "KINDS"
    )
    for kind, share in kinds.items():
        assert f"| {kind} | {round(1000 * share)} |" in page
    for number, (killed, *knobs) in enumerate(CASES, 1):
        assert " | ".join([f"| {number}", *knobs, f"{killed} |"]) in page
