/* SPDX-License-Identifier: MIT */
/*
 * CPU masks, as the kernel's kfuncs have them (7.2: kernel/bpf/cpumask.c): a CPU at or beyond
 * nr_cpu_ids is in no mask, and "none" is answered with nr_cpu_ids.
 */
#include "map.h"

enum { WORDS = SIM_CPUMASK_CPUS / 64 };

/* Where each CPU's last search of the `distribute` kind ended; one place for both, as in lib/cpumask.c. */
static u32 last_found[SIM_CPUMASK_CPUS];

static u64 bit_of(u32 cpu)
{
	return 1ULL << (cpu & 63);
}

static bool possible(u32 cpu)
{
	return cpu < sim_nr_cpus();
}

/* The bits of a mask's word that stand for CPUs. */
static u64 word_of(const struct cpumask *mask, u32 word)
{
	u32 nr = sim_nr_cpus(), first = word * 64;

	if (nr <= first)
		return 0;
	return nr - first >= 64 ? mask->bits[word] : mask->bits[word] & (bit_of(nr) - 1);
}

struct bpf_cpumask *bpf_cpumask_create(void)
{
	struct bpf_cpumask *mask = sim_obj_new(sizeof(*mask));

	if (mask)
		mask->sim_usage = 1;
	return mask;
}

struct bpf_cpumask *bpf_cpumask_acquire(struct bpf_cpumask *mask)
{
	mask->sim_usage++;
	return mask;
}

void bpf_cpumask_release(struct bpf_cpumask *mask)
{
	if (mask && !--mask->sim_usage)
		sim_obj_free(mask);
}

bool bpf_cpumask_test_cpu(u32 cpu, const struct cpumask *mask)
{
	return possible(cpu) && mask->bits[cpu / 64] & bit_of(cpu);
}

void bpf_cpumask_set_cpu(u32 cpu, struct bpf_cpumask *mask)
{
	if (possible(cpu))
		mask->cpumask.bits[cpu / 64] |= bit_of(cpu);
}

void bpf_cpumask_clear_cpu(u32 cpu, struct bpf_cpumask *mask)
{
	if (possible(cpu))
		mask->cpumask.bits[cpu / 64] &= ~bit_of(cpu);
}

bool bpf_cpumask_test_and_set_cpu(u32 cpu, struct bpf_cpumask *mask)
{
	bool was = bpf_cpumask_test_cpu(cpu, &mask->cpumask);

	bpf_cpumask_set_cpu(cpu, mask);
	return was;
}

bool bpf_cpumask_test_and_clear_cpu(u32 cpu, struct bpf_cpumask *mask)
{
	bool was = bpf_cpumask_test_cpu(cpu, &mask->cpumask);

	bpf_cpumask_clear_cpu(cpu, mask);
	return was;
}

void bpf_cpumask_setall(struct bpf_cpumask *mask)
{
	bpf_cpumask_clear(mask);
	for (u32 cpu = 0; cpu < sim_nr_cpus(); cpu++)
		bpf_cpumask_set_cpu(cpu, mask);
}

void bpf_cpumask_clear(struct bpf_cpumask *mask)
{
	memset(&mask->cpumask, 0, sizeof(mask->cpumask));
}

bool bpf_cpumask_and(struct bpf_cpumask *dst, const struct cpumask *src1, const struct cpumask *src2)
{
	u64 any = 0;

	for (u32 n = 0; n < WORDS; n++) {
		dst->cpumask.bits[n] = word_of(src1, n) & word_of(src2, n);
		any |= dst->cpumask.bits[n];
	}
	return any;
}

void bpf_cpumask_or(struct bpf_cpumask *dst, const struct cpumask *src1, const struct cpumask *src2)
{
	for (u32 n = 0; n < WORDS; n++)
		dst->cpumask.bits[n] = word_of(src1, n) | word_of(src2, n);
}

void bpf_cpumask_xor(struct bpf_cpumask *dst, const struct cpumask *src1, const struct cpumask *src2)
{
	for (u32 n = 0; n < WORDS; n++)
		dst->cpumask.bits[n] = word_of(src1, n) ^ word_of(src2, n);
}

