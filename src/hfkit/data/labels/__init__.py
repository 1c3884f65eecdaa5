"""Labels: what the label column is, its names and values."""
