/* SPDX-License-Identifier: MIT */
/* What tasks do: the instructions of api.h, as rt-app 1.0 does them (src/rt-app.c). */
#include "engine.h"

/* A system call that does not block, and what follows a wakeup until the next instruction. */
#define SYSCALL_NS 500
/* So many instructions without time going on are a loop that never ends. */
#define MAX_STILL 100000

/* What a waiting task was doing, in `phase`. */
enum { PHASE_NEW, PHASE_SIGNALLED };

static void wait_on(struct sim_object *o, struct sim_task *p)
{
	p->next_waiter = NULL;
	*o->waiters_tail = p;
	o->waiters_tail = &p->next_waiter;
}

static struct sim_task *first_waiter(struct sim_object *o)
{
	struct sim_task *p = o->waiters;

	if (p) {
		o->waiters = p->next_waiter;
		if (!o->waiters)
			o->waiters_tail = &o->waiters;
	}
	return p;
}

static void wake_one(struct sim_object *o)
{
	struct sim_task *p = first_waiter(o);

	if (p)
		wake_up(p, false);
}

/* Those that wait now; one that waits again at once is not woken twice. */
static void wake_all(struct sim_object *o)
{
	struct sim_task *p = o->waiters, *next;

	o->waiters = NULL;
	o->waiters_tail = &o->waiters;
	for (; p; p = next) {
		next = p->next_waiter;
		wake_up(p, false);
	}
}

static void unlock(struct sim_object *o)
{
	o->owner = NULL;
	wake_one(o);
}

static void sleep_until(struct sim_task *p, u64 time)
{
	u64 late = noisy(&p->rng, S.params.sleep_late_ns, S.params.sleep_late_cv_ppm);

	event_at(time + late, EV_WAKE, p->index, ++p->wake_gen, NULL);
}

enum outcome { GOES_ON, WORKS, BLOCKS, YIELDS, ENDS, MOVES };

/* rt-app's `timer`: the next time is the last one and a period, from the thread's start on. */
static enum outcome timer_wait(struct sim_task *p, const struct sim_insn *i)
{
	struct sim_object *o = &S.objects[i->object];

	if (!o->armed) {
		o->armed = true;
		o->next_ns = p->start_ns;
	}
	o->next_ns += (u64)i->value;
	if (o->next_ns > S.now) {
		sleep_until(p, o->next_ns);
		return BLOCKS;
	}
	/* Late: a relative timer counts from now, an absolute one keeps its times. */
	if (!i->arg)
		o->next_ns = S.now;
	return GOES_ON;
}

static enum outcome lock(struct sim_task *p, struct sim_object *o)
{
	if (o->owner) {
		wait_on(o, p);
		return BLOCKS;
	}
	o->owner = p;
	p->pc++;
	return GOES_ON;
}

/* pthread_cond_wait(): gives the lock up, waits, and comes back with the lock. */
static enum outcome cond_wait(struct sim_task *p, const struct sim_insn *i)
{
	struct sim_object *o = &S.objects[i->object], *mutex = &S.objects[i->arg];

	if (p->phase == PHASE_NEW) {
		p->phase = PHASE_SIGNALLED;
		wait_on(o, p);
		/* Off first: the one that gets the lock may signal at once. */
		p->state = TASK_IS_SLEEPING;
		unlock(mutex);
		return BLOCKS;
	}
	if (mutex->owner) {
		wait_on(mutex, p);
		return BLOCKS;
	}
	mutex->owner = p;
	p->phase = PHASE_NEW;
	p->pc++;
	return GOES_ON;
}

static enum outcome barrier(struct sim_task *p, const struct sim_insn *i)
{
	struct sim_object *o = &S.objects[i->object];

	p->pc++;
	if (++o->count < i->arg) {
		wait_on(o, p);
		return BLOCKS;
	}
	o->count = 0;
	wake_all(o);
	return GOES_ON;
}

static void loop_begin(struct sim_task *p, const struct sim_insn *i)
{
	p->passes[p->pc] = i->value;
	p->pc = i->value ? p->pc + 1 : i->arg;
}

