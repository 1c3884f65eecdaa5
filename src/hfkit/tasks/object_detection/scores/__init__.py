"""What boxes are judged by: which answer is of which box, and what is wrong with the others."""
