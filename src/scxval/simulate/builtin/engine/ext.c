/* SPDX-License-Identifier: MIT */
/*
 * The scheduling class: ext.c of 7.2, function by function, without its locks and races.
 *
 * Left out, and refused where a scheduler asks for it: SCX_ENQ_IMMED, SCX_KICK_WAIT, sub-schedulers, core
 * scheduling, CPU hotplug, tasks of other classes.
 */
#include "engine.h"

#define BYPASS_SLICE (5 * MSEC)	/* SCX_SLICE_BYPASS */

void update_curr(struct sim_rq *rq)
{
	struct sim_task *p = rq->curr;
	u64 delta = S.now - p->exec_start;

	if (is_idle(rq) || !delta)
		return;
	p->exec_start = S.now;
	p->ran_ns += delta;
	p->ts.se.sum_exec_runtime += delta;
	if (p->ts.scx.slice != SCX_SLICE_INF)
		p->ts.scx.slice -= min_u64(p->ts.scx.slice, delta);
}

static void refill_slice(struct sim_task *p)
{
	p->ts.scx.slice = S.bypassing ? BYPASS_SLICE : S.slice_dfl;
	S.events[SIM_EV_REFILL_SLICE_DFL]++;
}

void set_task_cpu(struct sim_task *p, u32 cpu)
{
	if (p->cpu == cpu)
		return;
	record_about(SIM_TASK_MIGRATED, p, cpu);
	p->cpu = cpu;
}

/* -- enqueue and dequeue */

static void do_enqueue_task(struct sim_rq *rq, struct sim_task *p, u64 enq_flags, bool to_local)
{
	struct dsq *dsq = &S.global_dsq;

	if (to_local) {
		dispatch_enqueue(&rq->local, p, enq_flags);
		return;
	}
	if (S.bypassing) {
		S.events[SIM_EV_BYPASS_DISPATCH]++;
		dsq = &rq->bypass;
		goto enqueue;
	}
	if (p->ddsp_dsq_id != SCX_DSQ_INVALID)
		goto direct;
	if (!(S.ops.flags & SCX_OPS_ENQ_EXITING) && p->exiting) {
		S.events[SIM_EV_ENQ_SKIP_EXITING]++;
		dsq = &rq->local;
		goto enqueue;
	}
	if (!S.ops.enqueue)
		goto enqueue;
	p->qseq = p->qseq + 1 ?: 1;
	S.ddsp_task = p;
	S.ddsp_spoilt = false;
	S.ops.enqueue(&p->ts, enq_flags);
	S.ddsp_task = NULL;
	if (p->ddsp_dsq_id != SCX_DSQ_INVALID)
		goto direct;
	p->in_custody = true;
	p->ops_state = OPSS_QUEUED;
	return;
direct:
	direct_dispatch(p, enq_flags);
	return;
enqueue:
	refill_slice(p);
	clear_direct_dispatch(p);
	dispatch_enqueue(dsq, p, enq_flags & ~(u64)SCX_ENQ_DSQ_PRIQ);
}

static void set_waiting(struct sim_task *p)
{
	p->waiting = true;
}

void enqueue_task(struct sim_rq *rq, struct sim_task *p, u64 enq_flags)
{
	bool migrating = p->migrating;
	struct sim_record *r = record_about(SIM_ENQUEUE_TASK, p, rq->cpu);

	/* The upper half of the flags goes beside the call there (rq->scx.extra_enq_flags). */
	r->flags = (u32)enq_flags;
	r->has |= SIM_HAS_FLAGS;
	p->migrating = false;
	p->on_rq = true;
	if (!p->waiting) {
		/* runnable_at counts from the wakeup, not from a move. */
		if (!migrating)
			p->runnable_at = S.now;
		set_waiting(p);
	}
	if (HAS_OP(runnable) && !migrating)
		S.ops.runnable(&p->ts, enq_flags);
	do_enqueue_task(rq, p, enq_flags, migrating);
	if ((enq_flags & SCX_ENQ_CPU_SELECTED) && (s32)rq->cpu != p->selected_cpu)
		S.events[SIM_EV_SELECT_CPU_FALLBACK]++;
}

static void ops_dequeue(struct sim_task *p, u64 deq_flags)
{
	p->waiting = false;
	p->ops_state = OPSS_NONE;
	if (leave_custody(p) && HAS_OP(dequeue))
		S.ops.dequeue(&p->ts, deq_flags);
}

static void dispatch_dequeue(struct sim_task *p)
{
	if (p->dsq)
		dsq_unlink(p);
	p->deferred = false;
}

