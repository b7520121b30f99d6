# SPDX-License-Identifier: MIT
"""Agreement of two tracers over one run: counts, pairs, fields, order, times, and a verdict on each.

`python -m scxval.study.agreement`: two event tables with their capability records in, agreement.json and
pairs.parquet out. docs/agreement.md says what the numbers mean, docs/contracts.md what the files hold.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scxval.catalog.config import Agreement
from scxval.compare.clock import clock, residuals
from scxval.compare.verdict import Judgement, Verdict, overall, with_words
from scxval.errors import answer
from scxval.files import write_json
from scxval.study.agreement_align import I64
from scxval.study.agreement_counts import counts_by_cpu, counts_by_task
from scxval.study.agreement_fields import EXAMPLES, Field, differing_fields, out_of_order, row_of
from scxval.study.agreement_rows import (
    Source,
    Window,
    common_window,
    read_limits,
    read_source,
    read_window,
)
from scxval.study.agreement_table import PAIR_SCHEMA, Paired, pair_sources, pair_table
from scxval.study.agreement_verdict import (
    Missing,
    judge_counts,
    judge_fields,
    judge_order,
    judge_presence,
    judge_times,
)


def compare(
    a: Source, b: Source, limits: Agreement, window_ns: Window | None = None
) -> tuple[dict[str, Any], pa.Table]:
    """agreement.json's content and the table of pairs, for two readings of one run.

    `window_ns` is the workload's window, where one is known.
    """
    record: dict[str, Any] = {
        "schema": 1,
        "same_run": True,
        "a": _about(a),
        "b": _about(b),
        "limits": asdict(limits),
    }
    window = common_window(a, b, window_ns)
    why = _why_nothing(a, b, window)
    if why or window is None:
        verdict = Judgement(Verdict.NOT_MEASURED, why)
        return record | asdict(verdict), PAIR_SCHEMA.empty_table()
    paired = pair_sources(a, b, window, limits.tolerance_ns)
    wrong = out_of_order(a.table["cpu"].to_numpy()[paired.a], paired.a, paired.b)
    fields = differing_fields(a, b, paired.rows, paired.klass, paired.a, paired.b)
    time_a = a.table["time_ns"].to_numpy()[paired.a]
    line = clock(time_a, paired.residual_ns)
    by_class = _by_class(paired)
    parts = _judge(a, b, by_class, fields, len(wrong), paired, line, limits)
    verdict = overall(parts)
    record |= {
        "window_ns": list(window),
        "outside": {"a": paired.rows.outside[0], "b": paired.rows.outside[1]},
        "not_compared": [asdict(some) for some in paired.rows.left],
        "dense_rows": paired.dense,
        "near_misses": asdict(paired.misses),
        "classes": by_class,
        "residual_ns": _optional(residuals(paired.residual_ns)),
        "clock": _optional(line),
        "fields": [_field(some, a, b, paired) for some in fields],
        "out_of_order": len(wrong),
        "switch_ins": {
            "by_cpu": counts_by_cpu(a, b, paired.rows),
            "by_task": counts_by_task(a, b, paired.rows, "TaskScheduled"),
        },
        "wakeups": {
            what: counts_by_task(a, b, paired.rows, what)
            for what in paired.rows.classes
            if what.startswith("TaskWoke")
        },
        "first_disagreement": _first(a, b, paired, fields, wrong),
        "parts": {name: asdict(part) for name, part in parts.items()},
    }
    return record | asdict(verdict), pair_table(a, b, paired)


def _about(source: Source) -> dict[str, Any]:
    record = source.capability
    return {
        "name": source.name,
        "source": record.source,
        "events": record.events,
        "lost": record.lost,
        "unparsed": record.unparsed,
        "window_ns": None if record.window_ns is None else list(record.window_ns),
        "notes": record.notes,
    }


def _why_nothing(a: Source, b: Source, window: Window | None) -> str:
    """Why there is nothing to compare, "" if there is something."""
    for source in (a, b):
        if not source.table.num_rows:
            notes = "; ".join(source.capability.notes)
            return f"{source.name} has no events{f': {notes}' if notes else ''}"
    if window is None:
        return f"{a.name} and {b.name} have no time in common"
    if not set(a.capability.kinds) & set(b.capability.kinds):
        return f"no kind of event that both {a.name} and {b.name} can see"
    return ""


def _optional(record: Any) -> dict[str, Any] | None:
    return None if record is None else asdict(record)


def _by_class(paired: Paired) -> list[dict[str, Any]]:
    """Rows, pairs, unpaired rows and residuals of each class."""
    found = []
    for number, what in enumerate(paired.rows.classes):
        here = paired.klass == number
        only_a, only_b = paired.klass_a == number, paired.klass_b == number
        found.append(
            {
                "what": what,
                "rows_a": int(here.sum() + only_a.sum()),
                "rows_b": int(here.sum() + only_b.sum()),
                "matched": int(here.sum()),
                "only_a": int((only_a & ~paired.edge_a).sum()),
                "only_b": int((only_b & ~paired.edge_b).sum()),
                "edge_a": int((only_a & paired.edge_a).sum()),
                "edge_b": int((only_b & paired.edge_b).sum()),
                "residual_ns": _optional(residuals(paired.residual_ns[here])),
            }
        )
    return found


def _judge(
    a: Source,
    b: Source,
    by_class: list[dict[str, Any]],
    fields: list[Field],
    wrong: int,
    paired: Paired,
    line: Any,
    limits: Agreement,
) -> dict[str, Judgement]:
    lost, names = (a.lost, b.lost), (a.name, b.name)
    missing = [
        Missing(
            some["what"],
            some["matched"] + some["only_a"] + some["only_b"],
            some["only_a"],
            some["only_b"],
        )
        for some in by_class
    ]
    counts = [(some["what"], some["rows_a"], some["rows_b"]) for some in by_class]
    return {
        "counts": judge_counts(counts, lost, names, limits),
        "pairs": with_words(judge_presence(missing, lost, names, limits), paired.misses.words),
        "fields": judge_fields(
            [(f"{f.what} {f.name}", f.compared, len(f.differing)) for f in fields], limits
        ),
        "order": judge_order(len(paired.a), wrong, limits),
        "times": judge_times(residuals(paired.residual_ns), line, limits),
    }


def _field(field: Field, a: Source, b: Source, paired: Paired) -> dict[str, Any]:
    examples = [
        {"a": row_of(a, paired.a[place]), "b": row_of(b, paired.b[place])}
        for place in field.differing[:EXAMPLES]
    ]
    return {
        "what": field.what,
        "name": field.name,
        "compared": field.compared,
        "differing": len(field.differing),
        "examples": examples,
    }


def _first(
    a: Source, b: Source, paired: Paired, fields: list[Field], wrong: I64
) -> dict[str, Any] | None:
    """The earliest thing that the sources do not share, with its rows, None if there is none.

    Of a row that one source lacks, `b` or `a` is null and `nearest` is that source's row nearest in
    time on the same CPU.
    """
    found: list[tuple[int, str, int | None, int | None]] = []
    for what, source, only, edge in (
        ("only_a", a, paired.only_a, paired.edge_a),
        ("only_b", b, paired.only_b, paired.edge_b),
    ):
        if (~edge).any():
            place = int(only[~edge][0])
            at = source.table["time_ns"][place].as_py()
            found.append((at, what, *((place, None) if what == "only_a" else (None, place))))
    for what, places in (*((f.name, f.differing) for f in fields), ("order", wrong)):
        if len(places):
            in_a, in_b = int(paired.a[places[0]]), int(paired.b[places[0]])
            found.append((a.table["time_ns"][in_a].as_py(), what, in_a, in_b))
    if not found:
        return None
    at, what, first, second = min(found, key=lambda some: some[0])
    rows = {
        "a": None if first is None else row_of(a, first),
        "b": None if second is None else row_of(b, second),
    }
    if first is None and second is not None:
        rows["nearest"] = _nearest(a, b.table["cpu"][second].as_py(), at)
    elif second is None and first is not None:
        rows["nearest"] = _nearest(b, a.table["cpu"][first].as_py(), at)
    return {"time_ns": at, "what": what, **rows}


def _nearest(source: Source, cpu: int, time_ns: int) -> dict[str, Any] | None:
    """A source's row nearest in time on a CPU."""
    here = np.flatnonzero(source.table["cpu"].to_numpy() == cpu)
    if not len(here):
        return None
    times = source.table["time_ns"].to_numpy()[here]
    return row_of(source, int(here[np.argmin(np.abs(times - time_ns))]))


