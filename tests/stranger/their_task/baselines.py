"""As of a text classifier."""

from hfkit.tasks.text_classification.baselines import *  # noqa: F403
