# SPDX-License-Identifier: MIT
"""The in-guest agent: runs one job in the virtual machine. Standard library only; it is copied in."""
