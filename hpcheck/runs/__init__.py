"""A run: its spec, schedules, record, identity, and the directory that holds them."""
