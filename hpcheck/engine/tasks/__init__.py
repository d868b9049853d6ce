"""Tasks of the user's own in the engine: any model, any batches, any loss, trained by the same loop as arrays."""
