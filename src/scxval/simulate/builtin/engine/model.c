/* SPDX-License-Identifier: MIT */
/* Policies in Python: their operations, and what they may call (model.h). */
#include "engine.h"

#pragma GCC visibility push(default)
#include "model.h"
#pragma GCC visibility pop

static struct sched_ext_ops policy_ops;
static struct sim_policy policy;
static struct sim_timer period_timer;

static int index_of(const struct task_struct *p)
{
	return p && sim_of(p)->index < SIM_MAX_TASKS ? (int)sim_of(p)->index : -1;
}

/* A policy that names a task which is not there has lost count: that is its fault, not the machine's. */
static struct sim_task *task_of(int p)
{
	static struct sim_task nobody;

	if (p >= 0 && (u32)p < S.nr_tasks)
		return S.tasks[p];
	sim_end_with(SIM_BROKEN, "the policy named task %d, which does not exist", p);
	nobody.ts.cpus_ptr = &S.all;
	return &nobody;
}

static struct sim_rq *checked_rq(int cpu)
{
	if (cpu >= 0 && (u32)cpu < S.params.nr_cpus)
		return rq_of((u32)cpu);
	sim_end_with(SIM_BROKEN, "the policy named CPU %d, which does not exist", cpu);
	return rq_of(0);
}

/* -- operations */

static s32 op_select_cpu(struct task_struct *p, s32 prev_cpu, u64 wake_flags)
{
	return policy.select_cpu(index_of(p), prev_cpu, wake_flags);
}

static void op_enqueue(struct task_struct *p, u64 enq_flags)
{
	policy.enqueue(index_of(p), enq_flags);
}

static void op_dequeue(struct task_struct *p, u64 deq_flags)
{
	policy.dequeue(index_of(p), deq_flags);
}

static void op_dispatch(s32 cpu, struct task_struct *prev)
{
	policy.dispatch(cpu, index_of(prev));
}

static void op_tick(struct task_struct *p)
{
	policy.tick(index_of(p));
}

static void op_runnable(struct task_struct *p, u64 enq_flags)
{
	policy.runnable(index_of(p), enq_flags);
}

static void op_running(struct task_struct *p)
{
	policy.running(index_of(p));
}

static void op_stopping(struct task_struct *p, bool runnable)
{
	policy.stopping(index_of(p), runnable);
}

static void op_quiescent(struct task_struct *p, u64 deq_flags)
{
	policy.quiescent(index_of(p), deq_flags);
}

static bool op_yield(struct task_struct *from, struct task_struct *to)
{
	return policy.yield(index_of(from), index_of(to));
}

static void op_set_cpumask(struct task_struct *p, const struct cpumask *mask)
{
	(void)mask;
	policy.set_cpumask(index_of(p));
}

static void op_enable(struct task_struct *p)
{
	policy.enable(index_of(p));
}

static void op_disable(struct task_struct *p)
{
	policy.disable(index_of(p));
}

static void on_period(struct sim_timer *timer)
{
	policy.period();
	sim_timer_arm(timer, S.now + policy.period_ns, 0);
}

static s32 op_init(void)
{
	if (policy.period && policy.period_ns) {
		period_timer.fn = on_period;
		sim_timer_arm(&period_timer, S.now + policy.period_ns, 0);
	}
	return policy.init ? policy.init() : 0;
}

void sim_set_policy(const struct sim_policy *from)
{
	policy = *from;
	policy_ops = (struct sched_ext_ops){
		.select_cpu = from->select_cpu ? op_select_cpu : NULL,
		.enqueue = from->enqueue ? op_enqueue : NULL,
		.dequeue = from->dequeue ? op_dequeue : NULL,
		.dispatch = from->dispatch ? op_dispatch : NULL,
		.tick = from->tick ? op_tick : NULL,
		.runnable = from->runnable ? op_runnable : NULL,
		.running = from->running ? op_running : NULL,
		.stopping = from->stopping ? op_stopping : NULL,
		.quiescent = from->quiescent ? op_quiescent : NULL,
		.yield = from->yield ? op_yield : NULL,
		.set_cpumask = from->set_cpumask ? op_set_cpumask : NULL,
		.update_idle = from->update_idle,
		.enable = from->enable ? op_enable : NULL,
		.disable = from->disable ? op_disable : NULL,
		.init = op_init,
		.flags = from->flags,
		.timeout_ms = from->timeout_ms,
		.dispatch_max_batch = from->dispatch_max_batch,
	};
	sim_ops = &policy_ops;
}

void sim_policy_failed(const char *text)
{
	sim_end_with(SIM_BROKEN, "%s", text);
}

void sim_policy_error(const char *text)
{
	sim_error(text);
}

/* -- kfuncs: kfuncs.c and the tree's headers have these under other names */

bool scx_bpf_dsq_insert___v2___compat(struct task_struct *p, u64 dsq_id, u64 slice, u64 enq_flags);
bool __scx_bpf_dsq_insert_vtime(struct task_struct *p, struct scx_bpf_dsq_insert_vtime_args *args);
bool scx_bpf_dsq_move_to_local___v2___compat(u64 dsq_id, u64 enq_flags);
s32 scx_bpf_select_cpu_dfl(struct task_struct *p, s32 prev_cpu, u64 wake_flags, bool *is_idle);
s32 scx_bpf_create_dsq(u64 dsq_id, s32 node);
s32 scx_bpf_dsq_nr_queued(u64 dsq_id);
void scx_bpf_kick_cpu(s32 cpu, u64 flags);
bool scx_bpf_test_and_clear_cpu_idle(s32 cpu);
const struct cpumask *scx_bpf_get_idle_smtmask(void);
bool scx_bpf_task_running(const struct task_struct *p);

