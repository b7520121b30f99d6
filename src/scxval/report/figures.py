# SPDX-License-Identifier: MIT
"""Plotly figures as plain dictionaries: one value per run, one bar per name, and slices per CPU.

Plain dictionaries, because building them through plotly's classes costs seconds; a test checks
every figure with those classes. Text and grid colours are the style sheet's, so that a figure is
readable in light, dark and print. All names go through plot_text: plotly reads HTML in labels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scxval.report.spread import Bar, Spread
from scxval.report.summary import Comparison, Point
from scxval.report.text import THIN_SPACE, Scale, duration_text, plot_text
from scxval.report.timeline import Slice, Timeline

Figure = dict[str, Any]

# Okabe and Ito's palette, told apart by colour-blind readers; grey is for all other tasks.
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800", "#7f6bb5")
OTHER = "#8c8c8c"
_POINT = "#2f7ebc"
_FONT = {"family": "system-ui, 'Liberation Sans', Arial, sans-serif", "size": 12}
_CLEAR = "rgba(0,0,0,0)"
_HOVER = {"bgcolor": "#222", "bordercolor": "#222", "font": {"color": "#fff", "size": 12}}
# Above this ratio of largest to smallest, a linear axis hides the small ones.
_LOG_RATIO = 20
# And above this one only whole decades have room for a label.
_MANY_DECADES = 1000
# A bar narrower than this part of the window has no room for the task's name.
_LABEL_SHARE = 0.035


def to_json(figure: Figure) -> str:
    """Figure as JSON that may stand in a script element: no `<`, `>` or `&` in it."""
    text = json.dumps(figure, sort_keys=True, separators=(",", ":"), allow_nan=False)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def run_points(comparison: Comparison) -> Figure:
    """A strip per scheduler: a point per run, a stroke for the median, a diamond for loss."""
    rows, scale = comparison.rows, comparison.scale
    good: dict[str, list[Any]] = {"x": [], "y": [], "hovertext": []}
    lossy: dict[str, list[Any]] = {"x": [], "y": [], "hovertext": []}
    medians: dict[str, list[Any]] = {"x": [], "y": [], "hovertext": []}
    for place, row in enumerate(rows):
        for index, point in enumerate(row.points):
            into = lossy if point.lossy else good
            into["x"].append(point.value * scale.factor)
            into["y"].append(round(place + _offset(index, len(row.points)), 4))
            into["hovertext"].append(_point_text(row.scheduler, point, scale))
        if row.good:
            medians["x"].append(row.median * scale.factor)
            medians["y"].append(place)
            medians["hovertext"].append(
                f"{plot_text(row.scheduler)}<br>median of n = {len(row.good)}: "
                f"{scale.show(row.median)} {scale.unit}"
            )
    data = [
        _markers(medians, {"symbol": "line-ns", "size": 22, "line": {"width": 2, "color": OTHER}}),
        _markers(good, {"symbol": "circle", "size": 9, "color": _POINT, "opacity": 0.85}),
        _markers(lossy, {"symbol": "diamond-open", "size": 10, "color": "#d55e00"}),
    ]
    values = [x for trace in data for x in trace["x"]]
    log = bool(values) and min(values) > 0 and max(values) / min(values) > _LOG_RATIO
    unit = f"{scale.unit}{', log scale' if log else ''}"
    xaxis = _axis() | {"type": "log" if log else "linear", "title": {"text": unit, "standoff": 6}}
    xaxis |= {"dtick": "D1"} if log else {"rangemode": "tozero", "nticks": 6}
    yaxis = _axis() | {
        "tickvals": list(range(len(rows))),
        "ticktext": [plot_text(row.scheduler) for row in rows],
        "range": [len(rows) - 0.5, -0.5],
        "showgrid": False,
        "automargin": True,
        "fixedrange": True,
    }
    layout = _layout(height=62 + 30 * len(rows)) | {"xaxis": xaxis, "yaxis": yaxis}
    return {"data": data, "layout": layout}


def _offset(index: int, count: int) -> float:
    """Where in its scheduler's strip a repetition stands; not random: pages repeat."""
    return (index - (count - 1) / 2) * min(0.3, 0.6 / max(count, 1))


