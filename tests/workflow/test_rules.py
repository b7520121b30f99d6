# SPDX-License-Identifier: MIT
"""Rules read as text: what would be wrong in a module with a prefix, before anybody uses it as one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ..conftest import ROOT

RULES = sorted((ROOT / "workflow/rules").glob("*.smk"))
OURS = r"(?:results|resources|logs|envs|config)/"
# A part of a rule, such as its params, with all that is indented below it.
PART = r"^ {{4}}{name}:\n((?: {{8}}.*\n|\n)+)"


def parts(text: str, name: str) -> list[str]:
    return re.findall(PART.format(name=name), text, re.MULTILINE)


@pytest.mark.parametrize("file", RULES, ids=lambda file: file.stem)
def test_commands_and_parameters_name_no_path_that_a_prefix_would_miss(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    for command in parts(text, "shell"):
        assert not re.search(OURS, command), command
    roots = r"(?:[a-z_]+_plan\.(?:ROOT|RUNS|SIMULATIONS|AGAIN)|STUDY_ROOT|RUN_DIR|SIM_DIR)"
    for given in parts(text, "params"):
        bare = re.sub(r"(?:here|shipped)\([^)]*\)", "", given)
        assert not re.search(rf'f?"{OURS}|\b{roots}\b', bare), given
