"""README.md: the model card, from a run's files. What is not known is not mentioned."""

import re
import shlex
from datetime import UTC, datetime
from typing import Any

import numpy as np

from hfkit.evaluation import wording
from hfkit.report import analysis, public
from hfkit.report.analysis import Predictions
from hfkit.report.energy import GRAMS_PER_KWH, estimate
from hfkit.report.metadata import base_model, data_set, license_of, metadata, scratch
from hfkit.report.page import command, overview, settings, templates
from hfkit.report.pictures import STRIP
from hfkit.runs.run import Run, identity
from hfkit.tasks.discover import find

CLASSES = 6  # that the card lists, the worst first; the report has them all
MISTAKES, MISTAKE_CHARACTERS = 5, 240


def card(run: Run, repository: str | None = None, shown: str | None = None) -> str:
    """The model card of a finished run, as Markdown with YAML front matter. Its snippets open `repository`, the Hub id
    (owner/name) under which it is published, else the folder. `shown` is what the row of pictures beside it shows."""
    context = overview(run)
    energy = estimate(run.info["hardware"], context["totals"]["total_seconds"]) if context["totals"] else None
    context |= _names(run, repository) | _reproduction(run)
    context |= {"energy": energy, "grid": f"{GRAMS_PER_KWH:g}", "weak": weaknesses(run), "shown": shown, "strip": STRIP}
    context |= {"license": license_of(run), "prose": prose(context["data"].get("prose") or "")}
    environment = templates().overlay(autoescape=False)
    own = {"md": markdown, "code": code, "bib": bib, "amount": amount, "public": public.text}
    environment.filters = environment.filters | own
    body = re.sub(r"\n{3,}", "\n\n", environment.get_template("card.md.jinja").render(context))
    return f"---\n{metadata(run, energy).to_yaml()}\n---\n\n{body}"


def weaknesses(run: Run) -> dict[str, Any]:
    """What the card says of failures, from predictions.parquet; empty for a task that has nothing to say of them:
    `classes`, `confusions`, `lengths`, `calibration`, `errors` (regression), `mistakes` and `passages` (what a task
    with other answers says); a part that does not apply is None."""
    parts = ("classes", "confusions", "lengths", "calibration", "errors", "mistakes", "passages")
    nothing = dict.fromkeys(parts) | {"multi": False}
    if own := find(str(run.info["task"])).offers("report", "passages"):
        return nothing | {"passages": own(run)}
    seen = Predictions.of(run)
    if not seen.labelled:
        return {}
    found = nothing | {"mistakes": _mistakes(seen), "multi": seen.multi}
    if "text" in seen.table.column_names:
        found["lengths"] = analysis.by_length(seen)
    if seen.regression:
        distance = np.abs(seen.truth - seen.answer)
        half, most = np.median(distance), np.quantile(distance, 0.9)  # of the answers lie within so much of the truth
        return found | {"errors": {"half": half, "most": most, "bias": (seen.answer - seen.truth).mean()}}
    known = [row for row in analysis.per_class(seen) if row["recall"]]
    return found | {
        "classes": sorted(known, key=lambda row: row["recall"].value)[:CLASSES],
        "class_count": len(known),
        "confusions": None if seen.multi else analysis.confusions(analysis.confusion(seen), seen.names, at_most=3),
        "calibration": analysis.reliability(seen, bins=5) if seen.shares is not None else None,
    }


def _mistakes(seen: Predictions) -> list[dict[str, Any]]:
    """The surest wrong answers, with the start of the text, or the row's name where there is none."""
    found = analysis.mistakes(seen, at_most=MISTAKES)
    for row in found:
        texts = [row[name] for name in ("text", "text_pair") if row.get(name)]
        row["shown"] = wording.line(" / ".join(texts), MISTAKE_CHARACTERS) if texts else f"row {row['id']}"
    return found


def _names(run: Run, repository: str | None) -> dict[str, Any]:
    """What the page calls things: the model, its base, its data, and where the snippets find it."""
    info, data, base = run.info, run.info["data"], str(run.info["model"]["name"])
    title = repository.split("/")[1] if repository else str(info["name"])
    return {
        "title": title,
        "place": repository or run.path,
        "model_place": repository or run.model_path,
        "repository": repository,
        "base": public.path(base),
        "hub_base": base_model(run),
        "hub_data": data_set(run),
        "scratch": scratch(run),
        "data_title": data.get("pretty_name") or public.path(data["name"]),
        "location": public.path(data["location"] or ""),
        "key": re.sub(r"\W+", "_", title).strip("_") or "model",
        "year": datetime.fromtimestamp((run.path / "metrics.json").stat().st_mtime, UTC).year,
    }


def _reproduction(run: Run) -> dict[str, Any]:
    """The command and the settings, without what says only where files lay."""
    changed, same = settings(identity(run.config))
    whole = command(run)
    shown = shlex.join(public.argument(word) for word in shlex.split(whole)) if whole else ""
    # shlex quotes the = of a variable that stands before the command
    shown = re.sub(r"^'(\w+=\w+)'", r"\1", shown)
    cut = shown != whole or any(isinstance(value, str) and public.path(value) != value for _, value in changed)
    told = [(name, _shown(value)) for name, value in changed]
    return {"changed": told, "defaults": same, "command": shown, "cut_paths": cut}


def _shown(value: Any) -> Any:
    """A setting's value: a list without its brackets, a path without its folders."""
    if isinstance(value, list):
        return ", ".join(public.path(entry) for entry in value) or "none"
    return public.path(value) if isinstance(value, str) else value


def markdown(value: Any) -> str:
    """A foreign string as one line of Markdown that stays text: no links, no HTML, no table cells."""
    return re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", wording.line(value, 300))


def code(value: Any) -> str:
    """A foreign string as code in a line, which no backtick ends early."""
    return f"`{wording.line(value, 300).replace('`', chr(0xFFFD)).replace('|', chr(0xFFFD))}`"


def bib(value: Any) -> str:
    """A foreign string inside the braces of a BibTeX entry, which stands in a block of code."""
    return re.sub(r"[{}\\`]", "", wording.line(value, 200)).replace("_", r"\_").replace("&", r"\&").replace("%", r"\%")


def amount(value: float) -> str:
    """Two digits, without an exponent: `0.0031`, `12`, `1,200`."""
    if value >= 100:
        return f"{float(f'{value:.2g}'):,.0f}"
    return f"{float(f'{value:.2g}'):f}".rstrip("0").rstrip(".") or "0"


def prose(text: str) -> str:
    """A data card's text as a part of this page: its title left out, its headings two levels lower, no HTML."""
    lines, fenced = [], False
    for line in wording.clean(text).strip().split("\n"):
        fenced ^= line.lstrip().startswith("```")
        if not fenced and line.startswith("# "):
            continue
        if not fenced and re.match(r"#{2,4} ", line):
            line = f"##{line}"
        lines.append(line if fenced else _without_html(line))
    if fenced:
        lines.append("```")
    return "\n".join(lines).strip()


def _without_html(line: str) -> str:
    """`<` as text, but in code, where it is text already."""
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(part if part.startswith("`") else re.sub(r"<(?=[A-Za-z/!?])", "&lt;", part) for part in parts)
