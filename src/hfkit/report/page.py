"""report.html: one self-contained page from a run directory."""

import dataclasses
import shlex
import statistics
from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from hfkit.config import TrainConfig
from hfkit.config.by_task import elsewhere
from hfkit.config.knobs import default_of
from hfkit.evaluation import wording
from hfkit.report import analysis, plots
from hfkit.report.analysis import Predictions
from hfkit.report.doubted import doubted
from hfkit.runs.run import Run
from hfkit.tasks.discover import find

MATRIX_CLASSES = 12  # a matrix with more is unreadable; then its largest cells are listed
TABLE_CLASSES = 60  # a page with thousands is unreadable too


@cache
def templates() -> jinja2.Environment:
    """The package's templates. Everything that is put into a page is cleaned and HTML-escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hfkit.report", "templates"),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=jinja2.StrictUndefined,
        finalize=_cleaned,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    names = "clean line title capital number interval gap unit p_value duration count big python shell".split()
    environment.filters |= {name: getattr(wording, name) for name in names}
    environment.globals["baseline_title"] = wording.baseline_title
    return environment


def section(package: str, template: str, **context: Any) -> Markup:
    """A part of the page from a template of a task's own, in the folder `templates` beside its report.py."""
    folders = [jinja2.PackageLoader(package, "templates"), jinja2.PackageLoader("hfkit.report", "templates")]
    environment = templates().overlay(loader=jinja2.ChoiceLoader(folders))
    return Markup(environment.get_template(template).render(context))  # the template has escaped it


def _cleaned(value: Any) -> Any:
    return wording.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def page(run: Run) -> str:
    """The report of a finished run, as HTML."""
    seen, spec = Predictions.of(run), find(str(run.info["task"]))
    parts = spec.offers("report", "parts")
    own, rows = parts(run, seen) if parts else {}, beside(run)
    known = [seen.table[name].to_pylist() if name in seen.table.column_names else [] for name in ("id", "text")]
    context = overview(run) | {
        "images": False,
        "curves": _curves(run, own.pop("curves", [])),
        "own": [],
        "beside": {"rows": rows, "plot": plots.forest(rows, run.metrics["primary_metric"])},
        "sections": _sections(seen),
        "confidence": analysis.confidence(run, seen),
        "lengths": _lengths(seen) if seen.labelled and "lengths" not in own else None,
        "mistakes": analysis.mistakes(seen) if seen.labelled and "mistakes" not in own else None,
        "doubted": doubted(run, dict(zip(*known, strict=False))),
        "seen": seen,
    }
    return templates().get_template("report.html.jinja").render(context | own)


def overview(run: Run) -> dict[str, Any]:
    """What the report and the model card both tell."""
    info, found, spec = run.info, run.metrics, find(str(run.info["task"]))
    primary, shown = found["primary_metric"], wording.figures(found)
    changed, defaults = settings(run.config | {"output_dir": str(run.path)})
    return {
        "run": run,
        "info": info,
        "metrics": found,
        "primary": primary,
        "headline": [{"name": name, **shown[name]} for name in sorted(shown, key=lambda name: name != primary)],
        "problem": str(found.get("problem_type", "")),
        "job": job(info),
        "inputs": spec.inputs,
        "in_words": spec.in_words,
        "verdict": wording.verdict(found),
        "wins": wording.wins(found),
        "data": info["data"],
        "totals": totals(run),
        "command": command(run),
        "changed": changed,
        "defaults": defaults,
        "example": example(info),
        "plain": plain(info),
    }


def totals(run: Run) -> dict[str, Any]:
    """The run's times, with the training speed: the median of its log, which evaluations and the start do not bend."""
    lines = run.timing()
    found = dict(lines[-1]) if lines and "total_seconds" in lines[-1] else {}
    for name in ("samples_per_second", "tokens_per_second"):
        speeds = [entry[name] for entry in lines[:-1] if name in entry]
        if speeds and name not in found:
            found[name] = statistics.median(speeds)
    return found


def job(info: Mapping[str, Any]) -> str:
    """What the model does, in words; of a task that does not say, its name."""
    return str(_said(info, "job", info["task"].replace("-", " ")))


def _said(info: Mapping[str, Any], name: str, default: Any) -> Any:
    """What the run's task says of it in app.py, perhaps whatever the run."""
    own = find(str(info["task"])).offers("app", name) or default
    return own(info) if callable(own) else own


