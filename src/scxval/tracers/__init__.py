# SPDX-License-Identifier: MIT
"""One folder a tracer: how it starts, is known to be ready, stops, what it sees, how it is read.

`command` (in the tracer's __init__) is used before a run, `convert` after it, in separate modules so
that a changed converter never asks for another run.
"""