void dequeue_task(struct sim_rq *rq, struct sim_task *p, u64 deq_flags)
{
	bool migrating = p->migrating;
	struct sim_record *r = record_about(SIM_DEQUEUE_TASK, p, rq->cpu);

	r->flags = (u32)deq_flags;
	r->has |= SIM_HAS_FLAGS;
	if (!(deq_flags & SCX_DEQ_SLEEP))
		deq_flags |= SCX_DEQ_SCHED_CHANGE;
	if ((p->dsq || p->deferred) && !migrating)
		S.drops[SIM_DROP_DEQUEUED]++;
	ops_dequeue(p, deq_flags);
	if (rq->curr == p) {
		update_curr(rq);
		if (HAS_OP(stopping))
			S.ops.stopping(&p->ts, false);
	}
	if (HAS_OP(quiescent) && !migrating)
		S.ops.quiescent(&p->ts, deq_flags);
	p->on_rq = false;
	dispatch_dequeue(p);
	clear_direct_dispatch(p);
}

/* reenq_user() and reenq_local(), without IMMED: all that stand there now (no flags mean any task). */
void reenqueue(struct dsq *dsq)
{
	u32 seq = dsq->seq;
	struct sim_task *p, *next;

	for (p = dsq_first(dsq); p; p = next) {
		next = dsq_after(dsq, &p->node, false);
		if ((s32)(seq - p->node.seq) < 0)
			continue;
		dsq_unlink(p);
		do_enqueue_task(rq_of(p->cpu), p, SCX_ENQ_REENQ, false);
	}
}

void yield_task(struct sim_rq *rq)
{
	if (HAS_OP(yield))
		S.ops.yield(&rq->curr->ts, NULL);
	else
		rq->curr->ts.scx.slice = 0;
}

/* -- choosing a CPU */

u32 select_task_rq(struct sim_task *p, u32 prev_cpu, u64 wake_flags)
{
	struct sim_record *r = record_about(SIM_SELECT_TASK_RQ, p, prev_cpu);
	s32 cpu;

	r->flags = wake_flags;
	r->has |= SIM_HAS_FLAGS;
	if (HAS_OP(select_cpu)) {
		S.ddsp_task = p;
		S.ddsp_spoilt = false;
		cpu = S.ops.select_cpu(&p->ts, (s32)prev_cpu, wake_flags);
		S.ddsp_task = NULL;
		if (cpu < 0 || (u32)cpu >= S.params.nr_cpus) {
			sim_end_with(SIM_EJECTED, "invalid CPU %d from ops.select_cpu()", cpu);
			cpu = (s32)prev_cpu;
		}
	} else {
		cpu = select_cpu_dfl(p, (s32)prev_cpu, wake_flags, NULL, 0);
		if (cpu >= 0) {
			refill_slice(p);
			p->ddsp_dsq_id = SCX_DSQ_LOCAL;
		} else {
			cpu = (s32)prev_cpu;
		}
		if (S.bypassing)
			S.events[SIM_EV_BYPASS_DISPATCH]++;
	}
	p->selected_cpu = cpu;
	r->other_cpu = (s16)cpu;
	return (u32)cpu;
}

/* -- picking */

enum verdict { DSP_NONE, DSP_LOCAL, DSP_PREV };

static enum verdict dispatch_sched(struct sim_rq *rq, struct sim_task *prev)
{
	struct task_struct *arg = prev == &rq->idle ? NULL : &prev->ts;

	if (consume_dispatch_q(rq, &S.global_dsq, 0))
		return DSP_LOCAL;
	if (S.bypassing)
		return consume_dispatch_q(rq, &rq->bypass, 0) ? DSP_LOCAL : DSP_NONE;
	if (!S.ops.dispatch)
		return DSP_NONE;
	for (u32 loops = SCX_DSP_MAX_LOOPS;;) {
		rq->nr_dispatched = 0;
		S.ops.dispatch((s32)rq->cpu, arg);
		flush_dispatch_buf(rq);
		if (prev->on_rq && prev->ts.scx.slice)
			return DSP_PREV;
		if (rq->local.nr)
			return DSP_LOCAL;
		if (consume_dispatch_q(rq, &S.global_dsq, 0))
			return DSP_LOCAL;
		if (!--loops) {
			kick(rq->cpu, 0);
			break;
		}
		if (!rq->nr_dispatched)
			break;
	}
	return DSP_NONE;
}

static enum verdict balance_one(struct sim_rq *rq, struct sim_task *prev)
{
	struct sim_record *r = record(SIM_BALANCE, prev == &rq->idle ? NULL : prev);
	enum verdict verdict;

	r->other_cpu = (s16)rq->cpu;
	r->has = SIM_HAS_OTHER_CPU;
	update_curr(rq);
	if (prev->on_rq && prev->ts.scx.slice && !S.bypassing)
		return DSP_PREV;
	if (rq->local.nr)
		return DSP_LOCAL;
	verdict = dispatch_sched(rq, prev);
	if (verdict != DSP_NONE)
		return verdict;
	if (prev->on_rq && (!(S.ops.flags & SCX_OPS_ENQ_LAST) || S.bypassing)) {
		S.events[SIM_EV_DISPATCH_KEEP_LAST]++;
		return DSP_PREV;
	}
	return DSP_NONE;
}

