# SPDX-License-Identifier: MIT
"""scxsim: a simulator's Perfetto protobuf, Chrome JSON or JSONL of struct_ops calls, virtual times.

The readers lie here and not in scxval.simulate because `scxval convert` reads such files too, and
neither of tracers and simulate imports the other. Names of records, annotations and arguments are those
of scx_simulator's safe/{perfetto,perfetto_pb,structops_jsonl}.rs in the versions of 2026.
"""

RAW_FILE = "scxsim.pftrace"
