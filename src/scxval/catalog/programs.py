# SPDX-License-Identifier: MIT
"""Programs of this host that a catalogue entry names: a path, or a name that is looked for on PATH."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from scxval.catalog.model import Simulator, Tracer


def host_program(tracer: Tracer | Simulator) -> Path | None:
    """The file of a tracer with `source: host`, or of an external simulator; None when there is none that
    can be executed.
    """
    if os.sep in tracer.binary:
        path = Path(tracer.binary)
        return path if path.is_file() and os.access(path, os.X_OK) else None
    found = shutil.which(tracer.binary)
    return Path(found) if found else None
