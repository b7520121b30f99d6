# SPDX-License-Identifier: MIT
"""Renders the report page from its sections, as one file that needs no other.

The page fetches nothing: style, scripts, plotly.js (packed) and all data are inside. Its content security
policy allows no request, and no script but the two whose digests it names.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from scxval.errors import ScxvalError
from scxval.events.metrics import METRICS
from scxval.report import (
    agreement,
    facts,
    figures,
    overview,
    sections,
    simulations,
    studies,
    tables,
    text,
    verdicts,
)
from scxval.report.cell import CellView, anchor
from scxval.report.cell_stats import cell_stats
from scxval.report.load import NOT_RUN, Inputs, load
from scxval.report.templates import FOLDER, environment

# Beside the page: its tables as files.
TABLES = "tables"
# Runs that are listed for one value of a fact; the files have all.
MOST_PATHS = 20


def build_report(
    plan: Path,
    runs: Path,
    output: Path,
    window_ms: int,
    agreement_root: Path | None = None,
    simulations_root: Path | None = None,
    compare_root: Path | None = None,
    studies_root: Path | None = None,
    asked: Sequence[str] | None = None,
) -> None:
    """Read the inputs, render, write; the same as scxval.report.build_report."""
    if window_ms <= 0:
        raise ScxvalError(f"the timeline window must be longer than 0 ms, not {window_ms}")
    inputs = load(plan, runs)
    roots = (agreement_root, simulations_root, compare_root, studies_root)
    page, made = render(inputs, output.parent, window_ms, *roots, asked)
    tables.write_tables(made, output.parent / TABLES)
    output.write_bytes(page.encode("utf-8"))


def render(
    inputs: Inputs,
    page_folder: Path,
    window_ms: int,
    agreement_root: Path | None = None,
    simulations_root: Path | None = None,
    compare_root: Path | None = None,
    studies_root: Path | None = None,
    asked: Sequence[str] | None = None,
) -> tuple[str, tables.Sources]:
    """The whole page as text, and what its tables are made from; links are relative to `page_folder`."""
    ids = sections.PlotIds()
    plotlyjs, script = _plotlyjs(), _own_script()
    env = environment()
    env.filters |= {
        "log": text.log_text,
        "anchor": anchor,
        "count": text.count_text,
    }
    judged = verdicts.section(compare_root, page_folder, inputs.families)
    all_facts = facts.gather(inputs.runs)
    cells = [CellView(run, all_facts, page_folder) for run in inputs.runs]
    names = sections.workloads(inputs)
    answered = studies.section(studies_root, page_folder, asked)
    # Plots are numbered in page order.
    measured = [(name, sections.measured(inputs, name, ids)) for name in names]
    timelines = [
        sections.workload_timelines(inputs, name, window_ms * 1_000_000, ids) for name in names
    ]
    drawn = {t.workload: {d.scheduler for d in t.drawn if d.run} for t in timelines}
    context: dict[str, Any] = {
        "csp": _policy([plotlyjs, script]),
        "plotlyjs": _packed(plotlyjs),
        "script": Markup(script),
        "headline": sections.headline(inputs),
        "verdicts": judged,
        "inputs": inputs,
        "matrix": sections.Matrix(inputs),
        "excluded": sections.excluded_reasons(inputs.excluded),
        "bad": [run for run in inputs.runs if not run.ok and run.status is not None],
        "unreadable": [run for run in inputs.runs if run.problems],
        "not_run": [run for run in inputs.runs if run.state == NOT_RUN],
        "workloads": measured,
        "timelines": timelines,
        "overview": overview.overview(inputs, judged, answered.shown, drawn),
        "cell_path": overview.cell_paths(inputs),
        "pairs_of": overview.pairs_of_cells(inputs, judged),
        "timeline_anchor": overview.timeline_anchor,
        "target": overview.target,
        "drawn": drawn,
        "studies": answered,
        "tables": tables.links(page_folder / TABLES, page_folder),
        "stats": {run.cell.path: cell_stats(run, ids) for run in inputs.runs},
        "window_ms": window_ms,
        "other_colour": figures.OTHER,
        "most_paths": MOST_PATHS,
        "ms": text.Scale("ms", 1e-6, 3),
        "definitions": definitions(),
        "agreement": agreement.section(agreement_root, inputs, ids),
        "simulations": simulations.section(inputs.simulations, simulations_root),
        "facts": all_facts,
        "config": _config_lines(inputs.config),
        "cells": cells,
        "runs": {view.run.cell.path: view for view in cells},
    }
    made = tables.Sources(
        inputs,
        cells,
        timelines,
        judged.families,
        answered,
        context["definitions"],
        agreement_root,
        simulations_root,
        studies_root,
    )
    return env.get_template("index.html.j2").render(context), made


def _plotlyjs() -> str:
    # Only plotly.js is taken from the package; importing its graph objects costs half a second.
    from plotly.offline import get_plotlyjs

    source: str = get_plotlyjs()
    return _newlines(source)


def _packed(source: str) -> str:
    """A script as the page's own script unpacks it: zlib in base64, a third of its size."""
    return base64.b64encode(zlib.compress(source.encode(), 9)).decode()


def _own_script() -> str:
    return _newlines((FOLDER / "script.js.j2").read_text(encoding="utf-8"))


def _newlines(source: str) -> str:
    """As the browser reads it: its digest is taken after CR LF has become LF."""
    return source.replace("\r\n", "\n").replace("\r", "\n")


def _policy(scripts: Sequence[str]) -> str:
    digests = (base64.b64encode(hashlib.sha256(source.encode()).digest()) for source in scripts)
    allowed = " ".join(f"'sha256-{digest.decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def definitions() -> list[tuple[str, str]]:
    """Every metric that scxval computes and what exactly it is."""
    return [(metric.name, " ".join(metric.definition.split())) for metric in METRICS]


def _config_lines(config: dict[str, Any]) -> list[tuple[str, str]]:
    return [(key, text.value_text(value)) for key, value in facts.flatten(config).items() if key]
