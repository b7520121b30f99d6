# SPDX-License-Identifier: MIT
"""Nights and levels in words, on the page and in its pictures."""

from __future__ import annotations

import datetime as dt

from scxval.history.changes import Changed
from scxval.report.text import Scale


def day_text(day: int) -> str:
    """A night's date, that of the day it began on (days since 1970, UTC)."""
    return (dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat()


def level_text(value: float, scale: Scale) -> str:
    """A value in its series' unit."""
    return f"{scale.show(value)} {scale.unit}".rstrip()


def percent(change: Changed) -> str:
    """By how much the level changed, as a part of what it was; "" where it was nothing."""
    if not change.before:
        return ""
    return f"{100 * (change.after / change.before - 1):+.1f}\u202f%".replace("-", "\u2212")


def cause_text(change: Changed) -> str:
    """What else was new then."""
    if not change.causes:
        return "nothing that is recorded"
    words = "; ".join(change.causes)
    return f"only how it was measured: {words}" if change.explained else words


def when_text(change: Changed) -> str:
    """Since when, with what is not known of it because nights are missing."""
    if change.day - change.last_day > 1 and change.shape == "step":
        return f"{day_text(change.day)} (the night before it is {day_text(change.last_day)})"
    if change.shape == "drift":
        return f"{day_text(change.last_day)} to {day_text(change.day)}"
    return day_text(change.day)
