"""PictureTask and MarkedTask: what tasks share that look at pictures, and that learn what is marked in them."""

from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset, DatasetDict, Features, Value, concatenate_datasets
from transformers import PreTrainedConfig

from hfkit.base.errors import HfkitError
from hfkit.tasks.base import BaseTask
from hfkit.tasks.classification import label_names, named

MOST_TILES = 64
"""Of one picture in an epoch: a slide of a billion pixels is no hundred thousand rows."""

AT_ONCE = 1 << 20
"""Pixels of the tiles that are answered together: sixteen of 256 x 256."""


class PictureTask(BaseTask):
    """Each is a frozen dataclass with this field: black and white of pixels of more than 8 bits; None: training had
    none."""

    pixel_range: list[float] | None

    def reading(self) -> dict[str, Any]:
        return {name: value for name, value in super().reading().items() if value is not None}


class MarkedTask(PictureTask):
    """Each is a frozen dataclass with this field, the classes; and `tiles` of its encoded rows say how often training
    looks at a picture."""

    labels: list[str]

    @staticmethod
    def kept(model_config: PreTrainedConfig) -> dict[str, Any]:
        return {"labels": label_names(model_config)}

    @property
    def classes(self) -> list[str]:
        """The classes, in their order."""
        return self.labels

    def model_kwargs(self) -> dict[str, Any]:
        """Fields of the model's config."""
        return named(self.labels) | {"hfkit": self.reading()}

    def to_train(self, encoded: Dataset) -> Dataset:
        """Each picture as often as it has `tiles`: an epoch sees about as many pixels as there are."""
        rows = [row for row, tiles in enumerate(encoded["tiles"]) for _ in range(tiles)]
        return encoded if len(rows) == len(encoded) else encoded.select(rows)

    def ids_of(self, names: Sequence[str]) -> list[int]:
        """The places of a split's classes among the model's. Raises HfkitError: the task does not know one."""
        if unknown := sorted(set(names) - set(self.labels)):
            raise HfkitError(f"The model knows no class {', '.join(unknown)}; it knows {', '.join(self.labels)}")
        return [self.labels.index(name) for name in names]


def range_of(config: Any, data: DatasetDict) -> list[float] | None:
    """The `pixel_range` of loaded data; of a DatasetDict from elsewhere that which is asked for."""
    found: list[float] | None = getattr(getattr(data, "summary", None), "pixel_range", config.pixel_range or None)
    return found


def beside(pictures: Dataset, rows: Dataset, columns: Mapping[str, Any], kinds: Mapping[str, Any]) -> Dataset:
    """Undecoded `pictures` with the `id` of their `rows` and these `columns` of the `kinds`; where these do not say,
    `length` is 1 (a picture is one of anything) and `truncated` False."""
    count = len(rows)
    ids = rows["id"][:] if "id" in rows.column_names else list(map(str, range(count)))
    usual = {"length": [1] * count, "truncated": [False] * count}
    held = {"id": ids, **columns} | {name: value for name, value in usual.items() if name not in columns}
    features = {"id": Value("string"), **kinds} | {"length": Value("int32"), "truncated": Value("bool")}
    return concatenate_datasets([pictures, Dataset.from_dict(held, features=Features(features))], axis=1)
