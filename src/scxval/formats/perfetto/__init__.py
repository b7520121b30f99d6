# SPDX-License-Identifier: MIT
"""Perfetto traces (protobuf) as columns: what is read of them lies in one module a part.

`faults` counts what cannot be read, `wire` has protobuf's wire format for whole arrays of messages,
`packets` the trace's packets and the state of their sequences, `clocks`, `tracks`, `interned`,
`track_events` and `ftrace` what packets hold, `head` recognises a file by its first bytes.

Field numbers are those of perfetto's public protos (protos/perfetto/trace/); fields that are not named
here are skipped, as protobuf does with fields that it does not know.
"""
