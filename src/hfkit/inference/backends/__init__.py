"""Other runtimes that answer as torch does."""
