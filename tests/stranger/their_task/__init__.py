"""A task of somebody else's package: whether a text shouts. It reads and answers as a text classifier does."""

from hfkit.tasks.spec import TaskSpec

SPEC = TaskSpec(
    names=("shouting",),
    task="Shouting",
    auto_model="AutoModelForSequenceClassification",
    heads=(),  # what is saved as ForSequenceClassification is text classification's, unless its config says otherwise
    reads=("text",),
)
