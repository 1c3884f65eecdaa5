"""What it can be asked for: what a text classifier can, and how loud."""

from dataclasses import dataclass

from hfkit.config.knobs import knob
from hfkit.tasks.text_classification.config import Config as TextConfig


@dataclass
class Config(TextConfig):
    """Shouting: texts that shout, or do not."""

    task: str = "shouting"
    volume: int = knob(11, "How loud a text has to be.", low=1)
