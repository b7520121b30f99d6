/* SPDX-License-Identifier: MIT */
/*
 * What the kernel's core does around the class (core.c of 7.2): waking, switching, ticks, affinity.
 *
 * A wakeup takes wake_ns until the CPU picks, a switch switch_ns until the task's first instruction, an
 * IPI ipi_ns. The code of the class itself takes no time. A CPU takes no interrupt while it switches.
 */
#include "engine.h"

/* include/linux/sched.h: what sched_switch reports. */
#define STATE_RUNNING 0
#define STATE_INTERRUPTIBLE 0x1
#define STATE_EXIT_DEAD 0x10
/* kernel/sched/sched.h: WF_FORK, WF_TTWU. */
#define WAKE_FORK SCX_WAKE_FORK
#define WAKE_TTWU SCX_WAKE_TTWU

void resched(struct sim_rq *rq, u64 delay)
{
	u64 at = S.now + delay;

	if (at < rq->busy_until)
		at = rq->busy_until;
	if (rq->resched_at <= at)
		return;
	rq->resched_at = at;
	event_at(at, EV_RESCHED, rq->cpu, ++rq->resched_gen, NULL);
}

/* resched_curr(): at once on this CPU, when its interrupt is over; by an IPI on another. */
void resched_curr(struct sim_rq *rq)
{
	if (S.wake_delay != NEVER)
		resched(rq, S.wake_delay);
	else if (rq->cpu == S.this_cpu)
		resched(rq, 0);
	else
		resched(rq, S.params.ipi_ns);
}

/* -- waking */

static void woke(struct sim_task *p, u32 reason, u32 cpu)
{
	record_about(SIM_TASK_WOKE, p, cpu)->reason = (u8)reason;
}

/* try_to_wake_up(), or wake_up_new_task() for a task that has just been made. */
void wake_up(struct sim_task *p, bool is_new)
{
	u64 flags = ENQUEUE_NOCLOCK | (is_new ? ENQUEUE_INITIAL : SCX_ENQ_WAKEUP);
	struct sim_rq *rq;
	u32 cpu;

	if (p->state == TASK_IS_RUNNING || p->state == TASK_IS_DEAD)
		return;
	if (!is_new)
		woke(p, SIM_WAKING, p->cpu);
	p->state = TASK_IS_RUNNING;
	S.wake_delay = noisy(&S.noise_rng, S.params.wake_ns, S.params.wake_cv_ppm);
	if (p->ts.nr_cpus_allowed > 1) {
		cpu = select_task_rq(p, p->cpu, is_new ? WAKE_FORK : WAKE_TTWU);
		/* wake_up_new_task() does not say so. */
		if (!is_new)
			flags |= SCX_ENQ_CPU_SELECTED;
	} else {
		cpu = mask_first(&p->mask);
	}
	/* select_fallback_rq() */
	if (!mask_test(&p->mask, cpu))
		cpu = mask_test(&p->mask, p->cpu) ? p->cpu : mask_first(&p->mask);
	if (cpu != p->cpu && !is_new)
		flags |= ENQUEUE_MIGRATED;
	/* A new task has been nowhere: no migration (__set_task_cpu()). */
	if (is_new)
		p->cpu = cpu;
	set_task_cpu(p, cpu);
	rq = rq_of(cpu);
	enqueue_task(rq, p, flags);
	/* wakeup_preempt(): sched_ext never preempts by itself, but anything preempts the idle task. */
	if (is_idle(rq))
		resched_curr(rq);
	woke(p, is_new ? SIM_WAKEUP_NEW : SIM_WAKEUP, cpu);
	run_deferred(rq);
	S.wake_delay = NEVER;
}

/* -- running */

static void tick_arm(struct sim_rq *rq)
{
	u64 at = (S.now / S.params.tick_ns + 1) * S.params.tick_ns;

	if (rq->tick_at == at)
		return;
	rq->tick_at = at;
	event_at(at, EV_TICK, rq->cpu, ++rq->tick_gen, NULL);
}