def command(run: Run) -> str:
    """The command that made the run, ready for a shell; a recipe's own arguments get their launcher back, and a run
    that was moved has the folder where it is."""
    old, machine = run.config.get("output_dir"), run.info["hardware"]
    moved = {str(old): str(run.path), f"--output_dir={old}": f"--output_dir={run.path}"}
    parts = [moved.get(str(part), str(part)) for part in run.info.get("command", [])]
    if parts and parts[0].endswith(".py"):
        several = ["torchrun", "--nproc_per_node", str(machine["num_processes"])]
        parts = [*(several if machine["num_processes"] > 1 else ["python"]), *parts]
    start = "ACCELERATE_USE_CPU=true " if parts[:1] == ["torchrun"] and machine["device"] == "cpu" else ""
    return wording.clean(start + shlex.join(parts))


def settings(config: Mapping[str, Any]) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    """The knobs that differ from their task's defaults, and the others. What only other tasks have is passed over."""
    task = str(config["task"])
    known = {entry.name: default_of(entry) for entry in dataclasses.fields(TrainConfig.for_task(task))}
    lacking = elsewhere(task)
    changed: list[tuple[str, Any]] = []
    same: list[tuple[str, Any]] = []
    for name, value in config.items():
        if name not in lacking or value != lacking[name]:
            (same if name in known and value == known[name] else changed).append((name, value))
    return changed, same


def example(info: Mapping[str, Any]) -> str:
    """An input for the snippets, as Python."""
    return str(_said(info, "example", "..."))


def plain(info: Mapping[str, Any]) -> dict[str, str]:
    """How plain transformers is asked: `code`, with @PLACE@ for the model's, and what is the `same` then."""
    said, calibration = _said(info, "plain", {}), info["task_settings"].get("calibration") or {}
    code = f"""from transformers import pipeline

model = pipeline("{info["task"]}", @PLACE@{said.get("arguments", "")})
print(model({example(info)}))"""
    same = "the same labels, with probabilities that are not calibrated" if calibration else "the same answers"
    if {"thresholds", "costs"} & set(calibration):
        same = "the likeliest label, whatever was chosen instead"
    return {"code": code, "same": same} | said


def _curves(run: Run, own: list[Markup | None]) -> list[Markup]:
    log, training = run.log(), run.info.get("training") or {}
    figure = str(training.get("best_metric") or run.metrics["primary_metric"]).removeprefix("eval_")
    drawn = own or [plots.losses(log), plots.score(log, figure, training.get("best_step"))]
    drawn = [*drawn, plots.course(log, "learning_rate", "s0"), plots.course(log, "grad_norm", "s0 soft")]
    return [plot for plot in drawn if plot is not None]


def beside(run: Run) -> list[dict[str, Any]]:
    """The model and its baselines: the name and the primary figure of each, a baseline's difference and seconds."""
    found, seconds = run.metrics, totals(run).get("baselines", {})
    primary, problem = found["primary_metric"], found.get("problem_type")
    rows = [{"name": run.info["model"]["name"], **found[primary], "difference": None, "seconds": None}]
    for name, entry in found["baselines"].items():
        told = {"difference": entry["difference"], "seconds": seconds.get(name)}
        rows.append({"name": wording.baseline_title(name, problem, entry.get("rows")), **entry[primary], **told})
    return rows


def _sections(seen: Predictions) -> dict[str, Any]:
    """The parts that depend on the kind of problem; a part that does not apply is None."""
    parts: dict[str, Any] = dict.fromkeys(("matrix", "confusions", "reliability", "roc", "pr", "classes", "scatter"))
    if not seen.labelled:
        return parts
    if seen.regression:
        return parts | {"scatter": [plots.scatter(seen.truth, seen.answer), plots.errors(seen.truth, seen.answer)]}
    classes = analysis.per_class(seen)
    parts |= {"classes": sorted(classes, key=lambda row: -row["rows"])[:TABLE_CLASSES], "class_count": len(classes)}
    if seen.shares is not None:
        parts["reliability"] = plots.reliability(analysis.reliability(seen), seen.multi)
        rates, recalls = analysis.curves(seen)
        parts |= {"roc": plots.roc(rates), "pr": plots.precision_recall(recalls)} if rates else {}
    if not seen.multi:
        matrix = analysis.confusion(seen)
        small = len(matrix) <= MATRIX_CLASSES
        parts["matrix"] = matrix.tolist() if small else None
        parts["confusions"] = None if small else analysis.confusions(matrix, seen.names)
    return parts


def _lengths(seen: Predictions) -> dict[str, Any]:
    groups = analysis.by_length(seen)
    name = "share with all labels right" if seen.multi else "accuracy"
    name = "mean absolute error" if seen.regression else name
    cut = seen.table["truncated"].to_numpy(zero_copy_only=False).mean() if len(seen) else 0.0
    return {"plot": plots.by_length(groups, name), "groups": groups, "name": name, "cut": float(cut)}
