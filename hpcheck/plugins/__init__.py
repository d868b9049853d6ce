"""Models, data sets and optimizers found by name, and errors of the user's own code."""
