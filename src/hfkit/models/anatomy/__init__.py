"""What a model is made of: its layers, how they follow each other, and a drawing."""
