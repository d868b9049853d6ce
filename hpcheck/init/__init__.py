"""What `hpcheck init` writes, and how it recognises data."""
