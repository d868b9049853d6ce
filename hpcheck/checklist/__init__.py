"""The whole search: forecast, run, and what is known before it begins."""
