"""What a language model learns from: documents in memory, or read as training goes on."""

from typing import TYPE_CHECKING

from hfkit.config import DataArguments
from hfkit.data.text.document_streams import load_stream as stream
from hfkit.data.text.documents import load_documents

if TYPE_CHECKING:
    from hfkit.data.summary import LoadedData

__all__ = ["load", "stream"]


def load(arguments: DataArguments, only_test: bool = False, label_names: list[str] | None = None) -> "LoadedData":
    """See `load_documents`; there are no labels."""
    return load_documents(arguments, only_test)
