/* SPDX-License-Identifier: MIT */
/* Seeded variation, in integers alone: the same on every machine. */
#include "engine.h"

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
u64 rng_next(u64 *state)
{
	u64 z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/*
 * The sum of four uniform 16-bit numbers is nearly normal (Irwin-Hall): mean 2 * 65535, standard
 * deviation 65536 * sqrt(4 / 12) = 37837, within 3.46 of them.
 */
u64 noisy(u64 *state, u64 mean, u32 cv_ppm)
{
	u64 bits = rng_next(state);
	s64 sum = (s64)((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
	s64 deviation = sum - 2 * 65535;
	s64 value;

	if (!cv_ppm)
		return mean;
	/* mean * cv * deviation / 37837, with no more than 63 bits on the way for means below 2^40. */
	value = (s64)(mean * cv_ppm / 1000000) * deviation / 37837 + (s64)mean;
	return value < (s64)(mean / 8) ? mean / 8 : (u64)value;
}
