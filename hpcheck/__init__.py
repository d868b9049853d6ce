"""hpcheck sets learning rate, batch size, momentum and weight decay by Leslie Smith's four-step checklist."""

__version__ = "0.1.0"
