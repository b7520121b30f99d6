# SPDX-License-Identifier: MIT
"""`scxval compare A B`: one pair of whatever a user names, judged as a family of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scxval.catalog.config import Config
from scxval.compare.again import first_difference
from scxval.compare.family import finite, judge_family
from scxval.compare.named import Named, named
from scxval.compare.pair import Compared, Side, Spec, compare, write
from scxval.compare.record import Pair
from scxval.compare.table import write_tables
from scxval.compare.verdict import Judgement, Verdict
from scxval.errors import ScxvalError
from scxval.events.table import read_events
from scxval.files import write_json

# Questions that a user asks are of no configured family.
FAMILY = "by hand"


@dataclass(frozen=True)
class Asked:
    """What a user named: both sides, below which folders they may lie, and an rt-app file, if any."""

    a: str
    b: str
    roots: tuple[Path, ...]
    workload: Path | None = None


def compare_asked(asked: Asked, config: Config, scratch: Path) -> tuple[dict[str, Any], Compared]:
    """verdicts.json's content for the pair, and the pair; bare tables and traces are unpacked in `scratch`.

    Raises ScxvalError for what cannot be meant.
    """
    a = named(asked.a, asked.roots, scratch / "a")
    b = named(asked.b, asked.roots, scratch / "b")
    spec = Spec(
        family=FAMILY,
        path=f"{a.name} vs {b.name}",
        where={},
        a=_side(a),
        b=_side(b),
        how=config.compare,
        workload=asked.workload or _workload(a, b, config),
    )
    compared = compare(spec)
    record = judge_family(FAMILY, [compared.pair], config.compare)
    same = _same_events(compared.pair)
    if same is not None:
        for judged in (record, record["pairs"][0]):
            judged.update(verdict=same.verdict, reason=same.reason, void=[])
    return finite(record), compared


def _side(side: Named) -> Side:
    return Side(side.name, side.runs, deterministic=side.simulated)


def _workload(a: Named, b: Named, config: Config) -> Path | None:
    """The file of the workload that both sides say they had; ScxvalError for two workloads."""
    names = {side.workload for side in (a, b) if side.workload}
    if len(names) > 1:
        raise ScxvalError(
            f"{a.name} is of workload {a.workload}, {b.name} of {b.workload}: name two that had the same"
        )
    entry = config.catalog.workloads.get(names.pop()) if names else None
    return entry.file if entry and entry.kind == "rt-app" else None


def _same_events(pair: Pair) -> Judgement | None:
    """That one run a side, which no statistics can tell anything of, has the same events throughout."""
    used = [[run for run in side.runs if run.used] for side in (pair.a, pair.b)]
    if any(len(runs) != 1 for runs in used):
        return None
    files = [Path(runs[0].path) / "events.parquet" for runs in used]
    if not all(file.is_file() for file in files):
        # Runs without a tracer need none.
        return None
    tables = [read_events(file) for file in files]
    if not tables[0].num_rows or first_difference(tables[0], tables[1]):
        return None
    return Judgement(Verdict.AGREE, f"the same {tables[0].num_rows} events on both sides")


def write_all(record: dict[str, Any], compared: Compared, folder: Path) -> None:
    """Write verdicts.json and its tables, pair.json, alignment.parquet and divergence.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    write(compared, folder)
    write_tables(record, folder)
    write_json(folder / "verdicts.json", record)
