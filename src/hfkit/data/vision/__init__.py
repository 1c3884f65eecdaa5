"""Pictures: found, decoded, augmented, and read as a processor does."""
