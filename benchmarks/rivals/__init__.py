"""The other side of the comparisons: the code that people write today, one honest and small file each, no hfkit."""
