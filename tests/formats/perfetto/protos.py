# SPDX-License-Identifier: MIT
"""Perfetto's messages, as far as tests need them, for the protobuf library: to write and to read.

Numbers and types are those of perfetto's public protos; the message classes are made from this table.
"""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# name: {field: (number, type)}; types: u64, i64, u32, i32, bool, f64 (fixed64), dbl, str, bytes or a
# message's name; "*" repeated, "+" repeated and packed.
MESSAGES = {
    "Trace": {"packet": (1, "TracePacket*")},
    "TracePacket": {
        "ftrace_events": (1, "FtraceEventBundle"),
        "process_tree": (2, "ProcessTree"),
        "clock_snapshot": (6, "ClockSnapshot"),
        "timestamp": (8, "u64"),
        "trusted_packet_sequence_id": (10, "u32"),
        "track_event": (11, "TrackEvent"),
        "interned_data": (12, "InternedData"),
        "sequence_flags": (13, "u32"),
        "previous_packet_dropped": (42, "bool"),
        "thread_descriptor": (44, "ThreadDescriptor"),
        "compressed_packets": (50, "bytes"),
        "timestamp_clock_id": (58, "u32"),
        "trace_packet_defaults": (59, "Defaults"),
        "track_descriptor": (60, "TrackDescriptor"),
        "trusted_pid": (79, "i32"),
        "generic_kernel_process_tree": (122, "GenericTree"),
    },
    "Defaults": {"timestamp_clock_id": (58, "u32")},
    "ClockSnapshot": {"clocks": (1, "Clock*"), "primary_trace_clock": (2, "u32")},
    "Clock": {"clock_id": (1, "u32"), "timestamp": (2, "u64")},
    "TrackDescriptor": {
        "uuid": (1, "u64"),
        "name": (2, "str"),
        "process": (3, "ProcessDescriptor"),
        "thread": (4, "ThreadDescriptor"),
        "parent_uuid": (5, "u64"),
        "counter": (8, "CounterDescriptor"),
        "static_name": (10, "str"),
    },
    "CounterDescriptor": {"unit_name": (6, "str")},
    "ProcessDescriptor": {"pid": (1, "i32"), "cmdline": (2, "str*"), "process_name": (6, "str")},
    "ThreadDescriptor": {"pid": (1, "i32"), "tid": (2, "i64"), "thread_name": (5, "str")},
    "ProcessTree": {"processes": (1, "TreeProcess*"), "threads": (2, "TreeThread*")},
    "TreeProcess": {"pid": (1, "i32"), "ppid": (2, "i32"), "cmdline": (3, "str*")},
    "TreeThread": {"tid": (1, "i32"), "name": (2, "str"), "tgid": (3, "i32")},
    "GenericTree": {"processes": (1, "GenericProcess*"), "threads": (2, "GenericThread*")},
    "GenericProcess": {"pid": (1, "i64"), "ppid": (2, "i64"), "cmdline": (3, "str")},
    "GenericThread": {"tid": (1, "i64"), "pid": (2, "i64"), "comm": (3, "str")},
    "TrackEvent": {
        "category_iids": (3, "u64*"),
        "debug_annotations": (4, "DebugAnnotation*"),
        "type": (9, "u32"),
        "name_iid": (10, "u64"),
        "track_uuid": (11, "u64"),
        "categories": (22, "str*"),
        "name": (23, "str"),
        "counter_value": (30, "i64"),
        "double_counter_value": (44, "dbl"),
        "flow_ids": (47, "f64*"),
    },
    "DebugAnnotation": {
        "name_iid": (1, "u64"),
        "bool_value": (2, "bool"),
        "uint_value": (3, "u64"),
        "int_value": (4, "i64"),
        "double_value": (5, "dbl"),
        "string_value": (6, "str"),
        "name": (10, "str"),
        "string_value_iid": (17, "u64"),
    },
    "InternedData": {
        "event_categories": (1, "Text*"),
        "event_names": (2, "Text*"),
        "debug_annotation_names": (3, "Text*"),
        "debug_annotation_string_values": (29, "Text*"),
    },
    "Text": {"iid": (1, "u64"), "name": (2, "str")},
    "FtraceEventBundle": {
        "cpu": (1, "u32"),
        "event": (2, "FtraceEvent*"),
        "lost_events": (3, "bool"),
        "compact_sched": (4, "CompactSched"),
    },
    "FtraceEvent": {
        "timestamp": (1, "u64"),
        "pid": (2, "u32"),
        "sched_switch": (4, "SchedSwitch"),
        "sched_wakeup": (17, "SchedWakeup"),
        "sched_waking": (20, "SchedWakeup"),
        "softirq_entry": (24, "Softirq"),
        "sched_wakeup_new": (114, "SchedWakeup"),
        "sched_process_exit": (238, "SchedExit"),
        "sched_process_fork": (239, "SchedFork"),
        "sched_migrate_task": (491, "SchedMigrate"),
    },
    "Softirq": {"vec": (1, "u32")},
    "SchedSwitch": {
        "prev_comm": (1, "str"),
        "prev_pid": (2, "i32"),
        "prev_prio": (3, "i32"),
        "prev_state": (4, "i64"),
        "next_comm": (5, "str"),
        "next_pid": (6, "i32"),
        "next_prio": (7, "i32"),
    },
    "SchedWakeup": {
        "comm": (1, "str"),
        "pid": (2, "i32"),
        "prio": (3, "i32"),
        "success": (4, "i32"),
        "target_cpu": (5, "i32"),
    },
    "SchedExit": {"comm": (1, "str"), "pid": (2, "i32"), "tgid": (3, "i32"), "prio": (4, "i32")},
    "SchedFork": {
        "parent_comm": (1, "str"),
        "parent_pid": (2, "i32"),
        "child_comm": (3, "str"),
        "child_pid": (4, "i32"),
    },
    "SchedMigrate": {
        "comm": (1, "str"),
        "pid": (2, "i32"),
        "orig_cpu": (4, "i32"),
        "dest_cpu": (5, "i32"),
    },
    "CompactSched": {
        "switch_timestamp": (1, "u64+"),
        "switch_prev_state": (2, "i64+"),
        "switch_next_pid": (3, "i32+"),
        "switch_next_prio": (4, "i32+"),
        "intern_table": (5, "str*"),
        "switch_next_comm_index": (6, "u32+"),
        "waking_timestamp": (7, "u64+"),
        "waking_pid": (8, "i32+"),
        "waking_target_cpu": (9, "i32+"),
        "waking_prio": (10, "i32+"),
        "waking_comm_index": (11, "u32+"),
        "waking_common_flags": (12, "u32+"),
    },
}
_TYPES = {
    "dbl": 1,
    "i64": 3,
    "u64": 4,
    "i32": 5,
    "f64": 6,
    "bool": 8,
    "str": 9,
    "bytes": 12,
    "u32": 13,
}


def _classes():
    file = descriptor_pb2.FileDescriptorProto(
        name="scxval_tests.proto", package="t", syntax="proto2"
    )
    for name, members in MESSAGES.items():
        message = file.message_type.add(name=name)
        for label, (number, kind) in members.items():
            field = message.field.add(name=label, number=number, label=3 if kind[-1] in "*+" else 1)
            kind, packed = kind.rstrip("*+"), kind.endswith("+")
            if kind in _TYPES:
                field.type = _TYPES[kind]
                if packed:
                    field.options.packed = True
            else:
                field.type, field.type_name = 11, f".t.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"t.{name}"))
        for name in MESSAGES
    }


_MADE = _classes()
CompactSched, Trace, TrackEvent, DebugAnnotation = (
    _MADE[name]
    for name in (
        "CompactSched",
        "Trace",
        "TrackEvent",
        "DebugAnnotation",
    )
)


def number_of(message, field: str) -> int:
    """A field's number."""
    return message.DESCRIPTOR.fields_by_name[field].number
