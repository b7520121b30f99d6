# SPDX-License-Identifier: MIT
"""Entry of the in-guest agent: `python3 -m scxval.agent IN OUT RAW`, started by guest_init.sh."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from scxval.agent.job import Job


def main(inputs: Path, out: Path, raw: Path) -> int:
    """Run the job and leave agent.json, whole or with the agent's own traceback."""
    spec = json.loads((inputs / "job.json").read_text(encoding="utf-8"))
    job = Job(spec, inputs, out, raw)
    try:
        result = job.run()
    except Exception:
        # Loaded only here: every import costs an emulated guest a third of a second.
        import traceback

        result = {**job.result, "agent_error": traceback.format_exc()}
    part = out / "agent.json.part"
    part.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    part.replace(out / "agent.json")
    return 1 if "agent_error" in result else 0


if __name__ == "__main__":
    sys.exit(main(*(Path(arg) for arg in sys.argv[1:4])))
