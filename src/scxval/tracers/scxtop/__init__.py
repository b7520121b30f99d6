# SPDX-License-Identifier: MIT
"""scxtop trace: sched tracepoints and DSQ samples as a Perfetto trace."""
