# SPDX-License-Identifier: MIT
"""Two event tables laid side by side, task by task, activation by activation, row by row."""

from scxval.compare.alignment.picture import picture
from scxval.compare.alignment.result import Alignment
from scxval.compare.alignment.sides import align

__all__ = ["Alignment", "align", "picture"]
