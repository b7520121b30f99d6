/* SPDX-License-Identifier: MIT */
/* The machine as a whole: how it is set up, started, and carried from event to event. */
#include "engine.h"

/* kernel/sched/core.c: sched_prio_to_weight[], from nice -20 to 19. */
static const u32 prio_to_weight[40] = {
	88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904,
	3906,  3121,  2501,  1991,  1586,  1277,  1024,	 820,	655,   526,   423,  335,  272,	215,
	172,   137,   110,   87,    70,	   56,	  45,	 36,	29,    23,    18,   15,
};

u32 nice_to_weight(s32 nice)
{
	return prio_to_weight[nice + 20];
}

static void name_task(struct sim_task *p, const char *name)
{
	for (u32 i = 0; i < sizeof(p->ts.comm) - 1 && name[i]; i++)
		p->ts.comm[i] = name[i];
}

static void init_rq(u32 cpu)
{
	struct sim_rq *rq = rq_of(cpu);

	rq->cpu = rq->core = cpu;
	rq->curr = &rq->idle;
	rq->idle.ts.flags = PF_IDLE | PF_KTHREAD;
	rq->idle.ts.cpus_ptr = &S.all;
	rq->idle.ts.nr_cpus_allowed = 1;
	rq->idle.ts.sim_cgroup = S.cgroups[0];
	rq->idle.cpu = cpu;
	rq->idle.index = SIM_MAX_TASKS + cpu;
	rq->idle.moving_to = -1;
	name_task(&rq->idle, "swapper");
	dsq_init(&rq->local, SCX_DSQ_LOCAL);
	dsq_init(&rq->bypass, SCX_DSQ_BYPASS);
	rq->resched_at = rq->tick_at = NEVER;
	rq->deferred_tail = &rq->deferred;
	mask_set(&S.all, cpu);
}

static int fail(const char *text)
{
	sim_end_with(SIM_BROKEN, "%s", text);
	return -1;
}

int sim_configure(const struct sim_params *params, void *memory, uint64_t bytes)
{
	u64 seed = params->seed;

	S = (struct sim){ .params = *params, .wake_delay = NEVER, .slice_dfl = SCX_SLICE_DFL };
	pool_give(memory, bytes);
	if (!params->nr_cpus || params->nr_cpus > SIM_MAX_CPUS)
		return fail("nr_cpus is 0 or more than SIM_MAX_CPUS");
	if (!params->tick_ns || !params->end_ns)
		return fail("tick_ns or end_ns is 0");
	S.rqs = sim_alloc(sizeof(*S.rqs) * params->nr_cpus);
	if (!log_setup() || !events_setup() || !S.rqs)
		return fail("the pool is too small");
	for (u32 i = 0; i < SIM_MAX_OBJECTS; i++)
		S.objects[i].waiters_tail = &S.objects[i].waiters;
	dsq_init(&S.global_dsq, SCX_DSQ_GLOBAL);
	S.noise_rng = rng_next(&seed);
	S.bpf_rng = rng_next(&seed);
	if (sim_add_cgroup(0, 100) < 0)
		return -1;
	for (u32 cpu = 0; cpu < params->nr_cpus; cpu++)
		init_rq(cpu);
	S.masks[S.nr_masks++] = &S.all;
	return 0;
}

int sim_set_topology(uint32_t cpu, uint32_t llc, uint32_t core)
{
	if (cpu >= S.params.nr_cpus)
		return fail("topology of a CPU that does not exist");
	rq_of(cpu)->llc = llc;
	rq_of(cpu)->core = core;
	return 0;
}

int sim_add_mask(const uint64_t *words, uint32_t nr_words)
{
	struct cpumask *mask = sim_alloc(sizeof(*mask));

	if (!mask || S.nr_masks == ARRAY_LEN(S.masks))
		return fail("too many sets of CPUs");
	for (u32 i = 0; i < nr_words && i < ARRAY_LEN(mask->bits); i++)
		mask->bits[i] = words[i] & S.all.bits[i];
	if (!mask_weight(mask))
		return fail("a set of CPUs without a CPU of this machine");
	S.masks[S.nr_masks] = mask;
	return (int)S.nr_masks++;
}