def _point_text(scheduler: str, point: Point, scale: Scale) -> str:
    lost = "<br>its tracer lost events" if point.lossy else ""
    return (
        f"{plot_text(scheduler)}, repetition {point.rep}<br>{scale.show(point.value)} {scale.unit}"
        f"<br>{point.events} events{lost}"
    )


def _markers(points: dict[str, list[Any]], marker: dict[str, Any]) -> Figure:
    trace = {"type": "scatter", "mode": "markers", "marker": marker, "hoverinfo": "text"}
    return trace | {"cliponaxis": False, "showlegend": False} | points


def member_spread(spread: Spread) -> Figure:
    """A row per name, in it a bar per scheduler from one quantile to the other, or a dot."""
    data = [
        _spread_trace(spread, place, scheduler) for place, scheduler in enumerate(spread.schedulers)
    ]
    values = [end for bar in spread.bars for end in bar.ends]
    ratio = max(values) / min(values) if values and min(values) > 0 else 0.0
    log = ratio > _LOG_RATIO
    stats = " to ".join(spread.question.stats) if len(spread.question.stats) > 1 else ""
    words = [spread.scale.unit, stats, "log scale" if log else ""]
    xaxis = _axis() | {
        "type": "log" if log else "linear",
        "title": {"text": ", ".join(word for word in words if word), "standoff": 6},
    }
    xaxis |= (
        {"dtick": 1 if ratio > _MANY_DECADES else "D2"}
        if log
        else {"rangemode": "tozero", "nticks": 6}
    )
    rows = len(spread.members)
    yaxis = _axis() | {
        "tickvals": list(range(rows)),
        "ticktext": [plot_text(name) for name in spread.members],
        "range": [rows - 0.5, -0.5],
        "showgrid": False,
        "automargin": True,
        "fixedrange": True,
    }
    height = 92 + rows * max(22, 10 * len(spread.schedulers))
    layout = _layout(height, top=30) | {"xaxis": xaxis, "yaxis": yaxis, "showlegend": True}
    layout["legend"] = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"}
    return {"data": data, "layout": layout}


def _spread_trace(spread: Spread, place: int, scheduler: str) -> Figure:
    """One scheduler's bars as lines with a gap after each."""
    x: list[float | None] = []
    y: list[float | None] = []
    hover: list[str] = []
    step = 0.7 / len(spread.schedulers)
    aside = (place - (len(spread.schedulers) - 1) / 2) * step
    for bar in spread.bars:
        if bar.scheduler == scheduler:
            x += [*(end * spread.scale.factor for end in bar.ends), None]
            y += [*[round(spread.members.index(bar.member) + aside, 4)] * len(bar.ends), None]
            hover += [_bar_text(spread, bar)] * (len(bar.ends) + 1)
    colour = PALETTE[place % len(PALETTE)]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": plot_text(scheduler),
        "x": x,
        "y": y,
        "hovertext": hover,
        "hoverinfo": "text",
        "line": {"color": colour, "width": 3},
        "marker": {"color": colour, "size": 7},
        "cliponaxis": False,
        "connectgaps": False,
    }


def _bar_text(spread: Spread, bar: Bar) -> str:
    scale = spread.scale
    pairs = zip(spread.question.stats, bar.ends, strict=True)
    ends = ", ".join(f"{stat} {scale.show(end)}".removeprefix("value ") for stat, end in pairs)
    runs = "1 run" if bar.runs == 1 else f"median of {bar.runs} runs"
    return (
        f"{plot_text(bar.scheduler)}, {plot_text(bar.member)}<br>{ends} {plot_text(scale.unit)}"
        f"<br>{round(bar.events)} events, {runs}"
    )


def task_colours(timelines: Sequence[Timeline]) -> dict[str, str]:
    """A colour for each of the tasks that run longest in these windows; the others are grey.

    One mapping for all timelines of a workload, by task name: tids differ from run to run.
    """
    run_time: dict[str, int] = {}
    for shown in timelines:
        for piece in shown.slices:
            name = task_name(piece)
            start, end = _clip(piece, shown)
            run_time[name] = run_time.get(name, 0) + end - start
    longest = sorted(run_time, key=lambda name: (-run_time[name], name))[: len(PALETTE)]
    return dict(zip(sorted(longest), PALETTE, strict=False))


