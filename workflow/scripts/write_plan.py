# SPDX-License-Identifier: MIT
"""Rule write_plan: the plan into its file. As an argument of a command it could have 128 KiB at most
(MAX_ARG_STRLEN of Linux), which is some thousand cells.
"""

from pathlib import Path

# Snakemake defines `snakemake` in a script of a rule.
Path(snakemake.output.plan).write_text(  # noqa: F821
    f"{snakemake.params.plan}\n", encoding="utf-8"
)