int sim_add_cgroup(uint32_t parent, uint32_t weight)
{
	u32 index = S.nr_cgroups;
	struct cgroup *cgrp = sim_alloc(sizeof(*cgrp));
	struct kernfs_node *kn = sim_alloc(sizeof(*kn));

	if (!cgrp || !kn || index == SIM_MAX_CGROUPS || (index && parent >= index))
		return fail("too many cgroups, or one whose parent does not exist");
	cgrp->kn = kn;
	/* As in a kernel: the root's id is 1. */
	kn->id = index + 1;
	if (index) {
		cgrp->sim_parent = S.cgroups[parent];
		cgrp->level = S.cgroups[parent]->level + 1;
	}
	S.cgroups[index] = cgrp;
	S.cgroup_weight[index] = weight;
	return (int)S.nr_cgroups++;
}

static bool program_is_sound(const struct sim_insn *program, u32 nr)
{
	if (!nr || program[nr - 1].op != SIM_OP_EXIT)
		return false;
	for (u32 i = 0; i < nr; i++) {
		const struct sim_insn *n = &program[i];

		if (n->op > SIM_OP_EXIT || n->object >= SIM_MAX_OBJECTS)
			return false;
		if (n->value < 0 && n->op != SIM_OP_LOOP && n->op != SIM_OP_TIMER)
			return false;
		if ((n->op == SIM_OP_LOOP || n->op == SIM_OP_AGAIN) && n->arg >= nr)
			return false;
		if (n->op == SIM_OP_AGAIN && program[n->arg].op != SIM_OP_LOOP)
			return false;
		if (n->op == SIM_OP_WAIT && n->arg >= SIM_MAX_OBJECTS)
			return false;
		if (n->op == SIM_OP_AFFINITY && n->arg >= S.nr_masks)
			return false;
	}
	return true;
}

int sim_add_task(const char *name, int32_t tid, int32_t pid, int32_t nice, uint32_t mask, uint32_t cgroup,
		 uint64_t start_ns, const struct sim_insn *program, uint32_t nr_insns)
{
	struct sim_task *p = sim_alloc(sizeof(*p));
	u64 seed;

	if (!p || S.nr_tasks == SIM_MAX_TASKS)
		return fail("too many tasks");
	if (tid <= 0 || nice < -20 || nice > 19 || mask >= S.nr_masks || cgroup >= S.nr_cgroups)
		return fail("a task with a tid, nice value, mask or cgroup that cannot be");
	if (!program_is_sound(program, nr_insns))
		return fail("a program that does not end with EXIT, or jumps or names out of range");
	p->program = sim_alloc(sizeof(*program) * nr_insns);
	p->passes = sim_alloc(sizeof(*p->passes) * nr_insns);
	if (!p->program || !p->passes)
		return fail("the pool is too small");
	for (u32 i = 0; i < nr_insns; i++)
		p->program[i] = program[i];
	p->nr_insns = nr_insns;
	name_task(p, name);
	p->ts.pid = tid;
	p->ts.tgid = pid;
	p->ts.static_prio = p->ts.prio = p->ts.normal_prio = 120 + nice;
	p->mask = *S.masks[mask];
	p->ts.cpus_mask = p->mask;
	p->ts.cpus_ptr = &p->ts.cpus_mask;
	p->ts.nr_cpus_allowed = (int)mask_weight(&p->mask);
	p->ts.sim_cgroup = S.cgroups[cgroup];
	/* sched_weight_to_cgroup(): nice 0 is 100, rounded to the nearest, 1 to 10000. */
	p->ts.scx.weight = (nice_to_weight(nice) * 100 + 512) / 1024;
	if (!p->ts.scx.weight)
		p->ts.scx.weight = 1;
	if (p->ts.scx.weight > 10000)
		p->ts.scx.weight = 10000;
	p->ts.scx.slice = S.slice_dfl;
	p->index = S.nr_tasks;
	p->ts.scx.tid = p->index + 1;
	p->moving_to = -1;
	p->cpu = mask_first(&p->mask);
	clear_direct_dispatch(p);
	/* A stream of its own: what one task does changes no other's noise. */
	seed = S.params.seed ^ (0x9e3779b97f4a7c15ULL * (p->index + 1));
	p->rng = rng_next(&seed);
	S.tasks[S.nr_tasks++] = p;
	S.nr_live++;
	event_at(start_ns, EV_START, p->index, 0, NULL);
	return (int)p->index;
}

