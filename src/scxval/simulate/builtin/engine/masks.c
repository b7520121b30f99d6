/* SPDX-License-Identifier: MIT */
/* Sets of CPUs. */
#include "engine.h"

#define WORDS (SIM_MAX_CPUS / 64)

u32 mask_weight(const struct cpumask *m)
{
	u32 n = 0;

	for (u32 i = 0; i < WORDS; i++)
		for (u64 w = m->bits[i]; w; w &= w - 1)
			n++;
	return n;
}

u32 mask_next_both(const struct cpumask *a, const struct cpumask *b, u32 from)
{
	u32 nr = S.params.nr_cpus;

	for (u32 i = 0; i < nr; i++) {
		u32 cpu = (from + i) % nr;

		if (mask_test(a, cpu) && mask_test(b, cpu))
			return cpu;
	}
	return SIM_MAX_CPUS;
}

u32 mask_first(const struct cpumask *m)
{
	return mask_next_both(m, m, 0);
}
