# SPDX-License-Identifier: MIT
"""Checkpoint choose: which cells the budget pays for. As an argument of a command the matrix could have
128 KiB at most (MAX_ARG_STRLEN of Linux).
"""

from pathlib import Path

from scxval.planning.budget import write_choice

# Snakemake defines `snakemake` in a script of a rule.
write_choice(
    snakemake.params.asked,  # noqa: F821
    Path(snakemake.params.store),  # noqa: F821
    Path(snakemake.params.runs),  # noqa: F821
    Path(snakemake.output.choice),  # noqa: F821
)
