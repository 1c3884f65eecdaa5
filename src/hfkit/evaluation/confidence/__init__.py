"""Confidence: how sure an answer is, made true on validation rows: scaling, thresholds, sets, and accuracy promised.

What is chosen is a dictionary of plain JSON, `calibration` in the config of a model. Everything here takes arrays of
labels and of logits or probabilities, and knows no task.
"""
