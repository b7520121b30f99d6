# SPDX-License-Identifier: MIT
"""Working folders as those of tests/workflow, with the profiles in them."""

from __future__ import annotations

from ..workflow.conftest import make_workdir

__all__ = ["make_workdir"]
