"""As of a text classifier."""

from hfkit.tasks.text_classification.files import *  # noqa: F403
