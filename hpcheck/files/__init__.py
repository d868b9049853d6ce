"""Files as they lie on the disk: only regular ones are read."""
