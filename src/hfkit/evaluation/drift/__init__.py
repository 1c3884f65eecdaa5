"""Drift: whether new rows are of another kind than those that a model was made for, and what it is then worth."""
