"""Spans: answers as they are written, read in windows, found, and compared."""
