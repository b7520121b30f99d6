# SPDX-License-Identifier: MIT
"""How often the method is wrong, measured: `python -m scxval.compare.statistics.study`.

Prints docs/method.md's table, or puts it there (`--write`). Status 1 when a rate is beyond its bound by
more than so many trials explain.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from scxval.compare.statistics.experiments import PARTS, Rate
from scxval.errors import ScxvalError, answer

TRIALS = 10_000
SEED = 7
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def measure(part: str, trials: int = TRIALS) -> list[Rate]:
    """All rates of one part; the same trials give the same rates. Slow parts make fewer trials."""
    rng = np.random.default_rng([SEED, list(PARTS).index(part)])
    return list(PARTS[part](rng, trials))


def table(part: str, rates: Sequence[Rate]) -> str:
    """One part as Markdown: a row a case, a column a number of runs, in percent.

    A promise that differs between numbers of runs is in brackets behind each.
    """
    runs = list(dict.fromkeys(rate.runs for rate in rates))
    words = " ".join((PARTS[part].__doc__ or "").split())
    trials = " or ".join(f"{n:,}" for n in sorted({rate.trials for rate in rates}))
    lines = [
        f"**{part.replace('_', ' ').capitalize()}.** {words} {trials} trials a number.",
        "",
        "| runs a side | " + " | ".join(runs) + " | promised |",
        "|---" * (len(runs) + 2) + "|",
    ]
    for case in dict.fromkeys(rate.case for rate in rates):
        found = {rate.runs: rate for rate in rates if rate.case == case}
        cells = [_percent(found[n].rate) if n in found else "" for n in runs]
        lines.append(f"| {case} | {' | '.join(cells)} | {_promise(found.values())} |")
    return "\n".join(lines)


def _promise(rates: Iterable[Rate]) -> str:
    each = list(rates)
    words = ["none" if rate.bound is None else _percent(rate.bound) for rate in each]
    if words[0] == "none":
        return "nothing"
    said = words[0] if len({*words}) == 1 else ", ".join(words)
    return f"{'at least' if each[0].least else 'at most'} {said}"


def _percent(part: float) -> str:
    return f"{100 * part:.1f}"


def put(path: Path, text: str) -> None:
    """Replace what stands between the two marks of a page. Raises ScxvalError."""
    try:
        before, rest = path.read_text(encoding="utf-8").split(BEGIN)
        _, after = rest.split(END)
    except OSError as error:
        raise ScxvalError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ScxvalError(f"{path}: not one {BEGIN} and one {END}") from error
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 0, 1 when a bound does not hold, 2 for bad arguments."""
    parser = argparse.ArgumentParser(description=__doc__, prog="scxval.compare.statistics.study")
    parser.add_argument("--trials", type=int, default=TRIALS, help=f"a number, {TRIALS} by default")
    parser.add_argument("--part", choices=list(PARTS), action="append", help="all by default")
    parser.add_argument("--write", type=Path, help="the page to put the table in")
    arguments = parser.parse_args(argv)
    broken: list[str] = []

    def step() -> None:
        if arguments.trials < 1:
            raise ScxvalError(f"--trials {arguments.trials}: at least 1")
        found = {name: measure(name, arguments.trials) for name in arguments.part or PARTS}
        text = "\n\n".join(table(name, rates) for name, rates in found.items())
        if arguments.write:
            put(arguments.write, text)
        else:
            print(text)
        broken.extend(
            f"{name}: {rate.case}, {rate.runs} runs: {rate.rate:.4f} with {rate.bound} promised"
            for name, rates in found.items()
            for rate in rates
            if not rate.holds
        )

    status = answer("study", step)
    for line in broken:
        print(line, file=sys.stderr)
    return 1 if broken else status


if __name__ == "__main__":
    sys.exit(main())
