"""Texts are read in capitals as they are, and every label counts what its capitals weigh."""

from hfkit.tasks.text_classification.task import TextClassification


class Shouting(TextClassification):
    """A text classifier under a name of its own."""

    name = "shouting"
