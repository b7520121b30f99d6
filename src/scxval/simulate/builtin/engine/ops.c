/* SPDX-License-Identifier: MIT */
/* The scheduler's operations, out of whichever of the two forms it defines: those that the engine calls. */
#include "engine.h"

#define TAKE(op) S.ops.op = sim_cid_ops->op

void ops_read(void)
{
	if (sim_ops) {
		S.ops = *sim_ops;
	} else if (sim_cid_ops) {
		S.ops.select_cpu = sim_cid_ops->select_cid;
		S.set_cmask = sim_cid_ops->set_cmask;
		TAKE(enqueue);
		TAKE(dequeue);
		TAKE(dispatch);
		TAKE(tick);
		TAKE(runnable);
		TAKE(running);
		TAKE(stopping);
		TAKE(quiescent);
		TAKE(yield);
		TAKE(set_weight);
		TAKE(update_idle);
		TAKE(init_task);
		TAKE(exit_task);
		TAKE(enable);
		TAKE(disable);
		TAKE(cgroup_init);
		TAKE(init);
		TAKE(flags);
		TAKE(timeout_ms);
		TAKE(dispatch_max_batch);
	}
	if (!S.ops.dispatch_max_batch)
		S.ops.dispatch_max_batch = SCX_DSP_DFL_MAX_BATCH;
}
