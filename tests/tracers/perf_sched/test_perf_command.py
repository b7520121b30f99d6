# SPDX-License-Identifier: MIT
"""How perf sched record is started: its options, and a sign that is in its log only once it records."""

from __future__ import annotations

import re
import subprocess

import pytest

from scxval.errors import ScxvalError
from scxval.tracers.perf_sched import READY_PATTERN, command


def test_clock_and_buffer_are_asked_for() -> None:
    argv = command({"buffer_pages": 64}, frozenset()).argv
    assert argv[:3] == ["perf", "sched", "record"]
    assert argv[argv.index("-k") + 1] == "CLOCK_MONOTONIC"
    assert argv[argv.index("-m") + 1] == "64"
    assert command({}, frozenset()).argv[6] == "1024"


def test_the_sign_is_what_perf_s_child_says_and_no_part_of_the_command() -> None:
    """perf may print its command line in an error, which must not pass for the sign."""
    found = command({}, frozenset())
    child = found.argv[found.argv.index("--") + 1 :]
    said = subprocess.run(
        [*child[:-1], child[-1].replace("exec sleep infinity", ":")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert re.search(found.ready_pattern, said, re.MULTILINE)
    assert not re.search(READY_PATTERN, " ".join(found.argv), re.MULTILINE)


@pytest.mark.parametrize("pages", [0, -1, 3, "many", True, 1.5])
def test_pages_must_be_a_power_of_two(pages: int) -> None:
    with pytest.raises(ScxvalError, match="expected a power of two"):
        command({"buffer_pages": pages}, frozenset())


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ScxvalError, match="did you mean 'buffer_pages'"):
        command({"buffer_page": 1}, frozenset())
