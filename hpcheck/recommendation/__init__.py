"""recommended.yaml: built, written, read, compared and shown as code."""
