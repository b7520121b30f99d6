/* SPDX-License-Identifier: MIT */
/* The scheduler's operations, out of whichever of the two forms it defines. */
#include "engine.h"

#define COMMON(from)						\
	do {							\
		S.ops.enqueue = (from)->enqueue;		\
		S.ops.dequeue = (from)->dequeue;		\
		S.ops.dispatch = (from)->dispatch;		\
		S.ops.tick = (from)->tick;			\
		S.ops.runnable = (from)->runnable;		\
		S.ops.running = (from)->running;		\
		S.ops.stopping = (from)->stopping;		\
		S.ops.quiescent = (from)->quiescent;		\
		S.ops.yield = (from)->yield;			\
		S.ops.set_weight = (from)->set_weight;		\
		S.ops.update_idle = (from)->update_idle;	\
		S.ops.init_task = (from)->init_task;		\
		S.ops.exit_task = (from)->exit_task;		\
		S.ops.enable = (from)->enable;			\
		S.ops.disable = (from)->disable;		\
		S.ops.cgroup_init = (from)->cgroup_init;	\
		S.ops.cgroup_exit = (from)->cgroup_exit;	\
		S.ops.init = (from)->init;			\
		S.ops.exit = (from)->exit;			\
		S.ops.flags = (from)->flags;			\
		S.ops.timeout_ms = (from)->timeout_ms;		\
		S.ops.dispatch_max_batch = (from)->dispatch_max_batch; \
	} while (0)

void ops_read(void)
{
	if (sim_ops) {
		COMMON(sim_ops);
		S.ops.select_cpu = sim_ops->select_cpu;
		S.ops.set_cpumask = sim_ops->set_cpumask;
	} else if (sim_cid_ops) {
		COMMON(sim_cid_ops);
		S.ops.select_cpu = sim_cid_ops->select_cid;
		S.ops.set_cmask = sim_cid_ops->set_cmask;
		S.ops.cid_form = true;
	}
	if (!S.ops.dispatch_max_batch)
		S.ops.dispatch_max_batch = SCX_DSP_DFL_MAX_BATCH;
}
