"""What makes torch's own layers faster on a CPU."""
