"""The commands: what a person types, turned into calls; thin."""
