"""The shipped data sets, one file each: `load(root, *, options) -> Raw`, arrays in memory, without torch."""
