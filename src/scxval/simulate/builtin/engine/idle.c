/* SPDX-License-Identifier: MIT */
/* Which CPUs are idle, and the built-in choice of one for a task that wakes: idle.c of 7.2. */
#include "engine.h"

static bool llc_matters;

static bool same_core(u32 a, u32 b)
{
	return rq_of(a)->core == rq_of(b)->core;
}

/* The masks start full when a scheduler attaches (reset_idle_masks()). */
void idle_setup(void)
{
	bool several_llcs = false;

	S.idle_cpus = S.idle_cores = S.all;
	S.smt = false;
	for (u32 cpu = 0; cpu < S.params.nr_cpus; cpu++) {
		several_llcs |= rq_of(cpu)->llc != rq_of(0)->llc;
		for (u32 other = 0; other < cpu; other++)
			S.smt |= same_core(cpu, other);
	}
	/* scx_idle_update_selcpu_topology(): only when an LLC has more than one CPU and there are several. */
	llc_matters = false;
	for (u32 cpu = 1; several_llcs && cpu < S.params.nr_cpus; cpu++)
		llc_matters |= rq_of(cpu)->llc == rq_of(cpu - 1)->llc;
}

static bool core_is_idle(u32 cpu)
{
	for (u32 other = 0; other < S.params.nr_cpus; other++)
		if (same_core(cpu, other) && !mask_test(&S.idle_cpus, other))
			return false;
	return true;
}

static void set_core(u32 cpu, bool idle)
{
	for (u32 other = 0; other < S.params.nr_cpus; other++) {
		if (!same_core(cpu, other))
			continue;
		if (idle)
			mask_set(&S.idle_cores, other);
		else
			mask_clear(&S.idle_cores, other);
	}
}

/*
 * `notify`: the CPU goes from a task to idle or back; without it, an idle CPU was picked for again
 * (__scx_update_idle()).
 */
void update_idle(struct sim_rq *rq, bool idle, bool notify)
{
	if (S.builtin_idle && (notify || is_idle(rq))) {
		if (idle)
			mask_set(&S.idle_cpus, rq->cpu);
		else
			mask_clear(&S.idle_cpus, rq->cpu);
		if (!idle)
			set_core(rq->cpu, false);
		else if (core_is_idle(rq->cpu))
			set_core(rq->cpu, true);
	}
	if (notify && HAS_OP(update_idle))
		S.ops.update_idle((s32)rq->cpu, idle);
}

/* scx_idle_test_and_clear_cpu() */
bool idle_take(u32 cpu)
{
	bool was = mask_test(&S.idle_cpus, cpu);

	set_core(cpu, false);
	mask_clear(&S.idle_cpus, cpu);
	return was;
}

/* cpumask_any_and_distribute(): each CPU that asks goes on where it left off. */
static u32 distribute(const struct cpumask *a, const struct cpumask *b)
{
	struct sim_rq *here = rq_of(S.this_cpu);
	u32 cpu = mask_next_both(a, b, here->rotor);

	if (cpu < SIM_MAX_CPUS)
		here->rotor = (cpu + 1) % S.params.nr_cpus;
	return cpu;
}

s32 pick_idle_cpu(const struct cpumask *allowed, u64 flags)
{
	u32 cpu = SIM_MAX_CPUS;

	do {
		if (S.smt) {
			cpu = distribute(&S.idle_cores, allowed);
			if (cpu >= SIM_MAX_CPUS && (flags & SCX_PICK_IDLE_CORE))
				return -EBUSY;
		}
		if (cpu >= SIM_MAX_CPUS)
			cpu = distribute(&S.idle_cpus, allowed);
		if (cpu >= SIM_MAX_CPUS)
			return -EBUSY;
	} while (!idle_take(cpu));
	return (s32)cpu;
}

static struct cpumask llc_mask(u32 cpu, const struct cpumask *allowed)
{
	struct cpumask m = { 0 };

	for (u32 other = 0; other < S.params.nr_cpus; other++)
		if (rq_of(other)->llc == rq_of(cpu)->llc && mask_test(allowed, other))
			mask_set(&m, other);
	return m;
}

/* scx_select_cpu_dfl() for one node: an idle CPU that is taken now, or -EBUSY. */
s32 select_cpu_dfl(struct sim_task *p, s32 prev_cpu, u64 wake_flags, const struct cpumask *only, u64 flags)
{
	u32 prev = (u32)prev_cpu, here = S.this_cpu;
	struct cpumask allowed = p->mask, near;
	bool prev_allowed;
	s32 cpu;

	if (only) {
		for (u32 i = 0; i < ARRAY_LEN(allowed.bits); i++)
			allowed.bits[i] &= only->bits[i];
		if (!mask_weight(&allowed))
			return -EBUSY;
	}
	prev_allowed = mask_test(&allowed, prev);
	near = llc_mask(prev, &allowed);

	if (wake_flags & SCX_WAKE_SYNC) {
		if (prev_allowed && rq_of(here)->llc == rq_of(prev)->llc && idle_take(prev))
			return prev_cpu;
		if (!rq_of(here)->curr->exiting && !rq_of(here)->local.nr && mask_weight(&S.idle_cpus) &&
		    mask_test(&allowed, here)) {
			idle_take(here);
			return (s32)here;
		}
	}
	if (S.smt) {
		if (prev_allowed && mask_test(&S.idle_cores, prev) && idle_take(prev))
			return prev_cpu;
		if (llc_matters && (cpu = pick_idle_cpu(&near, SCX_PICK_IDLE_CORE)) >= 0)
			return cpu;
		cpu = pick_idle_cpu(&allowed, flags | SCX_PICK_IDLE_CORE);
		if (cpu >= 0)
			return cpu;
		if (flags & SCX_PICK_IDLE_CORE)
			return -EBUSY;
	}
	if (prev_allowed && idle_take(prev))
		return prev_cpu;
	for (u32 other = 0; S.smt && other < S.params.nr_cpus; other++)
		if (other != prev && same_core(other, prev) && mask_test(&allowed, other) && idle_take(other))
			return (s32)other;
	if (llc_matters && (cpu = pick_idle_cpu(&near, 0)) >= 0)
		return cpu;
	return pick_idle_cpu(&allowed, flags);
}
