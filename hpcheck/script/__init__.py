"""The user's own scripts: what they import to be followed, and the engine that launches them."""