void tick(struct sim_rq *rq)
{
	struct sim_task *p = rq->curr;
	struct sim_record *r;

	rq->tick_at = NEVER;
	if (is_idle(rq))
		return;
	r = record(SIM_TICK, p);
	r->slice_ns = p->ts.scx.slice;
	r->other_cpu = (s16)rq->cpu;
	r->has = SIM_HAS_SLICE | SIM_HAS_OTHER_CPU;
	update_curr(rq);
	if (S.bypassing)
		p->ts.scx.slice = 0;
	else if (S.ops.tick)
		S.ops.tick(&p->ts);
	if (!p->ts.scx.slice)
		resched(rq, 0);
	tick_arm(rq);
}

void work_stop(struct sim_rq *rq)
{
	struct sim_task *p = rq->curr;
	u64 done = S.now > p->work_from ? S.now - p->work_from : 0;

	p->work_left -= min_u64(p->work_left, done);
	rq->step_gen++;
}

void work_start(struct sim_rq *rq, bool switched)
{
	struct sim_task *p = rq->curr;
	u64 end;

	p->work_from = switched ? rq->busy_until : S.now;
	end = p->work_from + p->work_left;
	if (p->wall_until)
		end = p->wall_until > p->work_from ? p->wall_until : p->work_from;
	event_at(end, EV_STEP, rq->cpu, ++rq->step_gen, NULL);
}

static void switch_records(struct sim_task *prev, struct sim_task *next, struct sim_rq *rq)
{
	struct sim_record *r;

	if (prev != &rq->idle) {
		u32 kind = SIM_TASK_PREEMPTED, reason = SIM_PREEMPT;
		s64 state = STATE_RUNNING;

		if (prev->state == TASK_IS_DEAD) {
			kind = SIM_TASK_COMPLETED, reason = SIM_EXIT, state = STATE_EXIT_DEAD;
		} else if (prev->state == TASK_IS_SLEEPING) {
			kind = SIM_TASK_SLEPT, reason = SIM_SLEEP, state = STATE_INTERRUPTIBLE;
		} else if (prev->yielded) {
			kind = SIM_TASK_YIELDED, reason = SIM_YIELD;
		}
		r = record(kind, prev);
		r->reason = (u8)reason;
		r->prev_state = state;
		r->other_tid = next->ts.pid;
		r->has = SIM_HAS_STATE | SIM_HAS_OTHER_TID;
	}
	r = record(next == &rq->idle ? SIM_CPU_IDLE : SIM_TASK_SCHEDULED, next == &rq->idle ? NULL : next);
	r->other_tid = prev->ts.pid;
	r->has = SIM_HAS_OTHER_TID;
}

static void finish_move(struct sim_task *p)
{
	struct sim_rq *dst = rq_of((u32)p->moving_to);

	p->moving_to = -1;
	set_task_cpu(p, dst->cpu);
	p->runnable_at = S.now;
	enqueue_task(dst, p, ENQUEUE_NOCLOCK | ENQUEUE_MIGRATED);
	if (is_idle(dst))
		resched_curr(dst);
}

/* __schedule(), of this CPU and now. */
void schedule(struct sim_rq *rq)
{
	struct sim_task *prev = rq->curr, *next;
	bool was_idle = is_idle(rq);

	rq->resched_at = NEVER;
	rq->resched_gen++;
	if (!was_idle) {
		work_stop(rq);
		if (prev->state != TASK_IS_RUNNING)
			dequeue_task(rq, prev, SCX_DEQ_SLEEP | ENQUEUE_NOCLOCK |
				     (prev->exiting ? DEQUEUE_SPECIAL : 0));
		else if (prev->moving_to >= 0)
			dequeue_task(rq, prev, 0);
	}
	next = pick_task(rq);
	if (!next) {
		next = &rq->idle;
		/* pick_task_idle() */
		update_idle(rq, true, false);
	}
	if (next == prev) {
		prev->yielded = false;
		if (!was_idle)
			work_start(rq, false);
		return;
	}
	/* put_prev_set_next_task() */
	if (was_idle)
		update_idle(rq, false, true);
	else
		put_prev_task(rq, prev, next);
	if (next == &rq->idle)
		update_idle(rq, true, true);
	else
		set_next_task(rq, next);
	switch_records(prev, next, rq);
	prev->yielded = false;
	rq->curr = next;
	rq->busy_until = S.now + noisy(&S.noise_rng, S.params.switch_ns, S.params.switch_cv_ppm);
	if (next != &rq->idle) {
		tick_arm(rq);
		work_start(rq, true);
	}
	if (!was_idle && prev->state == TASK_IS_DEAD)
		task_exit_done(prev);
	else if (!was_idle && prev->moving_to >= 0)
		finish_move(prev);
}

