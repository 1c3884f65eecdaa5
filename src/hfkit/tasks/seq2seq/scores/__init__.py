"""Sums over rows from which the figures of generated texts are made, and how texts are cut into words for them."""
