/* SPDX-License-Identifier: MIT */
/*
 * The remaining helpers: time, CPU and task of the moment, tasks and cgroups by name, locks, loops.
 */
#include "map.h"

/* What a scheduler's user-space half takes from the kernel's type information as the default slice. */
__attribute__((visibility("default"))) u64 sim_slice_dfl_ns = SCX_SLICE_DFL;

/* Programs run one after another, so a lock that is asked for while it is held never becomes free. */
static void *held_lock;

u64 bpf_ktime_get_ns(void)
{
	return sim_now();
}

u64 bpf_ktime_get_boot_ns(void)
{
	return sim_now();
}

u32 bpf_get_smp_processor_id(void)
{
	return sim_this_cpu();
}

u32 bpf_get_prandom_u32(void)
{
	return sim_random();
}

struct task_struct *bpf_get_current_task_btf(void)
{
	return sim_current();
}

u64 bpf_get_current_pid_tgid(void)
{
	struct task_struct *p = sim_current();

	return (u64)p->tgid << 32 | (u32)p->pid;
}

/* Tasks and cgroups live as long as the simulation, so there is nothing to count. */
struct task_struct *bpf_task_from_pid(s32 pid)
{
	return sim_task_from_pid(pid);
}

struct task_struct *bpf_task_acquire(struct task_struct *p)
{
	return p;
}

void bpf_task_release(struct task_struct *p)
{
	(void)p;
}

struct cgroup *bpf_cgroup_acquire(struct cgroup *cgrp)
{
	return cgrp;
}

void bpf_cgroup_release(struct cgroup *cgrp)
{
	(void)cgrp;
}

struct cgroup *bpf_cgroup_from_id(u64 cgid)
{
	return sim_cgroup_from_id(cgid);
}

struct cgroup *bpf_cgroup_ancestor(struct cgroup *cgrp, int level)
{
	if (level < 0 || level > cgrp->level)
		return NULL;
	while (cgrp->level > level)
		cgrp = cgrp->sim_parent;
	return cgrp;
}

void bpf_rcu_read_lock(void)
{
}

void bpf_rcu_read_unlock(void)
{
}

void bpf_preempt_disable(void)
{
}

void bpf_preempt_enable(void)
{
}

/* The verifier refuses a program that takes a second lock, or that returns with one. */
void bpf_spin_lock(struct bpf_spin_lock *lock)
{
	if (held_lock)
		sim_error("bpf_spin_lock: a lock is held already");
	held_lock = lock;
}

void bpf_spin_unlock(struct bpf_spin_lock *lock)
{
	if (held_lock != lock)
		sim_error("bpf_spin_unlock: this lock is not held");
	held_lock = NULL;
}

/* A resilient lock that its own CPU holds is a deadlock, which the kernel finds (-EDEADLK). */
int bpf_res_spin_lock(struct bpf_res_spin_lock *lock)
{
	if (lock->val)
		return -EDEADLK;
	lock->val = 1;
	return 0;
}

void bpf_res_spin_unlock(struct bpf_res_spin_lock *lock)
{
	if (!lock->val)
		sim_error("bpf_res_spin_unlock: this lock is not held");
	lock->val = 0;
}

int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end)
{
	it->sim_next = 0;
	it->sim_end = 0;
	if (start > end)
		return -EINVAL;
	/* As the kernel: a range that is too long is empty. */
	if ((s64)end - start > BPF_MAX_LOOPS)
		return -E2BIG;
	it->sim_next = start;
	it->sim_end = end;
	return 0;
}

int *bpf_iter_num_next(struct bpf_iter_num *it)
{
	if (it->sim_next >= it->sim_end)
		return NULL;
	it->sim_value = it->sim_next++;
	return &it->sim_value;
}

void bpf_iter_num_destroy(struct bpf_iter_num *it)
{
	it->sim_end = it->sim_next;
}

bool sim_may_loop(void)
{
	static u64 since_ns, turns;
	static s32 cpu;

	/* What runs at one time on one CPU is taken for one program. */
	if (since_ns != sim_now() || cpu != sim_this_cpu())
		turns = 0;
	since_ns = sim_now();
	cpu = sim_this_cpu();
	return turns++ < BPF_MAX_LOOPS;
}

long bpf_probe_read_kernel(void *dst, u32 size, const void *unsafe_ptr)
{
	if (!unsafe_ptr) {
		memset(dst, 0, size);
		return -EFAULT;
	}
	memcpy(dst, unsafe_ptr, size);
	return 0;
}

long bpf_probe_read_kernel_str(void *dst, u32 size, const void *unsafe_ptr)
{
	const char *from = unsafe_ptr;
	char *to = dst;
	u32 n = 0;

	if (!size)
		return 0;
	if (!from) {
		memset(dst, 0, size);
		return -EFAULT;
	}
	while (n + 1 < size && from[n]) {
		to[n] = from[n];
		n++;
	}
	to[n] = 0;
	return n + 1;
}

