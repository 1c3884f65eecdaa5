"""Texts: documents, chats, and how they become token ids."""
