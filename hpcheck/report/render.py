"""The page's templates, filled in: whatever is put into one is escaped, unless it is markup already."""

from functools import cache
from typing import Any

from hpcheck.drawing.markup import Markup


def render(template: str, **values: Any) -> Markup:
    """`templates/<template>.html.j2` with these values."""
    return Markup(_environment().get_template(f"{template}.html.j2").render(values))


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("hpcheck.report", "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
