"""The forms in which tagged texts come: columns of words and tags, lists of them, spans of characters."""