void bpf_cpumask_copy(struct bpf_cpumask *dst, const struct cpumask *src)
{
	for (u32 n = 0; n < WORDS; n++)
		dst->cpumask.bits[n] = word_of(src, n);
}

bool bpf_cpumask_equal(const struct cpumask *src1, const struct cpumask *src2)
{
	u64 differ = 0;

	for (u32 n = 0; n < WORDS; n++)
		differ |= word_of(src1, n) ^ word_of(src2, n);
	return !differ;
}

bool bpf_cpumask_intersects(const struct cpumask *src1, const struct cpumask *src2)
{
	u64 common = 0;

	for (u32 n = 0; n < WORDS; n++)
		common |= word_of(src1, n) & word_of(src2, n);
	return common;
}

bool bpf_cpumask_subset(const struct cpumask *src1, const struct cpumask *src2)
{
	u64 outside = 0;

	for (u32 n = 0; n < WORDS; n++)
		outside |= word_of(src1, n) & ~word_of(src2, n);
	return !outside;
}

u32 bpf_cpumask_weight(const struct cpumask *mask)
{
	u32 weight = 0;

	for (u32 cpu = 0; cpu < sim_nr_cpus(); cpu++)
		weight += bpf_cpumask_test_cpu(cpu, mask);
	return weight;
}

bool bpf_cpumask_empty(const struct cpumask *mask)
{
	return !bpf_cpumask_weight(mask);
}

bool bpf_cpumask_full(const struct cpumask *mask)
{
	return bpf_cpumask_weight(mask) == sim_nr_cpus();
}

u32 bpf_cpumask_first(const struct cpumask *mask)
{
	u32 cpu = 0;

	while (cpu < sim_nr_cpus() && !bpf_cpumask_test_cpu(cpu, mask))
		cpu++;
	return cpu;
}

u32 bpf_cpumask_first_zero(const struct cpumask *mask)
{
	u32 cpu = 0;

	while (bpf_cpumask_test_cpu(cpu, mask))
		cpu++;
	return cpu;
}

u32 bpf_cpumask_any_and_distribute(const struct cpumask *src1, const struct cpumask *src2)
{
	u32 nr = sim_nr_cpus(), *last = &last_found[sim_this_cpu()];

	for (u32 n = 1; n <= nr; n++) {
		u32 cpu = (*last + n) % nr;

		if (bpf_cpumask_test_cpu(cpu, src1) && bpf_cpumask_test_cpu(cpu, src2)) {
			*last = cpu;
			return cpu;
		}
	}
	return nr;
}

u32 bpf_cpumask_any_distribute(const struct cpumask *mask)
{
	return bpf_cpumask_any_and_distribute(mask, mask);
}

int bpf_cpumask_populate(struct bpf_cpumask *dst, void *src, size_t src__sz)
{
	/* The kernel's bitmap has whole words. */
	if (src__sz < (sim_nr_cpus() + 63) / 64 * sizeof(u64))
		return -EACCES;
	if ((u64)src % sizeof(u64))
		return -EINVAL;
	bpf_cpumask_clear(dst);
	for (u32 cpu = 0; cpu < sim_nr_cpus(); cpu++)
		if (((u64 *)src)[cpu / 64] & bit_of(cpu))
			bpf_cpumask_set_cpu(cpu, dst);
	return 0;
}

int bpf_iter_bits_new(struct bpf_iter_bits *it, const u64 *unsafe_ptr__ign, u32 nr_words)
{
	it->sim_nr_words = 0;
	it->sim_bit = -1;
	if (!unsafe_ptr__ign || !nr_words)
		return -EINVAL;
	if (nr_words > WORDS)
		return -E2BIG;
	memcpy(it->sim_words, unsafe_ptr__ign, nr_words * sizeof(u64));
	it->sim_nr_words = nr_words;
	return 0;
}

int *bpf_iter_bits_next(struct bpf_iter_bits *it)
{
	int last = it->sim_nr_words * 64;

	while (++it->sim_bit < last)
		if (it->sim_words[it->sim_bit / 64] & bit_of(it->sim_bit))
			return &it->sim_bit;
	return NULL;
}

void bpf_iter_bits_destroy(struct bpf_iter_bits *it)
{
	it->sim_nr_words = 0;
}
