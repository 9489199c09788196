"""What skactive claims about speed, repeatable: `python -m benchmarks NAME [--quick]`."""
