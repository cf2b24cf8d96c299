"""Render: a page's content through its templates into one text that needs nothing else."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from jejunet_nas.reporting.site.packing import packed, packed_plotly, safe_json
from jejunet_nas.version import __version__

_DRAWN = ("charts", "trials", "baseline_trials")  # for the script, not for the template
_TEMPLATES = files("jejunet_nas.reporting.site") / "templates"


def render(template: str, content: Mapping[str, Any]) -> str:
    """Return the HTML page of `content`; whatever it holds shows as text."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
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
    """Return a figure with so many digits behind the point; a dash where nothing is known."""
    return "-" if value is None else f"{value:,.{digits}f}"
