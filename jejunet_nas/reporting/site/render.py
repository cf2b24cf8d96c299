"""Render: a page's content through its templates into one self-contained HTML text."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from jejunet_nas.records.words import per_cent, points
from jejunet_nas.reporting.site.packing import packed, packed_plotly, safe_json
from jejunet_nas.version import __version__

_DRAWN = ("charts", "trials", "baseline_trials")  # for the script, not for the template
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
    told = {key: value for key, value in content.items() if key not in _DRAWN}
    return environment.get_template(template).render(
        **told,
        version=__version__,
        plotly=packed_plotly(),
        data=packed(safe_json(drawn)),
        style=Markup(_read("style.css")),
        script=Markup(_read("page.js")),
    )


def _read(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _number(value: float | None, digits: int = 1) -> str:
    """Return a number with `digits` decimals, `-` for None."""
    return "-" if value is None else f"{value:,.{digits}f}"
