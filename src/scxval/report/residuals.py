# SPDX-License-Identifier: MIT
"""The figure of how far apart in time two tracers tell the same events."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from scxval.report.figures import OTHER, PALETTE, Figure, _axis, _layout
from scxval.report.text import plot_text, scale_for

_BINS = 80


def residual_histogram(runs: Mapping[str, npt.NDArray[np.int64]]) -> tuple[Figure, float]:
    """Time differences of paired events, a line for each run; runs are never pooled.

    The axis goes from the least p1 to the greatest p99 of any run, and always over zero; returns the
    part of all pairs that lies beyond it too.
    """
    low = min(0.0, *(float(np.percentile(values, 1)) for values in runs.values()))
    high = max(0.0, *(float(np.percentile(values, 99)) for values in runs.values()))
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    scale = scale_for([low, high], "ns")
    middles = [round(float(x), 6) for x in (edges[:-1] + edges[1:]) / 2 * scale.factor]
    data, beyond = [], 0
    for place, (name, values) in enumerate(runs.items()):
        counts = np.histogram(values, edges)[0]
        beyond += len(values) - int(counts.sum())
        share = [round(100 * float(count) / len(values), 4) for count in counts]
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "line": {"shape": "hvh", "width": 1.5, "color": PALETTE[place % len(PALETTE)]},
                "x": middles,
                "y": share,
                "hoverinfo": "text",
                "hovertext": [
                    f"{plot_text(name)}<br>{middle:.3g} {scale.unit}: {part:.2f} % of {len(values)} pairs"
                    for middle, part in zip(middles, share, strict=True)
                ],
                "showlegend": False,
            }
        )
    xaxis = _axis() | {"title": {"text": f"t_B \u2212 t_A, {scale.unit}", "standoff": 6}}
    xaxis |= {"zeroline": True, "zerolinecolor": OTHER}
    yaxis = _axis() | {"title": {"text": "% of pairs", "standoff": 6}, "rangemode": "tozero"}
    layout = _layout(height=260) | {"xaxis": xaxis, "yaxis": yaxis}
    return {"data": data, "layout": layout}, beyond / sum(map(len, runs.values()))