static u64 watchdog_ns(void)
{
	u32 ms = S.params.watchdog_ms ?: S.ops.timeout_ms ?: 30000;

	return ms * MSEC;
}

static int refuse(const char *op, s32 error)
{
	sim_end_with(SIM_REFUSED, "%s failed (%d)", op, error);
	return -1;
}

/* scx_root_enable_workfn(), in its order. */
int sim_start(void)
{
	s32 error;

	if (S.ended != SIM_RUNNING)
		return -1;
	ops_read();
	if (S.ops.dispatch_max_batch > ARRAY_LEN(S.rqs->buf))
		return fail("dispatch_max_batch is more than the engine has");
	S.builtin_idle = !S.ops.update_idle || (S.ops.flags & SCX_OPS_KEEP_BUILTIN_IDLE);
	idle_setup();
	error = S.ops.init ? S.ops.init() : 0;
	if (error)
		refuse("ops.init()", error);
	for (u32 i = 0; i < S.nr_cgroups && S.ops.cgroup_init && S.ended == SIM_RUNNING; i++) {
		struct scx_cgroup_init_args args = { .weight = S.cgroup_weight[i], .bw_period_us = 100000,
						     .bw_quota_us = ~0ULL };

		error = S.ops.cgroup_init(S.cgroups[i], &args);
		if (error)
			refuse("ops.cgroup_init()", error);
	}
	if (S.ended == SIM_EJECTED)
		S.ended = SIM_REFUSED;
	if (S.ended != SIM_RUNNING)
		return -1;
	/* A machine that has been idle for a while: each CPU has said so once. */
	for (u32 cpu = 0; cpu < S.params.nr_cpus && S.ops.update_idle; cpu++) {
		S.this_cpu = cpu;
		S.ops.update_idle((s32)cpu, true);
	}
	S.this_cpu = 0;
	event_at(watchdog_ns() / 2, EV_WATCHDOG, 0, 0, NULL);
	return 0;
}

/* scx_watchdog_workfn() */
static void watchdog(void)
{
	u64 timeout = watchdog_ns();

	for (u32 i = 0; i < S.nr_tasks; i++) {
		struct sim_task *p = S.tasks[i];
		u64 waited = S.now - p->runnable_at;

		if (p->waiting && p->on_rq && waited > timeout && !S.bypassing) {
			sim_end_with(SIM_EJECTED, "runnable task stall: %s[%d] failed to run for %llu ms",
				     p->ts.comm, p->ts.pid, waited / MSEC);
			break;
		}
	}
	event_at(S.now + timeout / 2, EV_WATCHDOG, 0, 0, NULL);
}

static void start(struct sim_task *p)
{
	program_start(p);
	if (sim_init_task(p))
		wake_up(p, true);
}

/* The CPU that an event happens on. */
static u32 event_cpu(const struct event *e)
{
	switch (e->type) {
	case EV_WAKE:
	case EV_START:
		return S.tasks[e->index]->cpu;
	case EV_TIMER:
		return (u32)e->timer->cpu;
	case EV_WATCHDOG:
		return 0;
	default:
		return e->index;
	}
}

/* False for what was planned and has been called off since. */
static bool still_holds(const struct event *e)
{
	switch (e->type) {
	case EV_RESCHED:
		return rq_of(e->index)->resched_gen == e->gen && rq_of(e->index)->resched_at == e->time;
	case EV_TICK:
		return rq_of(e->index)->tick_gen == e->gen;
	case EV_STEP:
		return rq_of(e->index)->step_gen == e->gen;
	case EV_WAKE:
		return S.tasks[e->index]->wake_gen == e->gen;
	case EV_TIMER:
		return e->timer->armed && e->timer->expires_ns == e->gen;
	default:
		return true;
	}
}

static void handle(const struct event *e)
{
	switch (e->type) {
	case EV_RESCHED:
		schedule(rq_of(e->index));
		break;
	case EV_TICK:
		tick(rq_of(e->index));
		break;
	case EV_STEP:
		program_step(rq_of(e->index));
		break;
	case EV_WAKE:
		wake_up(S.tasks[e->index], false);
		break;
	case EV_START:
		start(S.tasks[e->index]);
		break;
	case EV_TIMER:
		e->timer->armed = false;
		if (!S.bypassing)
			e->timer->fn(e->timer);
		break;
	case EV_WATCHDOG:
		watchdog();
		break;
	}
	settle();
}

