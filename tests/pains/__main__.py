"""python -m tests.pains: write docs/pains.md from the tests; --check only compares (exit status 1 where it is old).

A pain is a file test_<name>.py of this folder. Its docstring's first paragraph says what users suffer, its last line
names the threads. A test called test_upstream_... shows the plain call of a peer falling into it; all others that carry
the pain's mark, in whichever file of the suite, show hfkit outside it.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "pains.md"

REPOSITORIES = {
    "accelerate": "huggingface/accelerate",
    "Automodel": "NVIDIA-NeMo/Automodel",
    "autotrain-advanced": "huggingface/autotrain-advanced",
    "axolotl": "axolotl-ai-cloud/axolotl",
    "DALLE-pytorch": "lucidrains/DALLE-pytorch",
    "Chinese-LLaMA-Alpaca-2": "ymcui/Chinese-LLaMA-Alpaca-2",
    "datasets": "huggingface/datasets",
    "diffusers": "huggingface/diffusers",
    "evaluate": "huggingface/evaluate",
    "fastai": "fastai/fastai",
    "geo-deep-learning": "NRCan/geo-deep-learning",
    "huggingface_hub": "huggingface/huggingface_hub",
    "ignite": "pytorch/ignite",
    "Lightning": "Lightning-AI/pytorch-lightning",
    "LLaMA-Factory": "hiyouga/LLaMA-Factory",
    "lm-eval-harness": "EleutherAI/lm-evaluation-harness",
    "ludwig": "ludwig-ai/ludwig",
    "Megatron-Bridge": "NVIDIA-NeMo/Megatron-Bridge",
    "ms-swift": "modelscope/ms-swift",
    "NeMo-RL": "NVIDIA-NeMo/RL",
    "nomacs": "nomacs/nomacs",
    "optimum": "huggingface/optimum",
    "pandas": "pandas-dev/pandas",
    "peft": "huggingface/peft",
    "persephone": "persephone-tools/persephone",
    "python-stdnum": "arthurdejong/python-stdnum",
    "Pillow": "python-pillow/Pillow",
    "PiPPy": "pytorch/PiPPy",
    "pytorch": "pytorch/pytorch",
    "rf-detr": "roboflow/rf-detr",
    "sd-scripts": "kohya-ss/sd-scripts",
    "SimpleTuner": "bghira/SimpleTuner",
    "spacy-huggingface-hub": "explosion/spacy-huggingface-hub",
    "TextAttack": "QData/TextAttack",
    "torchtext": "pytorch/text",
    "tokenizers": "huggingface/tokenizers",
    "trainer": "kubeflow/trainer",
    "transformers": "huggingface/transformers",
    "trl": "huggingface/trl",
    "ultralytics": "ultralytics/ultralytics",
}

# Pains of things that hfkit does not do yet: what users suffer, the threads, and what has to come first.
LATER = {
    "search-under-ddp": (
        "A hyperparameter search hangs or diverges as soon as there is more than one process.",
        "transformers#18609 #27487",
        "hyperparameter search",
    ),
    "export-drift": (
        "An exported model answers otherwise than the trained one, and that is only a warning.",
        "optimum#1755 #978",
        "export",
    ),
    "archive-bomb": (
        "A small archive unpacks to a full disk, or writes outside its folder.",
        "",
        "archives: hfkit opens none",
    ),
}

HEAD = """# What users of the peers suffer, and how it is tested here

<!-- Written by `python -m tests.pains` from the docstrings and marks of the tests. Change those. -->

Each line is a complaint that comes back in public threads about the tools that people use for this job today.
{shown} of the {all} have a test that first makes the plain call of such a tool, offline, and asserts that it falls into
the trap; every one has tests that show hfkit outside it. When a tool mends its trap, that test fails and the line is
looked at again. A test carries its pain as a mark: `@pytest.mark.pain("resume-not-exact")`.

| pain | what users suffer | threads | the trap is shown | hfkit is outside it |
|---|---|---|---|---|
"""

TAIL = """
## Not yet

hfkit does not do these things yet, so there is nothing to test.

