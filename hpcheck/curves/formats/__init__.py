"""The file formats that `hpcheck read` knows, one file each: whether a file is of it, and its tables of named columns."""
