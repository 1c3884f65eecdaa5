"""`Pos`, `pos ` and `POS` become three classes, and the training and the test split do not agree on them.

Threads: autotrain-advanced#71
"""

from pathlib import Path

import pytest
from datasets import Dataset

from hfkit import load_data
from hfkit.base.errors import HfkitError

pytestmark = pytest.mark.pain("dirty-labels")

LABELS = ["pos", "neg", "Pos", "neg", "POS", "neg", "pos ", "neg"] * 10


def test_upstream_makes_more_classes() -> None:
    data = Dataset.from_dict({"label": LABELS}).class_encode_column("label")
    assert len(data.features["label"].names) == 5


def test_hfkit_names_the_variants_and_the_flag_that_merges_them(tmp_path: Path) -> None:
    path = tmp_path / "dirty.csv"
    rows = "".join(f'review number {number},"{label}"\n' for number, label in enumerate(LABELS))
    path.write_text("text,label\n" + rows)
    with pytest.raises(HfkitError, match="merge_labels") as caught:
        load_data(str(path))
    assert all(name in str(caught.value) for name in ("Pos", "POS", "pos"))
    data = load_data(str(path), merge_labels=True)
    assert sorted(name.lower() for name in data["train"].features["label"].names) == ["neg", "pos"]
