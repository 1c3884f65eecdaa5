"""load_data: a card, a Hub data set, files or an embedded data set -> checked splits, a plain datasets.DatasetDict."""

from hfkit.data.load import load_data, load_test

__all__ = ["load_data", "load_test"]
