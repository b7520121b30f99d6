# SPDX-License-Identifier: MIT
"""Makes what a guest is built from: kernel, initramfs, image, build root, schedulers; with locks.

Everything is made by mmdebstrap from Debian packages, in a root of its own: the host's toolchain is
never used, and root is not needed where user namespaces are allowed.
"""
