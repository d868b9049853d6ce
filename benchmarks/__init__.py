"""Benchmarks: `python -m benchmarks NAME`. Each prints its table and writes its raw figures; README.md says what they compare."""
