"""Runs side by side: ranking with intervals, paired tests on the same test rows, and what each cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from hfkit.base.atomic import write_json, write_text, writing
from hfkit.base.errors import HfkitError
from hfkit.evaluation import stats, wording
from hfkit.evaluation.metric import Columns, Metric, as_array, columns_of
from hfkit.report.analysis import Predictions
from hfkit.report.page import templates, totals
from hfkit.report.plots import forest
from hfkit.runs.run import Run
from hfkit.tasks.discover import find


@dataclass
class Comparison:
    """The result: `str()` is the table for a screen, `data` the same as JSON, `html()` a page."""

    data: dict[str, Any]

    def __str__(self) -> str:
        data, figure = self.data, self.data["figure"]
        same = f"the same {data['n']:,} {data['split']} rows of {wording.line(data['data'])}"
        speed = data["speed"]  # the entry that says how fast a run learnt
        rows = [["", wording.title(figure), "95 % interval", "parameters", "that learn", "time", f"{_counted(data)}/s"]]
        for row in data["ranking"]:
            entry = row["figures"][figure]
            seconds, each = row["total_seconds"], row[speed]
            cells = [f"{row['rank']}. {row['name']}"]
            cells += [wording.number(entry["value"], figure), wording.interval(entry, figure)]
            cells += [wording.big(row[name]) for name in ("parameters", "trainable_parameters")]
            cells += ["-" if seconds is None else wording.duration(seconds)]
            rows.append([*cells, "-" if each is None else f"{each:,.0f}" if each >= 100 else f"{each:.3g}"])
        tests = [["pair", "difference", "95 % interval", "p", "p (Holm)"]]
        for pair in data["pairs"]:
            gap, ends = wording.gap(pair["value"], figure), wording.gaps(pair, figure)
            p_values = [wording.p_value(pair["p_value"]), wording.p_value(pair["p_holm"])]
            tests.append([f"{pair['first']} - {pair['second']}", gap, ends, *p_values])
        test = data["pairs"][0]["test"]
        lines = [f"{len(data['ranking'])} runs on {same}", "", *wording.aligned(rows), "", *wording.aligned(tests)]
        lines += ["", f"{sentence(data)} Test: {test}, corrected by Holm."]
        if len(data["hardware"]) > 1:
            lines.append(f"Times are from different machines: {'; '.join(map(wording.line, data['hardware']))}.")
        return "\n".join(lines)

    def html(self) -> str:
        """One self-contained page."""
        figure = self.data["figure"]
        plot = forest([{**row, **row["figures"][figure]} for row in self.data["ranking"]], figure)
        template = templates().get_template("ranking.html.jinja")
        told = {"sentence": sentence(self.data), "speed": (self.data["speed"], _counted(self.data))}
        return template.render(**self.data | told, plot=plot)


def compare(runs: Sequence[Run], output: str | Path | None = None, ensemble: bool = False) -> Comparison:
    """Rank two or more finished runs by their primary figure and test every pair on the rows that both answered.

    With `ensemble` the mean of their probabilities (of a regression, of their numbers) is one more answer among them.
    P-values are corrected together by Holm's method: with many pairs, one small p-value by chance is likely. A folder
    `output` gets `compare.json` and `compare.html`; nothing is written without it. Raises HfkitError: fewer than two
    runs, a run that is named twice, or runs whose test rows or kinds of problem differ: a test on other rows would
    compare the rows and not the models. Answers that have no mean. Or `output` cannot be written."""
    if len(runs) < 2:
        raise HfkitError("A comparison needs at least two runs.", fix="hfkit compare RUN RUN ...")
    paths = [run.path.resolve() for run in runs]
    twice = next((run.path for place, run in enumerate(runs) if paths[place] in paths[:place]), None)
    if twice:
        raise HfkitError(f"{twice} is named twice, and a run does not differ from itself.", fix="name each run once")
    spec = find(str(runs[0].info["task"]))
    metrics = spec.metrics(runs[0].info["task_settings"])
    primary, figure = metrics[0], metrics[0].name
    answers, groups = _answers(runs, primary)
    names = [wording.line(run.info["name"], 60) for run in runs]
    names = names if len(set(names)) == len(names) else [wording.line(run.path, 80) for run in runs]
    shown = [metric.name for metric in metrics if metric.compared]
    ranking = [_row(run, name, shown) for run, name in zip(runs, names, strict=True)]
    if ensemble:
        answers.append(together(runs, metrics))
        names.append(f"mean of {len(runs)}")
        ranking.append(_mean_row(names[-1], ranking, stats.with_intervals(metrics, answers[-1], 1000, 0, groups)))
    ranked = sorted(range(len(names)), key=lambda i: -wording.better(ranking[i]["figures"][figure]["value"], figure))
    pairs = [
        {"first": names[a], "second": names[b], **stats.paired(primary, answers[a], answers[b], groups=groups)}
        for a, b in combinations(ranked, 2)
    ]
    for pair, p_value in zip(pairs, stats.holm([pair["p_value"] for pair in pairs]), strict=True):
        pair["p_holm"] = p_value
    rows = [{"rank": place + 1, **ranking[index]} for place, index in enumerate(ranked)]
    for row, pair in zip(rows[1:], pairs, strict=False):  # the first pairs are those of the best
        row["behind_best"] = bool(pair["p_holm"] < wording.ALPHA)
    # Every machine that made one of the runs: times from different ones do not compare.
    made_by = [(run.info["hardware"], run.info["hardware"]["num_processes"]) for run in runs]
    machines = {f"{one['name']}, {one['cores']} cores, {n} process{'es' * (n != 1)}" for one, n in made_by}
    data = {
        "problem_type": runs[0].metrics.get("problem_type"),
        "figure": figure,
        # A packed row of a language model is no measure of speed.
        "speed": "samples_per_second" if spec.labelled else "tokens_per_second",
        "n": len(answers[0][primary.columns[0]]),
        "data": runs[0].info["data"]["name"],
        "split": runs[0].metrics.get("split", "test"),
        "ranking": rows,
        "pairs": pairs,
        "hardware": sorted(machines),
    }
    found = Comparison(data)
    if output is not None:
        folder = Path(output)
        with writing(folder, "set --output"):
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / "compare.json", data)
            write_text(folder / "compare.html", found.html())
    return found


def _same_rows(runs: Sequence[Run], seen: Sequence[Predictions]) -> list[np.ndarray]:
    """For each run, the order that puts its rows by id. Refuses runs that answered different rows."""
    ids = [np.asarray(one.table["id"].to_pylist(), dtype=str) for one in seen]
    for run, one, mine in zip(runs[1:], seen[1:], ids[1:], strict=True):
        where = f"{runs[0].path} and {run.path}"
        problems = [one.metrics.get("problem_type", one.info["task"]) for one in (runs[0], run)]
        if problems[0] != problems[1]:
            reason = f"one is {problems[0]}, the other {problems[1]}"
            raise HfkitError(f"These runs solve different problems: {reason}.", where=where)
        if {name.casefold() for name in one.names} != {name.casefold() for name in seen[0].names}:
            here, there = (", ".join(map(wording.line, names[:8])) for names in (seen[0].names, one.names))
            raise HfkitError(f"These runs answer with different labels: {here} against {there}.", where=where)
        rows, others = set(ids[0].tolist()), set(mine.tolist())
        if rows != others or len(ids[0]) != len(mine):
            what = f"These runs were evaluated on different rows: {len(rows & others):,} in common,"
            what += f" {len(rows - others):,} only in the first, {len(others - rows):,} only in the second."
            fix = "train both with the same --dataset, --data_seed, --test_size and --max_test_samples"
            raise HfkitError(f"{what} A paired test needs the same rows.", where=where, fix=fix)
        splits = [one.info["data"]["splits"][one.metrics.get("split", "test")] for one in (runs[0], run)]
        first, other = (str(split["fingerprint"]) for split in splits)
        if first != other:
            what = "The test rows of these runs have the same ids and different contents (fingerprints"
            what += f" {first[:12]} and {other[:12]}): a text or a label was changed."
            raise HfkitError(what, where=where, fix="evaluate both on one data set: hfkit evaluate RUN --dataset DATA")
    return [np.argsort(mine, kind="stable") for mine in ids]


def _answers(runs: Sequence[Run], metric: Metric) -> tuple[list[Columns], np.ndarray | None]:
    """What the metric reads of each run, in a common order of rows and of labels; and what the rows belong to."""
    seen = [Predictions.of(run) for run in runs]
    order = _same_rows(runs, seen)
    answers, names = [], [name.casefold() for name in seen[0].names]
    for one, rows in zip(seen, order, strict=True):
        found, place = columns_of(one.table.take(rows), [metric]), [names.index(name.casefold()) for name in one.names]
        if one.labelled and place != sorted(place):
            for name in set(metric.columns) - set(metric.given):
                by_class = one.multi or found[name].ndim == 2
                found[name] = found[name][:, np.argsort(place)] if by_class else np.asarray(place)[found[name]]
        answers.append(found)
    given = {name: answers[0][name] for name in metric.given if name in answers[0]}
    for name, values in {} if seen[0].labelled else given.items():
        if any(not np.array_equal(values, answer[name]) for answer in answers):
            what = f"The runs were asked for other {name} of the same rows, so their figures make no pairs"
            raise HfkitError(what, fix="compare runs with the same --data_seed, and knobs that say what is asked for")
    return [Columns(answer | given) for answer in answers], stats.groups_of(seen[0].table.take(order[0]))


def together(runs: Sequence[Run], metrics: Sequence[Metric]) -> Columns:
    """What the runs answer together: the mean of what each says of a row (Lakshminarayanan et al. 2017)."""
    tables, settings = [Predictions.of(run).table for run in runs], runs[0].info["task_settings"]
    mean = next((one for one in ("probabilities", "prediction") if one in tables[0].column_names), "")
    numbers = all(mean in table.column_names and as_array(table[mean]).dtype.kind == "f" for table in tables)
    if not mean or not numbers:
        raise HfkitError("These answers have no mean: they are no probabilities or numbers", where=str(runs[0].path))
    reads = [metric for metric in metrics if mean in metric.columns]
    said, _ = _answers(runs, reads[0])
    averaged = np.mean([one[mean] for one in said], axis=0)
    multi = settings.get("labels") and said[0]["label"].ndim == 2
    answer = (averaged >= 0.5).astype(np.int8) if multi else averaged.argmax(axis=1) if averaged.ndim == 2 else averaged
    return Columns({"label": said[0]["label"], mean: averaged, "prediction": answer})


def _mean_row(name: str, rows: Sequence[dict[str, Any]], figures: dict[str, Any]) -> dict[str, Any]:
    """The row of an ensemble: it has the parameters of all, and took the time of all."""
    costs = ("parameters", "trainable_parameters", "total_seconds")
    added = {key: sum(row[key] or 0 for row in rows) for key in costs}
    shown = {figure: figures[figure] for figure in rows[0]["figures"] if figure in figures}
    told = {"name": name, "path": "", "model": "all of the others", "figures": shown, "seed": "–", "behind_best": False}
    return rows[0] | added | dict.fromkeys(("samples_per_second", "tokens_per_second")) | told


def _row(run: Run, name: str, figures: list[str]) -> dict[str, Any]:
    model, found, times = run.info["model"], run.metrics, totals(run)
    return {
        "name": name,
        "path": str(run.path),
        "model": wording.line(model["name"], 80),
        "figures": {figure: found[figure] for figure in figures if figure in found},
        **{key: model[key] for key in ("parameters", "trainable_parameters")},
        **{key: times.get(key) for key in ("total_seconds", "samples_per_second", "tokens_per_second")},
        "seed": run.info["seed"],
        "behind_best": False,
    }


def _counted(data: dict[str, Any]) -> str:
    """What the speed counts."""
    return "rows" if data["speed"] == "samples_per_second" else "tokens"


def sentence(data: dict[str, Any]) -> str:
    """Who is best, and who can't be told from the best."""
    best, *others = data["ranking"]
    level = [row["name"] for row in others if not row["behind_best"]]
    if not level:
        return f"{best['name']} is best, significantly so against each of the others."
    near = next(pair for pair in data["pairs"] if pair["second"] == level[0])  # the first pairs are those of the best
    told = f"{best['name']} has the best figure; these rows do not tell it from {', '.join(level)}."
    return told + wording.power(near, data["n"], data["figure"])
