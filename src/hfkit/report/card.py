"""README.md: the model card, from a run's files. What is not known is not mentioned."""

import re
import shlex
from datetime import UTC, datetime
from typing import Any

from hfkit.evaluation import wording
from hfkit.report import public
from hfkit.report.energy import GRAMS_PER_KWH, estimate
from hfkit.report.metadata import base_model, data_set, license_of, metadata, scratch
from hfkit.report.page import command, overview, settings, templates
from hfkit.report.weaknesses import weaknesses
from hfkit.runs.run import Run, identity


def card(run: Run, repository: str | None = None) -> str:
    """The model card of a finished run, as Markdown with YAML front matter. Its snippets open `repository`, the Hub id
    (owner/name) under which it is published, else the folder."""
    context = overview(run)
    energy = estimate(run.info["hardware"], context["totals"]["total_seconds"]) if context["totals"] else None
    context |= _names(run, repository) | _reproduction(run)
    context |= {
        "energy": energy,
        "grid": f"{GRAMS_PER_KWH:g}",
        "weak": weaknesses(run),
        "license": license_of(run),
        "prose": prose(context["data"].get("prose") or ""),
    }
    environment = templates().overlay(autoescape=False)
    own = {"md": markdown, "code": code, "bib": bib, "amount": amount, "public": public.text}
    environment.filters = environment.filters | own
    body = re.sub(r"\n{3,}", "\n\n", environment.get_template("card.md.jinja").render(context))
    return f"---\n{metadata(run, energy).to_yaml()}\n---\n\n{body}"


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
