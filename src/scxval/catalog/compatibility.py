# SPDX-License-Identifier: MIT
"""The compatibility matrix: what became of each scheduler on each kernel with so many CPUs, as probed.

One record for each kernel x scheduler x vCPU count is made by a real guest (scxval.probe.scheduler);
the planner reads those, and this module puts them together into one file and a table for people.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from scxval.catalog.outcomes import Outcome
from scxval.errors import ScxvalError, run_step
from scxval.files import write_json


@dataclass(frozen=True)
class Attachment:
    """How a scheduler fared on a kernel: attached, kept running under load, detached when asked to.

    `release` is the kernel that was booted (7.2.12+deb14-amd64); `outcome` and `reason` are the probe's, as
    in a cell's status.json.
    """

    kernel: str
    scheduler: str
    vcpus: int
    release: str
    attaches: bool
    runs: bool
    detaches: bool
    outcome: Outcome
    reason: str

    @property
    def key(self) -> tuple[str, str, int]:
        """What it is looked up by."""
        return (self.kernel, self.scheduler, self.vcpus)

    @property
    def refused(self) -> bool:
        """Whether it is known not to attach; a guest that did not come up says nothing of it."""
        return self.outcome is Outcome.SCHEDULER_REJECTED


Compatibility = dict[tuple[str, str, int], Attachment]


def read_compatibility(path: Path) -> Compatibility:
    """The merged matrix, or one record's file; {} when nothing has been probed. Raises ScxvalError."""
    if not path.exists():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        records = [
            Attachment(**{**entry, "outcome": Outcome(entry["outcome"])})
            for entry in (data if isinstance(data, list) else [data])
        ]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ScxvalError(f"{path}: not a compatibility record: {error}; remove it") from error
    return {record.key: record for record in records}


def merge(paths: Iterable[Path]) -> Compatibility:
    """The records of many files."""
    merged: Compatibility = {}
    for path in paths:
        merged |= read_compatibility(path)
    return merged


def as_table(compatibility: Compatibility) -> str:
    """The matrix as Markdown: a row each scheduler and kernel, a column each vCPU count.

    Below it the reasons, each once.
    """
    if not compatibility:
        return "No scheduler of sched_ext was asked for.\n"
    counts = sorted({vcpus for _, _, vcpus in compatibility})
    reasons: dict[str, int] = {}

    def word(record: Attachment | None) -> str:
        if record is None:
            return "not probed"
        if record.attaches and record.runs and record.detaches:
            return "works"
        mark = reasons.setdefault(record.reason, len(reasons) + 1)
        return f"{record.outcome} ({mark})"

    lines = [
        f"| scheduler | kernel | {' | '.join(f'{n} CPUs' for n in counts)} |",
        f"|---|---|{'---|' * len(counts)}",
    ]
    for kernel, scheduler in sorted(
        {(k, s) for k, s, _ in compatibility}, key=lambda pair: pair[::-1]
    ):
        words = [word(compatibility.get((kernel, scheduler, n))) for n in counts]
        lines.append(f"| {scheduler} | {kernel} | {' | '.join(words)} |")
    lines += [f"\n({number}) {reason}" for reason, number in reasons.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Command line of the compatibility checkpoint."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("records", type=Path, nargs="*", help="one file a kernel, scheduler, count")
    parser.add_argument("--output", type=Path, required=True, help="the merged matrix")
    parser.add_argument("--table", type=Path, required=True, help="the same for people, Markdown")
    args = parser.parse_args()
    merged = merge(args.records)
    write_json(args.output, [asdict(merged[key]) for key in sorted(merged)])
    args.table.write_text(as_table(merged), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run_step(main))
