"""Bundle: the files of a run that are published, each looked through for secrets first."""

import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as parquet
from huggingface_hub import ModelCard

from hfkit.base import atomic
from hfkit.base.errors import HfkitError
from hfkit.hub.upload.readme import README, WRITTEN, both
from hfkit.hub.upload.secrets import Secrets
from hfkit.report.card import card
from hfkit.report.page import page
from hfkit.report.pictures import STRIP, Strip, strip
from hfkit.runs.run import Run

if TYPE_CHECKING:
    from hfkit.hub.editions import Edition

OF_THE_DATA = ("text", "text_pair", "prompt", "completion", "messages", "image", "reference")
"""Columns of predictions.parquet that repeat the data, which may be anybody's: they are not published."""

TEXTS = ("report.html", "metrics.json")
# What save_pretrained writes. Anything else in model/ (training_args.bin, optimizer.pt) stays on this machine.
_MODEL_FILES = re.compile(r"[\w.-]+\.(safetensors|json|txt|model|jinja|py)")
_NOT_MODEL = re.compile(r"(optimizer|scheduler|trainer_state|training_args|rng_state).*")


@dataclass
class Bundle:
    """What is sent."""

    files: dict[str, bytes | Path] = field(default_factory=dict)  # by the path in the repository; bytes, or their file
    said: list[str] = field(default_factory=list)  # what was left out or rewritten, a sentence each

    def size(self, path: str) -> int:
        content = self.files[path]
        return len(content) if isinstance(content, bytes) else content.stat().st_size

    def read(self, path: str) -> bytes:
        content = self.files[path]
        return content if isinstance(content, bytes) else content.read_bytes()

    def listing(self) -> str:
        """A line a file with its size, and the sum."""
        sizes = {path: self.size(path) for path in sorted(self.files)}
        width = max(map(len, sizes))
        lines = [f"  {path:<{width}}  {size:>14,}" for path, size in sizes.items()]
        total = f"  {'in all':<{width}}  {sum(sizes.values()):>14,} bytes in {len(sizes)} files"
        return "\n".join([*lines, total, *(f"  {sentence}" for sentence in self.said)])

    def check(self, secrets: Secrets) -> None:
        """Search every byte. Raises HfkitError: a file holds a token or a private path, which it is told where to
        find."""
        for path, content in sorted(self.files.items()):
            if path == "predictions.parquet":
                continue  # its columns were searched before they were compressed
            found = secrets.search(content) if isinstance(content, bytes) else secrets.search_file(content)
            if found:
                more = f", and {len(found) - 1} more" if len(found) > 1 else ""
                what = f"{path} holds what is private: {found[0]}, at byte {found[0].start:,}{more}"
                fix = "take it out of the file; nothing was sent. A token that was written to a file should be"
                fix += " revoked at https://huggingface.co/settings/tokens"
                raise HfkitError(what, where=str(content) if isinstance(content, Path) else None, fix=fix)


class _WithoutPictures(Run):
    """A run whose report shows no pictures: they are the data's, which may be anybody's."""

    def table(self, name: str) -> pa.Table | None:
        return None if name == "pictures.parquet" else super().table(name)


def bundle(made: "Edition", repository: str, secrets: Secrets) -> Bundle:
    """The files of an edition, in the layout that transformers opens: the model at the top, the run beside it.

    The card names `repository` where the run named its folder. Raises HfkitError: the run is damaged, or a file holds
    what must not be sent."""
    run = made.run
    damaged = atomic.damage(run.path, run.info.get("files", {}))
    if damaged:
        raise HfkitError(f"{run.path} is damaged: {damaged[0]}", fix="restore the file; see hfkit verify")
    found = Bundle(dict(model_files(made.model)) | dict(made.changed))
    row = strip(run) if made.pictures else None
    texts = {README: _card(made, repository, row)}
    texts |= {name: (run.path / name).read_text(encoding="utf-8") for name in TEXTS if (run.path / name).is_file()}
    shown = (run.info.get("pictures") or {}).get("kept")
    if shown and not made.pictures and "report.html" in texts:
        texts["report.html"] = page(_WithoutPictures(run.path))
    for name, text in texts.items():
        text, reasons = secrets.without(_addressed(text, run, repository))
        found.said += _told(name, reasons)
        found.files |= both(text) if name == README else {name: text.encode()}
    if shown and "report.html" in found.files:
        how = "shows" if made.pictures else "was made again without"
        found.said.append(f"report.html: {how} {shown} small pictures of the data")
    if row and f"]({STRIP})" in texts[README]:
        found.files[STRIP] = row.image
        found.said.append(f"{STRIP}: a row of them, which the card shows")
    if (run.path / "predictions.parquet").is_file():
        _add_predictions(found, run, secrets)
    found.files["run.json"] = _run_json(found, run, repository, secrets)
    found.check(secrets)
    return found


