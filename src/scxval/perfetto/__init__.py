# SPDX-License-Identifier: MIT
"""Event tables as traces for the Perfetto UI: `scxval export` and `scxval view` (docs/perfetto.md).

`side` finds what is asked for, `states` and `lengths` find in its table who ran, waited and slept where
and how many, `instants` the other rows; `build` makes tracks of them in a `timeline`, which `encode` writes
as protobuf and `chrome` as JSON. `serve` is the server behind `scxval view`.
"""
