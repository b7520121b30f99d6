/* SPDX-License-Identifier: MIT */
/*
 * What the shim under a scheduler's own code asks of the engine.
 *
 * Nothing here needs libc, and nothing uses floating point: a library runs on any host of its
 * architecture and gives the same bytes there.
 */
#ifndef SCXVAL_HOST_H
#define SCXVAL_HOST_H

#include "vmlinux.h"

struct sim_timer {
	u64 expires_ns;
	s32 cpu;
	bool armed;
	void (*fn)(struct sim_timer *timer);
};

/* Virtual time, and the CPU whose code runs; both are of the call that is being made. */
u64 sim_now(void);
s32 sim_this_cpu(void);
u32 sim_nr_cpus(void);
u32 sim_random(void);

/* Zeroed memory for the life of the simulation; NULL when the pool is used up. */
void *sim_alloc(u64 bytes);

/* The task that runs on this CPU (its idle task when none does), and tasks by what names them. */
struct task_struct *sim_current(void);
struct task_struct *sim_task_from_pid(s32 pid);
struct task_struct *sim_task_from_tid(u64 tid);
/* 0 to sim_nr_tasks() - 1 for a task, idle tasks after those: the index of storage for it. */
u32 sim_task_index(const struct task_struct *p);
u32 sim_nr_tasks(void);

/* Cgroups by index; 0 is the root. */
u32 sim_cgroup_index(const struct cgroup *cgrp);
u32 sim_nr_cgroups(void);
struct cgroup *sim_cgroup_from_id(u64 id);

/* Call timer->fn on `cpu` at `expires_ns`, once. Arming an armed timer moves it. */
void sim_timer_arm(struct sim_timer *timer, u64 expires_ns, s32 cpu);
void sim_timer_cancel(struct sim_timer *timer);

/* The scheduler ends here: as scx_bpf_error, with a text that is already formatted. */
void sim_error(const char *text);
/* A line for the simulation's log. */
void sim_log(const char *text);

/*
 * What a scheduler defines: its ops, and whether they are of the cid form. The shim's SCX_OPS_DEFINE
 * and SCX_OPS_CID_DEFINE point these at them.
 */
extern struct sched_ext_ops *sim_ops;
extern struct sched_ext_ops_cid *sim_cid_ops;

#endif
