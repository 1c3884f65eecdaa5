"""What a masked language model learns from: documents, as a language model's."""

from typing import TYPE_CHECKING

from hfkit.config import DataArguments
from hfkit.data.text.documents import load_documents

if TYPE_CHECKING:
    from hfkit.data.summary import LoadedData


def load(arguments: DataArguments, only_test: bool = False, label_names: list[str] | None = None) -> "LoadedData":
    """See `load_documents`; there are no labels."""
    return load_documents(arguments, only_test)
