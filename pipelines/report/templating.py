"""Fills the templates of pages. All values are text to show, but for charts and the style sheet."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipelines.report.series import is_period
from pipelines.report.words import file_size, visible


def render(template: str, **values: Any) -> str:
    """Returns a page.

    Args:
        template: Name of the template.
        values: What it shows.
    """
    return _environment().get_template(template).render(**values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipelines.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["period"] = is_period
    environment.filters["visible"] = visible
    environment.filters["size"] = file_size
    environment.filters["address"] = lambda name: "./" + quote(name, safe="")
    style = files("pipelines.report").joinpath("templates", "style.css")
    environment.globals["style"] = Markup(style.read_text(encoding="utf-8"))  # noqa: S704
    return environment