def task_name(piece: Slice) -> str:
    """The task's name, or words for a record that names none."""
    if piece.comm is not None:
        return piece.comm
    return "(no name)" if piece.tid is None else f"(tid {piece.tid})"


def _clip(piece: Slice, shown: Timeline) -> tuple[int, int]:
    start, end = shown.window_ns
    return max(piece.start_ns, start), min(piece.end_ns, end)


def cpu_timeline(shown: Timeline, colours: Mapping[str, str]) -> Figure:
    """One lane per CPU, one bar per slice; a bar that the window cuts tells its real length."""
    start_ns, end_ns = shown.window_ns
    length_ns = max(1, end_ns - start_ns)
    groups: dict[str, list[Slice]] = {colour: [] for colour in (*colours.values(), OTHER)}
    for piece in shown.slices:
        groups[colours.get(task_name(piece), OTHER)].append(piece)
    data = [_bars(pieces, colour, shown) for colour, pieces in groups.items() if pieces]
    xaxis = _axis() | {
        "range": [0, length_ns / 1e6],
        "title": {"text": "ms from the start of the window", "standoff": 6},
    }
    yaxis = _axis() | {
        "tickvals": list(range(len(shown.cpus))),
        "ticktext": [f"CPU {cpu}" for cpu in shown.cpus],
        "range": [len(shown.cpus) - 0.5, -0.5],
        "showgrid": False,
        "automargin": True,
        "fixedrange": True,
    }
    layout = _layout(height=84 + 30 * len(shown.cpus), top=28) | {
        "xaxis": xaxis,
        "yaxis": yaxis,
        "barmode": "overlay",
        "bargap": 0.2,
        "dragmode": "zoom",
    }
    return {"data": data, "layout": layout}


def _bars(pieces: Sequence[Slice], colour: str, shown: Timeline) -> Figure:
    start_ns, end_ns = shown.window_ns
    lanes = {cpu: place for place, cpu in enumerate(shown.cpus)}
    clipped = [_clip(piece, shown) for piece in pieces]
    room_ns = (end_ns - start_ns) * _LABEL_SHARE
    return {
        "type": "bar",
        "orientation": "h",
        "base": [round((start - start_ns) / 1e6, 6) for start, _ in clipped],
        "x": [round((end - start) / 1e6, 6) for start, end in clipped],
        "y": [lanes[piece.cpu] for piece in pieces],
        "width": 0.8,
        "text": [
            plot_text(task_name(piece)) if end - start >= room_ns else ""
            for piece, (start, end) in zip(pieces, clipped, strict=True)
        ],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "constraintext": "inside",
        "hovertext": [_slice_text(piece, start_ns) for piece in pieces],
        "hoverinfo": "text",
        "marker": {"color": colour, "line": {"width": 0}},
        "showlegend": False,
    }


def _slice_text(piece: Slice, window_start_ns: int) -> str:
    tid = "unknown" if piece.tid is None else piece.tid
    at_ms = (piece.start_ns - window_start_ns) / 1e6
    length = duration_text(piece.end_ns - piece.start_ns)
    begun = "" if piece.start_known else ", on the CPU before the trace began"
    return (
        f"<b>{plot_text(task_name(piece))}</b> (tid {tid}), CPU {piece.cpu}"
        f"<br>start {at_ms:.3f} ms (clock {piece.start_ns} ns){begun}"
        f"<br>length {'at least ' if begun else ''}{length}"
        f"<br>end: {plot_text(piece.ended)}"
    )


def _axis() -> dict[str, Any]:
    return {
        "ticks": "outside",
        "ticklen": 4,
        "automargin": True,
        "exponentformat": "none",
        "zeroline": False,
        "separatethousands": True,
    }


def _layout(height: int, top: int = 10) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 10, "r": 16, "t": top, "b": 40},
        "paper_bgcolor": _CLEAR,
        "plot_bgcolor": _CLEAR,
        "font": dict(_FONT),
        "hoverlabel": _HOVER | {"align": "left"},
        "hovermode": "closest",
        "modebar": {"bgcolor": _CLEAR, "color": OTHER, "activecolor": _POINT},
        "separators": f".{THIN_SPACE}",
        "showlegend": False,
    }
