"""One run over several devices, and runs over a Ray cluster."""
