"""Two spellings that nobody can tell apart, composed and decomposed letters or a character that is not seen, make two
classes of one.

Threads: persephone#125
"""

from pathlib import Path

import pytest
from datasets import Dataset

from hfkit import load_data
from hfkit.base.errors import HfkitError

pytestmark = pytest.mark.pain("lookalike-labels")

PAIRS = [("café", "cafe\u0301"), ("pos", "pos\u200b"), ("pos", "\ufeffpos"), ("A类", "Ａ类")]


def labels(pair: tuple[str, str]) -> list[str]:
    return [*pair, "other", "other"] * 10


@pytest.mark.parametrize("pair", PAIRS, ids=ascii)
def test_upstream_makes_two_classes(pair: tuple[str, str]) -> None:
    data = Dataset.from_dict({"label": labels(pair)}).class_encode_column("label")
    assert len(data.features["label"].names) == 3


@pytest.mark.parametrize("pair", PAIRS, ids=ascii)
def test_hfkit_names_the_two_and_merges_them_when_asked(tmp_path: Path, pair: tuple[str, str]) -> None:
    path = tmp_path / "data.csv"
    rows = "".join(f"place number {number},{label}\n" for number, label in enumerate(labels(pair)))
    path.write_text("text,label\n" + rows, encoding="utf-8")
    with pytest.raises(HfkitError, match="merge_labels"):
        load_data(str(path))
    assert load_data(str(path), merge_labels=True).summary.label_names == sorted([pair[0], "other"])
