/* SPDX-License-Identifier: MIT */
/*
 * Stands in front of the kernel tree's own header of this name, which it includes: only what cannot be
 * native is replaced.
 */
#ifndef SCXVAL_COMMON_BPF_H
#define SCXVAL_COMMON_BPF_H

/* The tree's own guard: enumerators are constants here, not variables that a loader fills in. */
#define __SCX_ENUMS_BPF_H
/* The tree's "no may_goto": its can_loop and cond_break are BPF instructions, replaced below. */
#define SCX_BPF_UNITTEST

/*
 * As the tree's macros of these names, whose code is BPF assembly: NULL when out of bounds. Offsets are
 * compared as unsigned numbers, so a negative index is out of bounds.
 */
#define MEMBER_VPTR(base, member) (typeof((base) member) *) \
({ \
	u64 __base = (u64)&(base); \
	u64 __addr = (u64)&((base) member) - __base; \
	__addr <= sizeof(base) - sizeof((base) member) ? __addr + __base : 0; \
})
#define ARRAY_ELEM_PTR(arr, i, n) (typeof(arr[i]) *) \
({ \
	u64 __base = (u64)arr; \
	u64 __addr = (u64)&(arr[i]) - __base; \
	__addr <= sizeof(arr[0]) * ((n) - 1) ? __addr + __base : 0; \
})

/* One address space: what points into the arena is a pointer like others. */
#define bpf_addr_space_cast(var, dst_as, src_as) ((void)(var))

#include_next <scx/common.bpf.h>

#include "kfuncs.h"

#undef can_loop
#undef __cond_break
#define can_loop sim_may_loop()
#define __cond_break(expr) ({ if (!sim_may_loop()) expr; })

/* User space gives such an array an element a CPU before it loads; here it has room for the most. */
#undef RESIZABLE_ARRAY
#define RESIZABLE_ARRAY(elfsec, arr) arr[SIM_CPUMASK_CPUS] SEC("."#elfsec"."#arr)

#undef __contains
#define __contains(name, node)
#undef private
#define private(name) __attribute__((aligned(8)))

#undef bpf_obj_new
#define bpf_obj_new(type) ((type *)sim_obj_new(sizeof(type)))

#define bpf_arena_alloc_pages(map, addr, page_cnt, node_id, flags) \
	sim_arena_alloc(map, SIM_ATTR(map, max_entries), addr, page_cnt)
#define bpf_arena_free_pages(map, ptr, page_cnt) sim_arena_free(map, ptr, page_cnt)

#undef SCX_OPS_DEFINE
#define SCX_OPS_DEFINE(__name, ...) \
	struct sched_ext_ops __name = { __VA_ARGS__, }; \
	struct sched_ext_ops *sim_ops = &__name;
#undef SCX_OPS_CID_DEFINE
#define SCX_OPS_CID_DEFINE(__name, ...) \
	struct sched_ext_ops_cid __name = { __VA_ARGS__, }; \
	struct sched_ext_ops_cid *sim_cid_ops = &__name;

#endif
