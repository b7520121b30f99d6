# SPDX-License-Identifier: MIT
"""Rule write_plan: the plan into its file. As an argument of a command it could have 128 KiB at most
(MAX_ARG_STRLEN of Linux), which is some thousand cells.
"""

from pathlib import Path

from snakemake.script import snakemake

Path(snakemake.output.plan).write_text(f"{snakemake.params.plan}\n", encoding="utf-8")