def model_files(folder: Path) -> dict[str, Path]:
    """What save_pretrained wrote into a folder, by name."""
    paths = {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
    kept = {name: path for name, path in paths.items() if _MODEL_FILES.fullmatch(name) and not _NOT_MODEL.match(name)}
    modules = sorted(folder.glob("[0-9]_*/config.json")) if "modules.json" in kept else []  # sentence-transformers'
    return kept | {path.relative_to(folder).as_posix(): path for path in modules}


def _card(made: "Edition", repository: str, row: Strip | None) -> str:
    """The run's card as that of `repository`, with a row of pictures. A card that somebody went on writing by hand
    stays theirs."""
    path = made.run.path / "README.md"
    if path.is_file():
        text, known = path.read_text(encoding="utf-8"), made.run.info.get("card")
        # As `write_report` made it, here or where the run lay before it was moved?
        if (atomic.digest(text.encode())["sha256"] != known) if known else text != card(Run(made.run.path)):
            return text
    text = card(made.run, repository, row.caption if row else None)
    if not made.merged:
        return text
    merged = ModelCard(text)
    told: dict[str, Any] = vars(merged.data)
    told["library_name"] = "transformers"
    if told.get("base_model_relation"):
        told["base_model_relation"] = "finetune"
    return str(merged)


def _addressed(text: str, run: Run, repository: str) -> str:
    """The text with the repository where its code names the run's folder."""
    folders = {str(run.path), str(run.config.get("output_dir") or run.path)}
    for folder in sorted(folders, key=len, reverse=True):
        place = re.escape(folder.rstrip("/"))
        text = re.sub(rf"([\"'])(?:\./)?{place}(?:/model)?/?\1", rf"\g<1>{repository}\g<1>", text)
        text = re.sub(rf"(hfkit (?:evaluate|predict|compare|demo) ){place}/?(?=\s)", rf"\g<1>{repository}", text)
    return text


def _told(name: str, reasons: list[str]) -> list[str]:
    return [f"{name}: taken out {reasons.count(reason)} x: {reason}" for reason in sorted(set(reasons))]


def _add_predictions(found: Bundle, run: Run, secrets: Secrets) -> None:
    """The answers without the texts: enough to compare runs, and no copy of somebody's data."""
    table = run.predictions()
    kept = [name for name in table.column_names if name not in OF_THE_DATA]
    table = table.select(kept).replace_schema_metadata(None)
    words = "\n".join(map(str, table["id"].to_pylist())) if "id" in kept else ""
    if private := secrets.search(words.encode("utf-8", "surrogatepass")):
        found.said.append(f"predictions.parquet: left out, its ids hold what is private: {private[0]}")
        return
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, compression="zstd")
    found.files["predictions.parquet"] = buffer.getvalue()


def _run_json(found: Bundle, run: Run, repository: str, secrets: Secrets) -> bytes:
    """run.json under the published name, without private paths and tokens, with the published files' hashes."""
    reasons: list[str] = []
    info = {key: _without(value, secrets, reasons, key in _OF_THIS_MACHINE) for key, value in run.info.items()}
    info["name"] = repository
    info["data"]["location"] = _without(info["data"].get("location"), secrets, reasons, True)
    found.said += _told("run.json", reasons)
    info["files"] = {
        path: atomic.digest(content)
        for path, content in sorted(found.files.items())
        if path not in (README, WRITTEN)  # people go on writing it
    }
    return (json.dumps(info, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")


_OF_THIS_MACHINE = ("name", "recipe", "config", "command", "model")
"""Entries of run.json in which what begins with a slash is a path, and no label."""


def _without(value: Any, secrets: Secrets, reasons: list[str], paths: bool) -> Any:
    """`value` with its strings cleaned; of a path the last part is kept, for no other machine has the rest."""
    if isinstance(value, dict):
        return {key: _without(entry, secrets, reasons, paths) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without(entry, secrets, reasons, paths) for entry in value]
    if not isinstance(value, str):
        return value
    if paths and re.fullmatch(r"(/|~/|[A-Za-z]:\\)[^\n]+", value):
        reasons.append("a path of this machine")
        value = re.split(r"[/\\]", value.rstrip("/\\"))[-1]
    value, said = secrets.without(value)
    reasons += said
    return value
