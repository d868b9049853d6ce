"""The Python API: what a notebook calls; like `cli`, and beside it. Nothing here imports torch."""