| pain | what users suffer | threads | waits for |
|---|---|---|---|
"""


@dataclass
class Pain:
    """One line of the page: what is suffered, the threads, and the tests of either kind as (file, name)."""

    suffered: str
    threads: str
    trap: list[tuple[Path, str]] = field(default_factory=list)
    outside: list[tuple[Path, str]] = field(default_factory=list)


def described() -> dict[str, Pain]:
    """The pains that files of this folder describe, by name."""
    found = {}
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        paragraphs = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split("\n\n")
        if paragraphs[-1].startswith("Threads:"):
            name = file.stem.removeprefix("test_").replace("_", "-")
            threads = paragraphs[-1].removeprefix("Threads:").strip().removeprefix("none")
            found[name] = Pain(" ".join(paragraphs[0].split()), threads)
    return found


def marked() -> Iterator[tuple[str, Path, str]]:
    """Every test of the suite that carries a pain: the pain, the file, the test's name."""
    for file in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        everywhere = [name for node in tree.body if isinstance(node, ast.Assign) for name in names(node)]
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                own = [name for decorator in node.decorator_list for name in names(decorator)]
                for name in dict.fromkeys(everywhere + own):
                    yield name, file, node.name


def names(node: ast.AST) -> list[str]:
    """The pains in `pytestmark = pytest.mark.pain("x")` or in a decorator."""
    calls = [call for call in ast.walk(node) if isinstance(call, ast.Call)]
    return [ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) == "pytest.mark.pain"]


def collected() -> dict[str, Pain]:
    """All pains with their tests.

    Raises:
        SystemExit: A mark names no pain, or a pain has no test that shows hfkit outside it.
    """
    pains = described()
    for name, file, test in marked():
        if name not in pains:
            sys.exit(f"{file.name}::{test}: no file of tests/pains describes the pain {name!r}")
        kind = pains[name].trap if test.startswith("test_upstream_") else pains[name].outside
        kind.append((file, test))
    bare = [name for name, pain in pains.items() if not pain.outside]
    if bare:
        sys.exit(f"no test shows hfkit outside {', '.join(bare)}")
    return pains


def links(threads: str) -> str:
    """`transformers#1 #2` as links; a number without a repository belongs to the one before."""
    shown, repository = [], ""
    for thread in threads.replace(",", " ").split():
        name, number = re.fullmatch(r"([\w-]*)#(\d+)", thread).groups()  # type: ignore[union-attr]
        repository = name or repository
        shown.append(f"[{name}#{number}](https://github.com/{REPOSITORIES[repository]}/issues/{number})")
    return ", ".join(shown) or "-"


def listed(tests: list[tuple[Path, str]]) -> str:
    """The tests, those of one file behind a link to it."""
    files: dict[Path, list[str]] = {}
    for file, name in tests:
        files.setdefault(file, []).append(f"`{name}`")
    parts = []
    for file, found in sorted(files.items(), key=lambda entry: entry[0].parent.name != "pains"):
        place = file.relative_to(TESTS).as_posix()
        parts.append(f"[{place}](../tests/{place}): {', '.join(found)}")
    return "<br>".join(parts)


def page() -> str:
    """The whole page."""
    pains = collected()
    lines = [HEAD.format(shown=sum(bool(pain.trap) for pain in pains.values()), all=len(pains))]
    for name, pain in pains.items():
        trap = ", ".join(f"`{test}`" for _, test in pain.trap) or "no"
        lines.append(f"| {name} | {pain.suffered} | {links(pain.threads)} | {trap} | {listed(pain.outside)} |\n")
    lines.append(TAIL)
    for name, (suffered, threads, missing) in LATER.items():
        lines.append(f"| {name} | {suffered} | {links(threads)} | {missing} |\n")
    return "".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.pains", allow_abbrev=False, description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 where the page is old")
    written = page()
    if parser.parse_args().check:
        old = not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != written
        print("docs/pains.md is old: python -m tests.pains" if old else "docs/pains.md is what the tests say")
        return int(old)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(written, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
