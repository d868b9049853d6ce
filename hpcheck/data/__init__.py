"""Data as arrays: loaded, cached, split, prepared; without torch. The shipped sets are in `sets/`."""
