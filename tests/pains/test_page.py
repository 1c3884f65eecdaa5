"""docs/pains.md is what the tests of the suite say."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_of_pains_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.pains", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
