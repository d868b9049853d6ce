"""The HTML report: one self-contained file drawn from readings; `page.py` puts it together, `picture.py` draws the pictures as SVG."""
