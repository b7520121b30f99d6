# SPDX-License-Identifier: MIT
"""10,000 damaged captures through all converters: one line of refusal, or a table that keeps its word.

`python bench/bench_fuzz.py [--inputs N] [--seed S] [--source NAME ...] [--failures DIR]`. Inputs are
shared evenly among converters, and a converter's among its captures. What must hold of each is in
tests/mutants/check.py. A mutant that fails is kept with the command that tries it again, and the bench
ends non-zero. N inputs of seed S are the same ones always.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from measure import one_core  # noqa: E402
from tests.captures import Capture, captures  # noqa: E402
from tests.mutants.run import Result, replay, run, save  # noqa: E402

RESULTS = ("refused", "lossy", "whole", "failed")
# Failures of one capture are often one fault: more of them are counted, not kept.
KEPT = 5


def shares(found: list[Capture], inputs: int) -> Iterator[tuple[Capture, int]]:
    """How many mutants of each capture are tried."""
    sources = sorted({capture.source for capture in found})
    for place, source in enumerate(sources):
        mine = [capture for capture in found if capture.source == source]
        of_source = inputs * (place + 1) // len(sources) - inputs * place // len(sources)
        for number, capture in enumerate(mine):
            part = of_source * (number + 1) // len(mine) - of_source * number // len(mine)
            yield capture, part


def main() -> int:
    """Print a line a capture and a total; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--source", nargs="+", default=[], help="only these converters")
    parser.add_argument(
        "--failures", type=Path, default=Path(tempfile.gettempdir()) / "scxval-fuzz"
    )
    args = parser.parse_args()
    one_core()
    found = [c for c in captures() if not args.source or c.source in args.source]
    total: Counter[str] = Counter()
    start = time.monotonic()
    print(f"{'inputs':>7}{''.join(f'{name:>9}' for name in RESULTS)}  slowest  capture")
    for capture, count in shares(found, args.inputs):
        results = list(run(capture, args.seed, count))
        counts = Counter(result.result for result in results)
        total += counts
        slowest = max((result.seconds for result in results), default=0.0)
        cells = "".join(f"{counts[name]:>9}" for name in RESULTS)
        print(
            f"{len(results):>7}{cells}  {slowest:6.2f}s  {capture.source}: {capture.name}",
            flush=True,
        )
        report_failures(capture, results, args.failures)
    cells = "".join(f"{total[name]:>9}" for name in RESULTS)
    print(f"{sum(total.values()):>7}{cells}  in {time.monotonic() - start:.0f} s")
    return int(total["failed"] > 0 or sum(total.values()) != args.inputs)


def report_failures(capture: Capture, results: list[Result], folder: Path) -> None:
    """Keep the first failures and say how to try them again."""
    failed = [result for result in results if result.result == "failed"]
    for result in failed[:KEPT]:
        file = save(capture, result.seed, folder)
        print(
            f"FAILED  {result.made_by}: {result.said}\n        {replay(capture, result.seed)}  # {file}"
        )
    if len(failed) > KEPT:
        print(f"        and {len(failed) - KEPT} more")


if __name__ == "__main__":
    sys.exit(main())
