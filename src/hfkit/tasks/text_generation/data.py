"""What a language model learns from: documents in memory, or read as training goes on."""

from hfkit.data.text.document_streams import load_stream as stream
from hfkit.data.text.documents import load_documents as load

__all__ = ["load", "stream"]
