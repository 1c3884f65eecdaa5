"""Weights that come in another form than safetensors, and the folders that transformers opens them from."""
