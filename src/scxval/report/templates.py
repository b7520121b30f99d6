# SPDX-License-Identifier: MIT
"""How pages are made from templates: escaped, strict, with filters for names that come from traces."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scxval.report.text import plural, visible

# The report's own, whose style other pages share.
FOLDER = Path(__file__).parent


def environment(*folders: Path) -> Environment:
    """An environment that looks into these folders, then into the report's."""
    made = Environment(
        loader=FileSystemLoader([*folders, FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"visible": visible, "plural": plural}
    return made
