/* SPDX-License-Identifier: MIT */
/* Policies in Python: their operations, and what they may call (model.h). */
#include "engine.h"

#pragma GCC visibility push(default)
#include "model.h"
#pragma GCC visibility pop

static struct sched_ext_ops policy_ops;

void sim_set_policy(const struct sim_policy *policy)
{
	policy_ops = (struct sched_ext_ops){
		.select_cpu = policy->select_cpu,
		.enqueue = policy->enqueue,
		.dequeue = policy->dequeue,
		.dispatch = policy->dispatch,
		.tick = policy->tick,
		.runnable = policy->runnable,
		.running = policy->running,
		.stopping = policy->stopping,
		.quiescent = policy->quiescent,
		.yield = policy->yield,
		.update_idle = policy->update_idle,
		.enable = policy->enable,
		.disable = policy->disable,
		.init = policy->init,
		.flags = policy->flags,
		.timeout_ms = policy->timeout_ms,
		.dispatch_max_batch = policy->dispatch_max_batch,
	};
	sim_ops = &policy_ops;
}

void sim_policy_failed(const char *text)
{
	sim_end_with(SIM_BROKEN, "%s", text);
}

/* kfuncs.c and the tree's headers have these under other names. */
bool scx_bpf_dsq_insert___v2___compat(struct task_struct *p, u64 dsq_id, u64 slice, u64 enq_flags);
bool __scx_bpf_dsq_insert_vtime(struct task_struct *p, struct scx_bpf_dsq_insert_vtime_args *args);
bool scx_bpf_dsq_move_to_local___v2___compat(u64 dsq_id, u64 enq_flags);

bool scx_bpf_dsq_insert(struct task_struct *p, u64 dsq_id, u64 slice, u64 enq_flags)
{
	return scx_bpf_dsq_insert___v2___compat(p, dsq_id, slice, enq_flags);
}

bool scx_bpf_dsq_insert_vtime(struct task_struct *p, u64 dsq_id, u64 slice, u64 vtime, u64 enq_flags)
{
	struct scx_bpf_dsq_insert_vtime_args args = { dsq_id, slice, vtime, enq_flags };

	return __scx_bpf_dsq_insert_vtime(p, &args);
}

bool scx_bpf_dsq_move_to_local(u64 dsq_id)
{
	return scx_bpf_dsq_move_to_local___v2___compat(dsq_id, 0);
}

int sim_pick_idle_cpu(struct task_struct *p, u64 flags)
{
	return pick_idle_cpu(&sim_of(p)->mask, flags);
}

bool sim_cpu_is_idle(int cpu)
{
	return mask_test(&S.idle_cpus, (u32)cpu);
}

int sim_cpu(void)
{
	return (int)S.this_cpu;
}

int sim_cpu_llc(int cpu)
{
	return (int)rq_of((u32)cpu)->llc;
}

unsigned int sim_p_index(const struct task_struct *p)
{
	return sim_of(p)->index;
}

int sim_p_pid(const struct task_struct *p)
{
	return p->pid;
}

bool sim_p_allowed(const struct task_struct *p, int cpu)
{
	return mask_test(&sim_of(p)->mask, (u32)cpu);
}

int sim_p_nr_cpus_allowed(const struct task_struct *p)
{
	return p->nr_cpus_allowed;
}

unsigned int sim_p_weight(const struct task_struct *p)
{
	return p->scx.weight;
}

int sim_p_nice(const struct task_struct *p)
{
	return p->static_prio - 120;
}

unsigned long long sim_p_slice(const struct task_struct *p)
{
	return p->scx.slice;
}

void sim_p_set_slice(struct task_struct *p, u64 slice)
{
	p->scx.slice = slice;
}

unsigned long long sim_p_dsq_vtime(const struct task_struct *p)
{
	return p->scx.dsq_vtime;
}

void sim_p_set_dsq_vtime(struct task_struct *p, u64 vtime)
{
	p->scx.dsq_vtime = vtime;
}

unsigned long long sim_p_runtime(const struct task_struct *p)
{
	struct sim_task *t = sim_of(p);
	u64 running = rq_of(t->cpu)->curr == t ? S.now - t->exec_start : 0;

	return t->ran_ns + running;
}
