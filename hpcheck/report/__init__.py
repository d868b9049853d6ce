"""The HTML report: one self-contained file drawn from readings; `page.py` gathers its values, and the templates make the page of them."""
