"""Vectors of pictures and texts: what is learnt of them, and what they are judged by."""