static void loop_again(struct sim_task *p, const struct sim_insn *i)
{
	s64 *left = &p->passes[i->arg];

	if (*left > 0)
		(*left)--;
	p->pc = *left ? i->arg + 1 : p->pc + 1;
}

static enum outcome run(struct sim_task *p, const struct sim_insn *i)
{
	u64 mean = (u64)i->value / 1000 * S.params.run_scale_ppm / 1000 +
		   (u64)i->value % 1000 * S.params.run_scale_ppm / 1000000;

	p->work_left = noisy(&p->rng, mean, S.params.run_cv_ppm);
	p->pc++;
	return p->work_left ? WORKS : GOES_ON;
}

static enum outcome instruct(struct sim_rq *rq, struct sim_task *p, bool *costs)
{
	const struct sim_insn *i = &p->program[p->pc];
	struct sim_object *o = &S.objects[i->object];

	*costs = true;
	switch (i->op) {
	case SIM_OP_RUN:
		*costs = false;
		return run(p, i);
	case SIM_OP_RUN_WALL:
		*costs = false;
		p->pc++;
		if (!i->value)
			return GOES_ON;
		p->wall_until = S.now + (u64)i->value;
		return WORKS;
	case SIM_OP_SLEEP:
		p->pc++;
		sleep_until(p, S.now + (u64)i->value);
		return BLOCKS;
	case SIM_OP_TIMER:
		p->pc++;
		return timer_wait(p, i);
	case SIM_OP_SUSPEND:
		p->pc++;
		wait_on(o, p);
		return BLOCKS;
	case SIM_OP_RESUME:
		p->pc++;
		wake_all(o);
		return GOES_ON;
	case SIM_OP_YIELD:
		p->pc++;
		p->yielded = true;
		yield_task(rq);
		return YIELDS;
	case SIM_OP_LOCK:
		return lock(p, o);
	case SIM_OP_UNLOCK:
		p->pc++;
		if (o->owner == p)
			unlock(o);
		return GOES_ON;
	case SIM_OP_WAIT:
		return cond_wait(p, i);
	case SIM_OP_SIGNAL:
		p->pc++;
		wake_one(o);
		return GOES_ON;
	case SIM_OP_BROAD:
		p->pc++;
		wake_all(o);
		return GOES_ON;
	case SIM_OP_BARRIER:
		return barrier(p, i);
	case SIM_OP_AFFINITY:
		p->pc++;
		change_affinity(rq, p, S.masks[i->arg]);
		return p->moving_to >= 0 ? MOVES : GOES_ON;
	case SIM_OP_LOOP:
		*costs = false;
		loop_begin(p, i);
		return GOES_ON;
	case SIM_OP_AGAIN:
		*costs = false;
		loop_again(p, i);
		return GOES_ON;
	default:
		return ENDS;
	}
}

void program_start(struct sim_task *p)
{
	p->pc = 0;
	p->work_left = SYSCALL_NS;
	p->start_ns = S.now;
}

void program_step(struct sim_rq *rq)
{
	struct sim_task *p = rq->curr;
	enum outcome outcome;
	bool costs;

	p->work_left = 0;
	p->wall_until = 0;
	if (p->still_at != S.now)
		p->still = 0;
	p->still_at = S.now;
	for (;;) {
		if (++p->still > MAX_STILL) {
			sim_end_with(SIM_BROKEN, "%s[%d]: its program loops without taking time", p->ts.comm,
				     p->ts.pid);
			return;
		}
		outcome = instruct(rq, p, &costs);
		if (outcome == GOES_ON && !costs)
			continue;
		break;
	}
	if (outcome == WORKS || outcome == GOES_ON) {
		if (outcome == GOES_ON)
			p->work_left = SYSCALL_NS;
		work_start(rq, false);
		return;
	}
	p->work_left = SYSCALL_NS;
	if (outcome == BLOCKS)
		p->state = TASK_IS_SLEEPING;
	if (outcome == ENDS) {
		p->exiting = true;
		p->ts.flags |= PF_EXITING;
		p->state = TASK_IS_DEAD;
	}
	schedule(rq);
}
