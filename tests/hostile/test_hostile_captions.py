"""Pictures with captions that are broken, lie or mean harm."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from caption_files import picture
from guard import Case, cases, refused, write
from test_hostile_masks import claims

from hfkit.data.load import load_data


def png(number: int) -> bytes:
    stream = io.BytesIO()
    picture(number).save(stream, "PNG")
    return stream.getvalue()


def rows(
    change: dict[str, Any] | None = None, image: bytes | None = None, text: str | None = None
) -> Callable[[], str]:
    """Twelve rows, of which the fourth has other values, another picture or is another line."""

    def make() -> str:
        lines = []
        for number in range(12):
            write(f"set/{number}.png", image if image is not None and number == 3 else png(number))
            row = {"image": f"{number}.png", "caption": f"the number {number}"} | (
                (change or {}) if number == 3 else {}
            )
            lines.append(text if text is not None and number == 3 else json.dumps(row))
        write("set/rows.jsonl", "\n".join(lines))
        return "./set/rows.jsonl"

    return make


def linked() -> str:
    rows()()
    Path("set/3.png").unlink()
    Path("set/3.png").symlink_to("/etc/passwd")
    return "./set/rows.jsonl"


CAPTIONS = cases(
    ("a picture of 30,000 x 30,000", rows(image=claims(30_000, 30_000)), ("larger than",)),
    ("a picture that is a strip", rows(image=claims(60_000, 2)), ("strip",)),
    ("a picture cut off", rows(image=png(3)[:60]), ("damaged",)),
    ("a picture that is a page", rows(image=b"<html><script></script>"), ("not an image",)),
    ("a picture of nothing", rows(image=b""), ("empty",)),
    ("a picture that is a link", linked, ("may not be followed", "line 4")),
    ("a picture elsewhere", rows({"image": "/etc/passwd"}), ("may not be followed", "line 4")),
    ("a picture by its address", rows({"image": "http://127.0.0.1:9/3.png"}), ("may not be followed", "line 4")),
    ("a picture of bytes", rows({"image": {"bytes": "AAAA"}}), ("cannot be read", "line 4")),
    ("a caption of lists in lists", rows({"caption": [["a"]]}), ("cannot be read as captions", "line 4")),
    ("a caption of a dict", rows({"caption": {"a": [1]}}), ("cannot be read as captions", "line 4")),
    ("a caption of half a character", rows({"caption": "\ud800"}), ("half a character", "line 4")),
    ("a line that is deep", rows(text="[" * 100_000), ("nested too deeply", "line 4")),
    ("a line that is no row", rows(text='"a"'), ("not an object", "line 4")),
    ("a line that is cut off", rows(text='{"image": "3.png", "cap'), ("not JSON", "line 4")),
    (
        "a number of endless digits",
        rows(text='{"image": "3.png", "caption": ' + "9" * 100_000 + "}"),
        ("over 4,300 digits", "line 4"),
    ),
)


@pytest.mark.parametrize("case", CAPTIONS)
def test_hostile_captions_are_not_loaded(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    refused(case, lambda path: load_data(path, task="zero-shot-image-classification"), capsys)
