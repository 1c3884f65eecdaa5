"""As of a text classifier."""

from hfkit.tasks.text_classification.app import *  # noqa: F403
