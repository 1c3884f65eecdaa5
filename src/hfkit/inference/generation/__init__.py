"""Generation: prompts in, samples out, in a program and over files."""
