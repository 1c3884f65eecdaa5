"""Side-by-side measurements: one question a file, each prints a ratio. `python -m benchmarks NAME`."""
