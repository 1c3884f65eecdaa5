"""Pairs of texts: the forms in which they come, and what is wrong with them."""
