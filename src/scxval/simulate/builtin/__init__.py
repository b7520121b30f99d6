# SPDX-License-Identifier: MIT
"""The embedded simulator: a discrete-event engine in C that drives a scheduler's own code."""
