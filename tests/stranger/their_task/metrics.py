"""As of a text classifier."""

from hfkit.tasks.text_classification.metrics import *  # noqa: F403
