# SPDX-License-Identifier: MIT
"""What really works here, asked of real guests: accelerators, and schedulers on kernels."""
