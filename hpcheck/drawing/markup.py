"""Elements of SVG written by functions: all text and every attribute is escaped unless it is `Markup` already."""

import html
import json
from typing import Any

VOID = {"meta", "link", "br", "hr", "path", "line", "rect", "circle"}


class Markup(str):
    """Text that is HTML; anything else that is put into an element, or into a template, is escaped."""

    __slots__ = ()

    def __html__(self) -> "Markup":
        return self


def escaped(child: object) -> str:
    """A child of an element as HTML."""
    if isinstance(child, Markup):
        return child
    if isinstance(child, list | tuple):
        return "".join(map(escaped, child))
    return "" if child is None else html.escape(str(child), quote=True)


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """One element. `class_` is `class`, `data_x` is `data-x`; an attribute that is None or False is left out, one that is True stands bare.

    >>> tag("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    given = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID and not children:
        return Markup(f"<{name}{given}/>")
    return Markup(f"<{name}{given}>{escaped(children)}</{name}>")


def _attribute(key: str, value: object) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{html.escape(str(value), quote=True)}"'


def data_block(values: Any) -> Markup:
    """Values for the page's script, as JSON that cannot end its element or open another."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(f'<script type="application/json">{text}</script>')
