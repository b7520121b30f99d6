/* SPDX-License-Identifier: MIT */
/*
 * kfuncs of what is not simulated, for schedulers that only call them in a mode which is refused
 * (settings.py) or never reached. Without the tree's header: its types for them change from one kernel to
 * the next.
 */
#include "shim.h"

/* No scheduler is attached below another, so no cgroup has one whose tasks could be dispatched. */
bool scx_bpf_sub_dispatch___compat(u64 cgroup_id);
bool scx_bpf_sub_dispatch___compat(u64 cgroup_id)
{
	(void)cgroup_id;
	return false;
}

/* cids are those that the engine gives CPUs. */
void scx_bpf_cid_override___compat(const s32 *cpu_to_cid, u32 bytes);
void scx_bpf_cid_override___compat(const s32 *cpu_to_cid, u32 bytes)
{
	(void)cpu_to_cid;
	(void)bytes;
	sim_error("scx_bpf_cid_override is not modelled");
}
