"""What a masked language model can be asked for, beside what every task has."""

from dataclasses import dataclass

from hfkit.config import DocumentArguments, TextArguments, TrainConfig
from hfkit.config.knobs import knob


@dataclass
class Config(DocumentArguments, TextArguments, TrainConfig):
    """Fill-mask: a model learns to say hidden words of texts."""

    task: str = "fill-mask"
    mask_probability: float = knob(
        0.15, "Share of a text's words that are hidden, in training and when it is judged.", above=0, below=1
    )
    whole_words: bool = knob(
        True, "Hide all pieces of a word; false hides pieces on their own in training, as the first BERT did."
    )
