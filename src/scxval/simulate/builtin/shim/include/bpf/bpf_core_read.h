/* SPDX-License-Identifier: MIT */
/*
 * CO-RE for native code: there is nothing to relocate. What is asked for has to be modelled, or the
 * scheduler does not compile; so the answer to "does it exist" is yes, as on the kernel it comes from.
 */
#ifndef SCXVAL_BPF_CORE_READ_H
#define SCXVAL_BPF_CORE_READ_H

#define bpf_core_field_exists(field) (sizeof(field) != 0)
#define bpf_core_type_exists(type) (sizeof(type) != 0)
#define bpf_core_enum_value_exists(type, value) ((void)sizeof(type), (void)(value), 1)
#define bpf_core_enum_value(type, value) (value)
#define BPF_CORE_READ(src, field) ((src)->field)

#endif