def main(argv: Sequence[str] | None = None) -> int:
    """Compare two tracers over one run; 0, or 2 when a file is at fault."""
    parser = argparse.ArgumentParser(prog="python -m scxval.study.agreement", description=__doc__)
    parser.add_argument("--names", nargs=2, required=True, metavar=("A", "B"))
    parser.add_argument("--events", nargs=2, type=Path, required=True, metavar=("A", "B"))
    parser.add_argument("--capability", nargs=2, type=Path, required=True, metavar=("A", "B"))
    parser.add_argument("--status", type=Path, help="status.json of the run, for its window")
    parser.add_argument("--limits", default="{}", help="thresholds as JSON (config: agreement)")
    parser.add_argument("--output", type=Path, required=True, help="agreement.json to write")
    parser.add_argument("--pairs", type=Path, required=True, help="pairs.parquet to write")
    return answer("scxval agreement", partial(_compare_files, parser.parse_args(argv)))


def _compare_files(args: argparse.Namespace) -> None:
    files = zip(args.names, args.events, args.capability, strict=True)
    first, second = (read_source(*some) for some in files)
    window = read_window(args.status) if args.status else None
    record, pairs = compare(first, second, read_limits(args.limits), window)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pairs, args.pairs, compression="zstd", row_group_size=1 << 20)
    write_json(args.output, record)


if __name__ == "__main__":
    sys.exit(main())
