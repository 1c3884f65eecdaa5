"""Rows of texts that belong together, in the forms that people write them."""
