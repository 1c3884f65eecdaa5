"""Data cards: read, drafted from the data, and checked against it."""
