"""What a model of sentences can be asked for, beside what every task has."""

from dataclasses import dataclass
from typing import Literal

from hfkit.config import PairColumns, TextArguments, TrainConfig
from hfkit.config.knobs import Broken, knob


@dataclass
class MatchArguments:
    """What is learnt of the rows, and which columns hold it beside the two texts."""

    loss: Literal["auto", "ranking", "cosine", "margin"] = knob(
        "auto",
        "ranking: a text's own one goes before all others of the update. cosine: pairs with a score. margin: a row's"
        " text before its negatives. auto: cosine where rows have a score, else ranking.",
    )
    negative_column: str | None = knob(
        None, "The column with a text that does not belong to the first one, or a list of them. Found by name."
    )
    score_column: str | None = knob(
        None, "The column that says how alike the two texts of a pair are. Found by name when not given."
    )


@dataclass
class Config(MatchArguments, PairColumns, TextArguments, TrainConfig):
    """Sentence similarity: texts become vectors, near each other where the texts belong together.

    A row is a query (`--text_column`) and a document (`--text_pair_column`), perhaps with negatives or a score.
    """

    task: str = "sentence-similarity"
    # Rows of like lengths would be each other's negatives: an easier job than the one that is asked for.
    train_sampling_strategy: Literal["random", "sequential", "group_by_length"] = "random"
    pooling: Literal["auto", "mean", "cls", "last"] = knob(
        "auto",
        "What of the tokens' vectors is the text's: their mean, the first, the last. auto: as the model's modules.json"
        " says, else the mean.",
    )
    normalize: bool = knob(True, "Give vectors of length 1.")
    temperature: float = knob(
        0.05, "Cosines are divided by it before the softmax (ranking): 0.05 is a scale of 20.", above=0, below=100
    )
    margin: float = knob(0.3, "By how much a negative's cosine has to stay below (--loss margin).", above=0, below=2)
    matryoshka_dims: list[int] = knob([], "Numbers of a vector's first dimensions that have to do alone: 256 128 64.")
    query_prefix: str | None = knob(
        None, "What stands in front of every query: E5 wants 'query: '. Default: the model's own, else nothing."
    )
    document_prefix: str | None = knob(
        None, "What stands in front of every document: E5 wants 'passage: '. Default: the model's own, else nothing."
    )

    def rules(self) -> Broken:
        """What these knobs cannot be together."""
        if self.loss != "cosine" and self.score_column is not None and self.loss != "auto":
            yield f"--score_column has no effect on --loss {self.loss}", "--loss cosine, or drop the column"
        if self.loss == "cosine" and self.negative_column is not None:
            yield "--loss cosine looks at pairs, and --negative_column names a third text", "drop one of the two"
        if any(dims < 1 for dims in self.matryoshka_dims):
            yield f"--matryoshka_dims {min(self.matryoshka_dims)} is no number of dimensions", "such as 256 128 64"
