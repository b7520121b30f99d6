# SPDX-License-Identifier: MIT
"""scxtop's samples of dispatch queues: one at each switch, which task's queue, how long it waited there.

They are counter tracks `DSQ <id> latency ns`, whose values are microseconds, and `DSQ <id> nr_queued`,
where a negative errno of scx_bpf_dsq_nr_queued() stands as an unsigned 32-bit number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scxval.formats.perfetto.faults import Faults
from scxval.formats.perfetto.interned import read_interned
from scxval.formats.perfetto.packets import Packets
from scxval.formats.perfetto.track_events import COUNTER, read_track_events
from scxval.formats.perfetto.tracks import Tracks
from scxval.formats.perfetto.wire import Bools, Data, Int64s

_TRACK = re.compile(r"DSQ (\d+) (latency ns|nr_queued)")
_LATENCY = "latency ns"
# Above: a negative errno in 32 bits.
_MAX_QUEUED = 1 << 31
_US_NS = 1000


@dataclass(frozen=True)
class Samples:
    """One kind of sample, an element each: `time_ns` is cut to whole microseconds, `value` is in ns for
    latencies, else a count.
    """

    time_ns: Int64s
    dsq_id: npt.NDArray[np.uint64]
    value: Int64s


def read_samples(
    data: Data, packets: Packets, tracks: Tracks, faults: Faults
) -> tuple[Samples, Samples]:
    """Latencies (ns) of the tasks that were switched to, and lengths of their queues, errnos dropped."""
    events = read_track_events(data, packets, read_interned(data, packets), faults)
    counters = np.flatnonzero((events.type == COUNTER) & packets.timed[events.packet])
    track, value = events.track[counters], events.counter[counters]
    time = packets.timestamp[events.packet[counters]]
    order = np.argsort(tracks.uuid, kind="stable")
    uuid = tracks.uuid[order]
    dsq, is_latency, known = _queues(tracks)
    place = np.minimum(np.searchsorted(uuid, track), max(len(uuid) - 1, 0))
    if not len(uuid):
        return _none(), _none()
    which = order[place]
    found = (uuid[place] == track) & known[which] & (value >= 0)
    latency = found & is_latency[which] & (value < np.iinfo(np.int64).max // _US_NS)
    queued = found & ~is_latency[which] & (value < _MAX_QUEUED)
    return (
        Samples(time[latency], dsq[which[latency]], value[latency] * _US_NS),
        Samples(time[queued], dsq[which[queued]], value[queued]),
    )


def _none() -> Samples:
    return Samples(
        np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
    )


def _queues(tracks: Tracks) -> tuple[npt.NDArray[np.uint64], Bools, Bools]:
    """Each track's queue, whether it counts latencies, and whether it is a queue's at all."""
    ids, latencies, are = [], [], []
    for name in tracks.names:
        match = _TRACK.fullmatch(name)
        number = int(match[1]) if match else 0
        good = match is not None and number < 1 << 64
        ids.append(number if good else 0)
        latencies.append(match is not None and match[2] == _LATENCY)
        are.append(good)
    code = tracks.name
    named = code >= 0
    dsq = np.array([*ids, 0], dtype=np.uint64)[code]
    return dsq, np.array([*latencies, False])[code], np.array([*are, False])[code] & named


def queue_of_switches(time_ns: Int64s, samples: Samples) -> tuple[npt.NDArray[np.uint64], Bools]:
    """The queue that the task of each switch came from, and where it is known.

    A sample belongs to the switch of its microsecond; of a microsecond with several switches or samples
    it is not known whose it is. A latency of 0 means that scxtop saw no insert.
    """
    stamp = time_ns // _US_NS * _US_NS
    known = _alone(stamp)
    good = np.flatnonzero(_alone(samples.time_ns) & (samples.value > 0))
    order = good[np.argsort(samples.time_ns[good], kind="stable")]
    times = samples.time_ns[order]
    if not len(times):
        return np.zeros(len(stamp), dtype=np.uint64), np.zeros(len(stamp), dtype=np.bool_)
    place = np.minimum(np.searchsorted(times, stamp), len(times) - 1)
    known &= times[place] == stamp
    return samples.dsq_id[order[place]], known


def _alone(times: Int64s) -> Bools:
    """Which times occur once."""
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    differs = np.append(True, ordered[1:] != ordered[:-1])
    alone = np.empty(len(times), dtype=np.bool_)
    alone[order] = differs & np.append(differs[1:], True)
    return alone
