"""Render: a page's content through its templates into one self-contained HTML text.

A script tag of a type that browsers ignore holds plotly's library, gzipped in base64; the page
unpacks it with `DecompressionStream`. This shrinks the library from 4.8 MB to 2.0 MB; the highest
level takes half a second more for 1 % less.
"""

import base64
import functools
import gzip
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from jejunet_nas.records.words import per_cent, points
from jejunet_nas.version import __version__

_DRAWN = ("charts", "trials", "baseline_trials", "commands", "names")  # for the script
_TEMPLATES = files("jejunet_nas.reporting.site") / "templates"


def render(template: str, content: Mapping[str, Any]) -> str:
    """Return the HTML page of `content`; all values in it are escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "pct": per_cent, "points": points}
    drawn = {key: content.get(key) for key in _DRAWN}
    return environment.get_template(template).render(
        **content,
        version=__version__,
        plotly=packed_plotly(),
        data=packed(safe_json(drawn)),
        style=Markup(_read("style.css")),
        script=Markup(_read("labels.js") + _read("page.js")),
    )


def _read(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _number(value: float | None, digits: int = 1) -> str:
    """Return a number with `digits` decimals, `-` for None."""
    return "-" if value is None else f"{value:z,.{digits}f}"


def packed(text: str) -> str:
    """Return `text` gzipped and in base64; equal texts give equal results."""
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode()


@functools.cache
def packed_plotly() -> str:
    """Return plotly's JavaScript library, packed."""
    from plotly.offline import get_plotlyjs  # 0.2 s, only for reports

    return packed(get_plotlyjs())


def safe_json(plain: Any) -> str:
    """Return `plain` as JSON that cannot end a script tag."""
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
