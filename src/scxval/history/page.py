# SPDX-License-Identifier: MIT
"""The trend page: regressions first, then every series that changed, then the others, in one HTML file.

There is no script in it, and its content security policy allows none.
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import scxval.report
from scxval.history.changes import Changed, Series
from scxval.history.picture import picture
from scxval.history.trend import Trend, day_text
from scxval.report.text import plural, visible

# The report's style is this page's.
TEMPLATES = (Path(__file__).parent, Path(scxval.report.__file__).parent)


def render(trend: Trend) -> str:
    """The page as text."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters |= {"visible": visible, "night": day_text, "plural": plural}
    changed = [(series, found) for series, found in trend.series if found]
    quiet = [series for series, found in trend.series if not found]
    outcomes = list(dict.fromkeys(name for counts in trend.outcomes.values() for name in counts))
    return env.get_template("trend.html.j2").render(
        trend=trend,
        regressions=trend.regressions,
        changed=[(series, found, picture(series, found)) for series, found in changed],
        quiet=_by_place(quiet),
        outcomes=outcomes,
        needed=2 * trend.persistence,
        percent=_percent,
    )


def _by_place(series: list[Series]) -> dict[str, list[tuple[Series, str]]]:
    found: dict[str, list[tuple[Series, str]]] = {}
    for one in series:
        found.setdefault(one.place, []).append((one, picture(one, ())))
    return found


def _percent(change: Changed) -> str:
    """By how much the mean changed, as a part of what it was."""
    if not change.before:
        return ""
    return f"{100 * (change.after / change.before - 1):+.1f} %"