static void finish(void)
{
	S.now = S.params.end_ns;
	for (u32 cpu = 0; cpu < S.params.nr_cpus; cpu++) {
		S.this_cpu = cpu;
		if (is_idle(rq_of(cpu)))
			continue;
		update_curr(rq_of(cpu));
		record(SIM_SIMULATION_END, rq_of(cpu)->curr);
	}
	if (S.bypassing)
		S.events[SIM_EV_BYPASS_DURATION] += S.now - S.bypass_since;
	if (S.ended == SIM_RUNNING)
		S.ended = SIM_DONE;
}

static bool finished;

int64_t sim_run(struct sim_record *records, uint64_t nr)
{
	struct event e;

	record_into(records, nr);
	while (!finished && !records_full()) {
		if (S.ended == SIM_BROKEN || S.ended == SIM_REFUSED)
			return -1;
		if (!S.nr_live || !event_next(&e) || e.time >= S.params.end_ns) {
			finish();
			finished = true;
			break;
		}
		if (!still_holds(&e))
			continue;
		/* No interrupt while a CPU switches: it comes right after. */
		if (e.type != EV_STEP && e.type != EV_WATCHDOG && e.time < rq_of(event_cpu(&e))->busy_until) {
			u64 later = rq_of(event_cpu(&e))->busy_until;

			if (e.type == EV_RESCHED)
				rq_of(e.index)->resched_at = later;
			event_at(later, e.type, e.index, e.gen, e.timer);
			continue;
		}
		S.now = e.time;
		S.this_cpu = event_cpu(&e);
		handle(&e);
	}
	return (int64_t)records_written();
}

int sim_ended(void)
{
	return S.ended;
}

uint64_t sim_time(void)
{
	return S.now;
}

uint64_t sim_dropped(uint32_t why)
{
	return why < SIM_NR_DROPS ? S.drops[why] : 0;
}

uint64_t sim_event_count(uint32_t event)
{
	return event < SIM_NR_EVENTS ? S.events[event] : 0;
}

uint64_t sim_task_runtime(uint32_t index)
{
	return index < S.nr_tasks ? S.tasks[index]->ran_ns : 0;
}

/* -- host.h */

u64 sim_now(void)
{
	return S.now;
}

s32 sim_this_cpu(void)
{
	return (s32)S.this_cpu;
}

u32 sim_nr_cpus(void)
{
	return S.params.nr_cpus;
}

u32 sim_random(void)
{
	return (u32)(rng_next(&S.bpf_rng) >> 32);
}

struct task_struct *sim_current(void)
{
	return &rq_of(S.this_cpu)->curr->ts;
}

struct task_struct *sim_task_from_pid(s32 pid)
{
	for (u32 i = 0; i < S.nr_tasks; i++)
		if (S.tasks[i]->ts.pid == pid && S.tasks[i]->attached)
			return &S.tasks[i]->ts;
	return NULL;
}

struct task_struct *sim_task_from_tid(u64 tid)
{
	struct sim_task *p = tid && tid <= S.nr_tasks ? S.tasks[tid - 1] : NULL;

	return p && p->attached ? &p->ts : NULL;
}

u32 sim_task_index(const struct task_struct *p)
{
	const struct sim_task *t = sim_of(p);

	return t->index < SIM_MAX_TASKS ? t->index : S.nr_tasks + t->index - SIM_MAX_TASKS;
}

u32 sim_nr_tasks(void)
{
	return S.nr_tasks;
}

u32 sim_cgroup_index(const struct cgroup *cgrp)
{
	return (u32)cgrp->kn->id - 1;
}

u32 sim_nr_cgroups(void)
{
	return S.nr_cgroups;
}

struct cgroup *sim_cgroup_from_id(u64 id)
{
	return id && id <= S.nr_cgroups ? S.cgroups[id - 1] : NULL;
}

void sim_timer_arm(struct sim_timer *timer, u64 expires_ns, s32 cpu)
{
	timer->expires_ns = expires_ns < S.now ? S.now : expires_ns;
	timer->cpu = cpu;
	timer->armed = true;
	event_at(timer->expires_ns, EV_TIMER, 0, timer->expires_ns, timer);
}

void sim_timer_cancel(struct sim_timer *timer)
{
	timer->armed = false;
}
