"""Labels, texts and names that mean harm where they are shown: terminal, report, model card, spreadsheet, files."""

import contextlib
import csv
import html.parser
import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from guard import CONTROL, harmless, write

import hfkit
from hfkit.cli.main import main
from hfkit.inference import predict_file
from hfkit.inference.writers import LineWriter

SCRIPT = "<script>document.title='owned'</script>"
IMAGE = "<img src=x onerror=\"document.title='owned'\">"
LABELS = {
    "a script": SCRIPT,
    "a picture with a handler": IMAGE,
    "the end of a script": "</script></style></svg><svg onload=\"document.title='owned'\">",
    "a template": "{{ 7 * 7 }}{% include '/etc/passwd' %}",
    "escape sequences": "\x1b[2J\x1b[31mred\x1b]0;owned\x07",
    "a bell and a backspace": "ok\x07\x08\x08no",
    "another direction": "\u202egnp.exe",
    "a prototype": "__proto__",
    "a path": "../../x",
    "an absolute path": "/etc/passwd",
    "a formula": "=HYPERLINK(\"http://evil.example\",\"x\")",
    "a command": "@SUM(1+9)*cmd|' /C calc'!A0",
    "a link": "[click](javascript:alert(1))",
    "a table's end": "| a | b |\n|---|---|",
    "the end of front matter": "---\nlicense: mine\n---",
    "ten thousand letters": "long" * 2500,
    "half of nothing": "nan ",
}  # fmt: skip
NAME = "run <img src=x onerror=document.title='owned'>"
COLUMN = "=1+1<b>"


def rows() -> list[dict[str, str]]:
    names = [name for name in LABELS.values() if name.strip() != "nan"]
    return [
        {"text": f"{SCRIPT} \x1b[2J word{label} number {number}", "label": name, COLUMN: "=2+2"}
        for number in range(12)
        for label, name in enumerate(names)
    ]


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished run on hostile rows, and all that it printed."""
    folder = tmp_path_factory.mktemp("spoilt")
    table = folder / f"{IMAGE.replace('/', '')}.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    flags = [
        "--dataset",
        str(table),
        "--model",
        "baseline:lstm",
        "--output_dir",
        str(folder / NAME),
        "--max_steps",
        "4",
    ]
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(out),
        pytest.raises(SystemExit) as end,
    ):
        main(["train", *flags, "--mixed_precision", "no", "--use_cpu", "--max_length", "16", "--disable_tqdm"])
    assert end.value.code == 0, out.getvalue()
    return folder, out.getvalue()


def test_nothing_reaches_the_terminal(spoilt: tuple[Path, str]) -> None:
    assert "classes" in spoilt[1]
    assert not CONTROL.search(spoilt[1].replace("\r", "").replace("\t", ""))


def test_no_label_becomes_a_path(spoilt: tuple[Path, str]) -> None:
    folder, _ = spoilt
    assert sorted(path.name for path in folder.iterdir()) == sorted([NAME, f"{IMAGE.replace('/', '')}.jsonl"])
    assert not (folder.parent / "x").exists()


def test_labels_come_back_as_they_were(spoilt: tuple[Path, str]) -> None:
    model = hfkit.pipeline(spoilt[0] / NAME, device="cpu")
    assert sorted(model.model.config.id2label.values()) == sorted({row["label"].strip() for row in rows()})
    assert model(["a word"])[0]["label"] in model.model.config.label2id


class Page(html.parser.HTMLParser):
    """What a browser would run or fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "object", "embed", "img", "link", "base", "form"):
            self.found.append(tag)
        for name, value in attributes:
            if (
                name.startswith("on")
                or name in ("src", "srcdoc")
                or str(value).strip().lower().startswith("javascript")
            ):
                self.found.append(f"{tag} {name}={value}")


def test_a_page_holds_nothing_that_runs(spoilt: tuple[Path, str]) -> None:
    run = spoilt[0] / NAME
    twin = spoilt[0].parent / f"{spoilt[0].name}-twin"
    shutil.copytree(run, twin)
    compared = hfkit.compare([str(run), str(twin)]).html()
    for page in ((run / "report.html").read_text(), compared):
        looked = Page()
        looked.feed(page)
        assert looked.found == [] and "owned" in page
        assert not CONTROL.search(page.replace("\n", "").replace("\t", ""))
        assert "default-src 'none'" in page


@pytest.mark.skipif(not shutil.which("chromium"), reason="no browser here; the page is parsed in the test above")
def test_a_browser_runs_nothing(spoilt: tuple[Path, str], tmp_path: Path) -> None:
    def shown(page: Path) -> str:
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
        done = subprocess.run([*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120)
        return done.stdout.split("<title>")[1].split("</title>")[0]

    control = tmp_path / "control.html"
    control.write_text(f"<!doctype html><title>mine</title><body>{IMAGE}{SCRIPT}</body>")
    assert shown(control) == "owned", "the browser must run what it is given, or the test shows nothing"
    report = spoilt[0] / NAME / "report.html"
    title = report.read_text().split("<title>")[1].split("</title>")[0]
    assert shown(report) == title.replace("&#39;", "'").replace("&#34;", '"')


def test_the_model_card_stays_text(spoilt: tuple[Path, str]) -> None:
    from huggingface_hub import ModelCard

    text = (spoilt[0] / NAME / "README.md").read_text()
    card = ModelCard(text)
    assert card.data.license is None
    unfenced = re.sub("`[^`]*`", "", "".join(card.text.split("```")[::2]))
    assert "<script" not in unfenced.replace("\\<script", "") and "<img" not in unfenced.replace("\\<img", "")
    assert "[click](" not in unfenced.replace("\\[click\\]", "")
    assert not CONTROL.search(text.replace("\n", ""))


@pytest.mark.pain("csv-formula")
def test_a_spreadsheet_runs_nothing(spoilt: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    starts = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
    texts = [f"{start}cmd|' /C calc'!A0" for start in starts]
    write("in.jsonl", "".join(json.dumps({COLUMN: text, "text": text}) + "\n" for text in texts))
    assert predict_file(spoilt[0] / NAME, "in.jsonl", "out.csv", disable_tqdm=True, device="cpu") == len(texts)
    with Path("out.csv").open(encoding="utf-8", newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert f"'{COLUMN}" in cells and all(f"'{text}" in cells for text in texts)
    assert not [cell for cell in cells if cell.startswith(starts)]
    assert "a spreadsheet would run" in capsys.readouterr().err


def test_answers_on_the_terminal_are_clean(capsys: pytest.CaptureFixture[str]) -> None:
    LineWriter(["label", "score"]).write([{"label": name, "score": 0.5} for name in LABELS.values()])
    told = capsys.readouterr().out
    assert len(told.splitlines()) == len(LABELS)
    assert not CONTROL.search(told.replace("\n", "").replace("\t", ""))


@pytest.mark.parametrize("name", sorted(set(LABELS) - {"half of nothing"}))
def test_a_message_about_a_label_is_clean(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One example of the label: the message names it."""
    good: list[dict[str, Any]] = [{"text": f"text {row}", "label": "ab"[row % 2]} for row in range(40)]
    write("data.jsonl", "".join(json.dumps(row) + "\n" for row in [*good, {"text": "odd", "label": LABELS[name]}]))
    with pytest.raises(hfkit.HfkitError, match="one example only") as told:
        hfkit.load_data("./data.jsonl")
    harmless(str(told.value))
