"""Vectors of texts: what they are learnt by, what is found with them, and how others write that down."""
