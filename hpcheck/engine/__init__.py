"""The engine: RunSpecs in, RunRecords out. It knows nothing of steps."""
