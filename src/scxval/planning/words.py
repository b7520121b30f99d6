# SPDX-License-Identifier: MIT
"""Lengths of time in words."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """Seconds as `45 s`, `12 min`, `7 h 05 min` or `3 d 04 h`."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02} min"
    return f"{hours // 24} d {hours % 24:02} h"