/*
 * What waits until interrupts are on again: deferred inserts, kicks, and the end of a scheduler. An error is
 * only noted where it happens, and a work item disables (scx_vexit() and scx_disable_irq_workfn(), ext.c).
 */
void settle(void)
{
	struct sim_rq *here = rq_of(S.this_cpu);

	for (u32 cpu = 0; cpu < S.params.nr_cpus; cpu++)
		if (rq_of(cpu)->deferred)
			run_deferred(rq_of(cpu));
	if (S.ended == SIM_EJECTED && !S.bypassing)
		bypass();
	run_kicks(here);
}

/* -- the ends of a task's life, and its mask */

/* scx_fork() and scx_post_fork(); false when ops.init_task() failed, which fails the fork. */
bool sim_init_task(struct sim_task *p)
{
	struct scx_init_task_args args = { .fork = true, .cgroup = p->ts.sim_cgroup };
	s32 error = HAS_OP(init_task) ? S.ops.init_task(&p->ts, &args) : 0;

	if (error) {
		sim_end_with(SIM_EJECTED, "ops.init_task() of %s[%d] failed (%d)", p->ts.comm, p->ts.pid, error);
		return false;
	}
	p->attached = true;
	if (HAS_OP(enable))
		S.ops.enable(&p->ts);
	if (HAS_OP(set_weight))
		S.ops.set_weight(&p->ts, p->ts.scx.weight);
	return true;
}

/* sched_ext_dead() */
void task_exit_done(struct sim_task *p)
{
	struct scx_exit_task_args args = { 0 };

	if (p->attached && HAS_OP(disable))
		S.ops.disable(&p->ts);
	if (p->attached && HAS_OP(exit_task))
		S.ops.exit_task(&p->ts, &args);
	p->attached = false;
	S.nr_live--;
}

static void tell_mask(struct sim_task *p)
{
	static struct {
		struct scx_cmask head;
		u64 bits[SIM_MAX_CPUS / 64 + 1];
	} cmask;
	u64 *bits = cmask.head.bits;

	if (HAS_OP(set_cpumask))
		S.ops.set_cpumask(&p->ts, &p->mask);
	if (S.set_cmask && !S.bypassing) {
		cmask.head.base = 0;
		cmask.head.nr_cids = S.params.nr_cpus;
		cmask.head.alloc_words = SIM_MAX_CPUS / 64 + 1;
		for (u32 i = 0; i < SIM_MAX_CPUS / 64; i++)
			bits[i] = p->mask.bits[i];
		S.set_cmask(&p->ts, &cmask.head);
	}
}

/*
 * sched_setaffinity() of the running task on itself. The kernel takes it off its queue and puts it back
 * around the change; that pair of stopping and running is left out.
 */
void change_affinity(struct sim_rq *rq, struct sim_task *p, const struct cpumask *mask)
{
	p->mask = *mask;
	p->ts.cpus_mask = *mask;
	p->ts.nr_cpus_allowed = (int)mask_weight(mask);
	tell_mask(p);
	if (!mask_test(mask, rq->cpu))
		p->moving_to = (s32)mask_first(mask);
}
