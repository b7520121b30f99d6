# SPDX-License-Identifier: MIT
"""File formats that several tracers share: tracepoint descriptions, and loops over their bytes."""
