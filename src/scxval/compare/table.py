# SPDX-License-Identifier: MIT
"""verdicts.json as a table: a row for each quantity of each pair, and one for a pair without any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from scxval.files import whole

_TEXT, _NUMBER, _COUNT, _BOOL = pa.string(), pa.float64(), pa.int64(), pa.bool_()

# Of the pair, under these names.
_PAIR = {"path": _TEXT, "a": _TEXT, "b": _TEXT, "pair_verdict": _TEXT, "pair_void": _BOOL}
# Of the quantity, as in verdicts.json.
_QUANTITY = {
    "name": _TEXT,
    "metric": _TEXT,
    "stat": _TEXT,
    "task": _TEXT,
    "unit": _TEXT,
    "carries": _BOOL,
    "verdict": _TEXT,
    "reason": _TEXT,
    "n_a": _COUNT,
    "n_b": _COUNT,
    "mean_a": _NUMBER,
    "mean_b": _NUMBER,
    "sd_a": _NUMBER,
    "sd_b": _NUMBER,
    "agree_low": _NUMBER,
    "agree_high": _NUMBER,
    "p_agree": _NUMBER,
    "p_agree_holm": _NUMBER,
    "p_beyond": _NUMBER,
    "p_beyond_holm": _NUMBER,
    "p_welch": _NUMBER,
    "q_difference": _NUMBER,
    "p_rank": _NUMBER,
    "superiority": _NUMBER,
    "power": _NUMBER,
    "needed_runs": _COUNT,
    "smallest_ratio": _NUMBER,
    "floor": _NUMBER,
}
# Of what is a record of its own in verdicts.json: `effect.ratio` is the column effect_ratio.
_INNER = {
    ("margin", "ratio"): _NUMBER,
    ("margin", "absolute"): _NUMBER,
    ("effect", "ratio"): _BOOL,
    ("effect", "estimate"): _NUMBER,
    ("effect", "low"): _NUMBER,
    ("effect", "high"): _NUMBER,
    ("effect", "method"): _TEXT,
    ("rejected", "dilated"): _BOOL,
    ("rejected", "starved"): _BOOL,
}
SCHEMA = pa.schema(
    [
        pa.field("family", _TEXT),
        *(pa.field(name, kind) for name, kind in _PAIR.items()),
        *(pa.field(name, kind) for name, kind in _QUANTITY.items()),
        *(pa.field("_".join(names), kind) for names, kind in _INNER.items()),
    ]
)


def verdict_table(record: Mapping[str, Any]) -> pa.Table:
    """The table of a verdicts.json. A pair without quantities has its reason in a row without a name."""
    return pa.Table.from_pylist(list(_rows(record)), schema=SCHEMA)


def _rows(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for pair in record["pairs"]:
        of_pair = {
            "family": record["family"],
            "path": pair["path"],
            "a": pair["a"]["name"],
            "b": pair["b"]["name"],
            "pair_verdict": pair["verdict"],
            "pair_void": bool(pair["void"]),
        }
        if not pair["quantities"]:
            yield {**of_pair, "reason": pair["reason"]}
        for quantity in pair["quantities"]:
            inner = {"_".join(names): quantity[names[0]][names[1]] for names in _INNER}
            yield {**of_pair, **{name: quantity[name] for name in _QUANTITY}, **inner}


def write_tables(record: Mapping[str, Any], folder: Path) -> None:
    """Write verdicts.parquet and verdicts.csv into a folder, both whole or none."""
    table = verdict_table(record)
    with whole(folder / "verdicts.parquet", folder / "verdicts.csv") as (parquet, text):
        pq.write_table(table, parquet)
        pyarrow.csv.write_csv(table, text)
