# SPDX-License-Identifier: MIT
"""`python -m scxval.history`: adds a plan's runs to the store and draws the trend."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path

from scxval.catalog.comparison import compare_from_json
from scxval.catalog.config import History
from scxval.errors import ScxvalError, answer
from scxval.history.command import add_runs
from scxval.history.page import write_trend
from scxval.history.trend import read_trend


def main(argv: list[str] | None = None) -> int:
    """Add and draw; 0, or 2 with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m scxval.history", description=__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="plan.json")
    parser.add_argument("--runs", type=Path, required=True, help="results/runs")
    parser.add_argument("--compare", required=True, help="the configuration's `compare`, as JSON")
    parser.add_argument("--settings", required=True, help="the configuration's `history`, as JSON")
    parser.add_argument("--page", type=Path, required=True, help="the HTML page to write")
    parser.add_argument("--output", type=Path, required=True, help="the folder for the tables")
    return answer("scxval history", partial(_add_and_draw, parser.parse_args(argv)))


def _add_and_draw(args: argparse.Namespace) -> None:
    try:
        settings = History(**json.loads(args.settings))
        paths = json.loads(args.plan.read_text(encoding="utf-8"))["cells"]
    except OSError as error:
        raise ScxvalError(f"cannot read {args.plan}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ScxvalError(f"not a plan, or not history's settings: {error!r}") from error
    how = compare_from_json(args.compare)
    for line in add_runs(Path(settings.store), args.runs, paths, how):
        print(line)
    write_trend(read_trend(Path(settings.store), how, settings), args.page, args.output)


if __name__ == "__main__":
    sys.exit(main())
