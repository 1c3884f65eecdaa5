"""What a masked language model learns from: documents, as a language model's."""

from hfkit.data.text.documents import load_documents as load

__all__ = ["load"]
