# SPDX-License-Identifier: MIT
"""Questions over several runs or several readings of one: what tracers agree on, and on what not."""
