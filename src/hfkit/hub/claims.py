"""Claims: what a model's card says of it in `model-index`, and which of our figures each is about."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.base.sanitize import line
from hfkit.evaluation.metric import Metric

AVERAGES = ("macro", "micro", "weighted", "binary")


@dataclass(frozen=True)
class Claim:
    """A figure that a card claims, on which rows; the names are the card's own, made safe to print."""

    metric: str  # the Hub's id, such as accuracy
    title: str
    value: float
    dataset: str
    aliases: tuple[str, ...] = ()  # the data set's Hub id and name
    split: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)

    def is_of(self, metric: Metric) -> bool:
        """Whether a figure of ours may be the one that is claimed. A claim that does not say which average it is may
        be any of them."""
        if self.metric not in (metric.name, metric.hub, metric.title.casefold()):
            return False
        said = self.arguments.get("average") or next((one for one in AVERAGES if one in self.title.casefold()), None)
        ours = metric.hub_arguments.get("average")
        return self.metric == metric.name or said is None or ours is None or said == ours

    def in_unit_of(self, metric: Metric) -> float:
        """The value as our figure is counted: 93.4 for a share of 0.934 is a percentage."""
        return self.value / 100 if metric.unit == "points" and 1 < abs(self.value) <= 100 else self.value

    def is_about(self, dataset: str, split: str) -> bool:
        """Whether it is about these rows, as far as names tell. A card that names no split may mean this one."""
        name = dataset.casefold()
        same = name in self.aliases or name.rpartition("/")[2] in self.aliases
        return same and (self.split is None or self.split.casefold() == split.casefold())


def read(card: Path) -> tuple[list[Claim], int]:
    """The claims of a card, and how many entries of its `model-index` are no figure.

    Raises HfkitError: its front matter is no YAML."""
    from huggingface_hub.repocard import metadata_load

    try:
        known = metadata_load(card) or {}
    except Exception as error:  # yaml's many errors, text that is no UTF-8
        what = f"The front matter of the card cannot be read: {line(error, 200)}"
        raise HfkitError(what, where=str(card), fix="mend the YAML between the two lines of ---") from error
    entries = list(_entries(known.get("model-index") if isinstance(known, dict) else None))
    found = [claim for claim in entries if claim is not None]
    return found, len(entries) - len(found)


def _entries(index: Any) -> Iterator[Claim | None]:
    for model in _dicts(index):
        for result in _dicts(model.get("results")):
            data = result.get("dataset")
            for metric in _dicts(result.get("metrics")):
                yield _claim(data if isinstance(data, dict) else {}, metric)


def _claim(data: dict[str, Any], metric: dict[str, Any]) -> Claim | None:
    value, arguments = metric.get("value"), metric.get("args")
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    names = [line(data[key], 200) for key in ("name", "type", "config") if isinstance(data.get(key), str)]
    kind = line(metric.get("type") or metric.get("name") or "", 80)
    aliases = {alias for name in names for alias in (name.casefold(), name.casefold().rpartition("/")[2])}
    split = data.get("split")
    return Claim(
        metric=kind.casefold().replace(" ", "_"),
        title=line(metric.get("name") or kind, 80),
        value=float(value),
        dataset=names[0] if names else "no data set",
        aliases=tuple(sorted(aliases)),
        split=line(split, 80) if isinstance(split, str) else None,
        arguments=arguments if isinstance(arguments, dict) else {},
    )


def _dicts(values: Any) -> Sequence[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
