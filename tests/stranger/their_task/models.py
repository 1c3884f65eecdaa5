"""As of a text classifier."""

from hfkit.tasks.text_classification.models import *  # noqa: F403
