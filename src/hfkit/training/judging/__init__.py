"""What a finished model is worth: on its own test split, and on another data set."""
