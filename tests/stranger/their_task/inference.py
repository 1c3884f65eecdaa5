"""As of a text classifier."""

from hfkit.tasks.text_classification.inference import *  # noqa: F403
