# SPDX-License-Identifier: MIT
"""Published studies: packed with their digests, checked before use, made again byte for byte, measured again.

docs/published.md says what a published study is and what can be told from it.
"""