int sim_create_dsq(u64 dsq_id)
{
	return scx_bpf_create_dsq(dsq_id, -1);
}

int sim_dsq_nr_queued(u64 dsq_id)
{
	return scx_bpf_dsq_nr_queued(dsq_id);
}

void sim_kick_cpu(int cpu, u64 flags)
{
	scx_bpf_kick_cpu(cpu, flags);
}

bool sim_test_and_clear_cpu_idle(int cpu)
{
	return scx_bpf_test_and_clear_cpu_idle(cpu);
}

bool sim_dsq_insert(int p, u64 dsq_id, u64 slice, u64 enq_flags)
{
	return scx_bpf_dsq_insert___v2___compat(&task_of(p)->ts, dsq_id, slice, enq_flags);
}

bool sim_dsq_insert_vtime(int p, u64 dsq_id, u64 slice, u64 vtime, u64 enq_flags)
{
	struct scx_bpf_dsq_insert_vtime_args args = { dsq_id, slice, vtime, enq_flags };

	return __scx_bpf_dsq_insert_vtime(&task_of(p)->ts, &args);
}

bool sim_dsq_move_to_local(u64 dsq_id)
{
	return scx_bpf_dsq_move_to_local___v2___compat(dsq_id, 0);
}

int sim_select_cpu_dfl(int p, int prev_cpu, u64 wake_flags)
{
	bool is_idle = false;
	int cpu = scx_bpf_select_cpu_dfl(&task_of(p)->ts, prev_cpu, wake_flags, &is_idle);

	return is_idle || cpu < 0 ? cpu : ~cpu;
}

int sim_pick_idle_cpu(int p, int llc, u64 flags)
{
	struct cpumask mask = task_of(p)->mask;

	for (u32 cpu = 0; llc >= 0 && cpu < S.params.nr_cpus; cpu++)
		if ((int)rq_of(cpu)->llc != llc)
			mask_clear(&mask, cpu);
	return pick_idle_cpu(&mask, flags);
}

bool sim_cpu_is_idle(int cpu)
{
	return mask_test(&S.idle_cpus, (u32)cpu);
}

bool sim_core_is_idle(int cpu)
{
	return mask_test(scx_bpf_get_idle_smtmask(), (u32)cpu);
}

bool sim_task_running(int p)
{
	return scx_bpf_task_running(&task_of(p)->ts);
}

int sim_task_cpu(int p)
{
	return (int)task_of(p)->cpu;
}

int sim_cpu_curr(int cpu)
{
	return index_of(&checked_rq(cpu)->curr->ts);
}

int sim_cpu(void)
{
	return (int)S.this_cpu;
}

int sim_current_task(void)
{
	return index_of(&rq_of(S.this_cpu)->curr->ts);
}

unsigned long long sim_tick_ns(void)
{
	return S.params.tick_ns;
}

int sim_llc_of(int cpu)
{
	return (int)checked_rq(cpu)->llc;
}

int sim_core_of(int cpu)
{
	return (int)checked_rq(cpu)->core;
}

/* -- other classes than sched_ext */

void sim_resched_curr(int cpu)
{
	struct sim_rq *rq = checked_rq(cpu);

	if (!is_idle(rq))
		rq->curr->ts.scx.slice = 0;
	resched_curr(rq);
}

void sim_move_queued(int p, int cpu)
{
	struct sim_task *t = task_of(p);
	struct sim_rq *to = checked_rq(cpu);

	if (!t->on_rq || t->dsq || rq_of(t->cpu)->curr == t) {
		sim_end_with(SIM_BROKEN, "the policy moved %s[%d], which does not wait in its own queue",
			     t->ts.comm, t->ts.pid);
		return;
	}
	set_task_cpu(t, to->cpu);
}

/* -- tasks */

int sim_p_pid(int p)
{
	return task_of(p)->ts.pid;
}

bool sim_p_allowed(int p, int cpu)
{
	return mask_test(&task_of(p)->mask, (u32)cpu);
}

int sim_p_nr_cpus_allowed(int p)
{
	return task_of(p)->ts.nr_cpus_allowed;
}

bool sim_p_exiting(int p)
{
	return task_of(p)->exiting;
}

unsigned int sim_p_weight(int p)
{
	return task_of(p)->ts.scx.weight;
}

unsigned int sim_p_load_weight(int p)
{
	return nice_to_weight(task_of(p)->ts.static_prio - 120);
}

int sim_p_nice(int p)
{
	return task_of(p)->ts.static_prio - 120;
}

unsigned long long sim_p_slice(int p)
{
	return task_of(p)->ts.scx.slice;
}

void sim_p_set_slice(int p, u64 slice)
{
	task_of(p)->ts.scx.slice = slice;
}

unsigned long long sim_p_dsq_vtime(int p)
{
	return task_of(p)->ts.scx.dsq_vtime;
}

void sim_p_set_dsq_vtime(int p, u64 vtime)
{
	task_of(p)->ts.scx.dsq_vtime = vtime;
}

unsigned long long sim_p_runtime(int p)
{
	struct sim_task *t = task_of(p);
	u64 running = rq_of(t->cpu)->curr == t ? S.now - t->exec_start : 0;

	return t->ran_ns + running;
}
