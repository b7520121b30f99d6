# SPDX-License-Identifier: MIT
"""scxval: does what we believe about a Linux scheduler agree with what the real kernel does?

The workflow (Snakefile, workflow/) knows what follows from what; this package knows how. Imports go
one way: cli and workflow -> report -> provision/vm/tracers -> events -> catalog.
"""

__version__ = "0.1.0"
