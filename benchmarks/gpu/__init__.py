"""Everything to run on a GPU in a quarter of an hour: `python -m benchmarks.gpu`, see README.md."""