/* do_pick_task_scx(); NULL when the class has nothing to run. */
struct sim_task *pick_task(struct sim_rq *rq)
{
	struct sim_record *r = record_about(SIM_PICK_TASK, NULL, rq->cpu);
	struct sim_task *p;
	enum verdict verdict;

	r->has |= SIM_HAS_SUCCESS;
	/* Until it is known: no task, which is not the idle task. */
	r->tid = -1;
	rq->in_balance = true;
	verdict = balance_one(rq, rq->curr);
	rq->in_balance = false;
	p = verdict == DSP_PREV ? rq->curr : dsq_first(&rq->local);
	if (!p)
		return NULL;
	r->tid = p->ts.pid;
	r->success = 1;
	if (!p->ts.scx.slice)
		refill_slice(p);
	return p;
}

void put_prev_task(struct sim_rq *rq, struct sim_task *p, struct sim_task *next)
{
	struct sim_record *r = record(SIM_PUT_PREV_TASK, p);

	r->slice_ns = p->ts.scx.slice;
	r->other_cpu = (s16)rq->cpu;
	r->other_tid = next->ts.pid;
	r->has = SIM_HAS_SLICE | SIM_HAS_OTHER_CPU | SIM_HAS_OTHER_TID;
	update_curr(rq);
	if (!p->on_rq)
		return;
	if (HAS_OP(stopping))
		S.ops.stopping(&p->ts, true);
	if (!p->waiting)
		p->runnable_at = S.now;
	set_waiting(p);
	if (p->ts.scx.slice && !S.bypassing)
		dispatch_enqueue(&rq->local, p, SCX_ENQ_HEAD);
	else
		do_enqueue_task(rq, p, next == &rq->idle ? SCX_ENQ_LAST : 0, false);
}

void set_next_task(struct sim_rq *rq, struct sim_task *p)
{
	struct sim_record *r = record_about(SIM_SET_NEXT_TASK, p, rq->cpu);

	r->slice_ns = p->ts.scx.slice;
	r->has |= SIM_HAS_SLICE;
	ops_dequeue(p, SCX_DEQ_CORE_SCHED_EXEC);
	dispatch_dequeue(p);
	p->exec_start = S.now;
	if (HAS_OP(running))
		S.ops.running(&p->ts);
}

/* -- kicks: asked for at any time, sent when the handler of this instant is done (irq_work there) */

void kick(u32 cpu, u64 flags)
{
	struct sim_rq *here = rq_of(S.this_cpu), *there = rq_of(cpu);

	if (S.bypassing)
		return;
	if (flags & SCX_KICK_WAIT) {
		sim_end_with(SIM_BROKEN, "SCX_KICK_WAIT is not modelled");
		return;
	}
	if (flags & SCX_KICK_IDLE) {
		if (flags & SCX_KICK_PREEMPT)
			sim_end_with(SIM_EJECTED, "PREEMPT/WAIT cannot be used with SCX_KICK_IDLE");
		if (!is_idle(there) && !there->in_balance)
			return;
		mask_set(&here->kick_idle, cpu);
	} else {
		mask_set(&here->kick, cpu);
		if (flags & SCX_KICK_PREEMPT)
			mask_set(&here->kick_preempt, cpu);
	}
	here->kicks = true;
}

void run_kicks(struct sim_rq *here)
{
	if (!here->kicks)
		return;
	here->kicks = false;
	for (u32 cpu = 0; cpu < S.params.nr_cpus; cpu++) {
		struct sim_rq *rq = rq_of(cpu);

		if (mask_test(&here->kick, cpu)) {
			if (mask_test(&here->kick_preempt, cpu) && !is_idle(rq))
				rq->curr->ts.scx.slice = 0;
			resched_curr(rq);
		} else if (mask_test(&here->kick_idle, cpu) && is_idle(rq)) {
			resched_curr(rq);
		}
	}
	here->kick = here->kick_idle = here->kick_preempt = (struct cpumask){ 0 };
}

/*
 * scx_bypass(): every runnable task goes to its CPU's bypass queue; the scheduler is asked no more. Only from
 * settle(), so that no task is on its way.
 */
void bypass(void)
{
	S.bypassing = true;
	S.bypass_since = S.now;
	S.events[SIM_EV_BYPASS_ACTIVATE]++;
	for (u32 i = 0; i < S.nr_tasks; i++) {
		struct sim_task *p = S.tasks[i];

		if (!p->on_rq || rq_of(p->cpu)->curr == p || (p->dsq && is_local(p->dsq)))
			continue;
		if (p->dsq)
			S.drops[SIM_DROP_BYPASS]++;
		ops_dequeue(p, 0);
		dispatch_dequeue(p);
		p->waiting = true;
		do_enqueue_task(rq_of(p->cpu), p, 0, false);
	}
	for (u32 cpu = 0; cpu < S.params.nr_cpus; cpu++)
		resched_curr(rq_of(cpu));
}
