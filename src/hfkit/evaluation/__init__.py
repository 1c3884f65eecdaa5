"""Evaluation: predictions of every row, the figures that they make, their intervals and paired tests."""
