/* SPDX-License-Identifier: MIT */
/* A scheduler whose operations are functions of Python's: flat calls between the two. */
#include "engine.h"

#pragma GCC visibility push(default)
#include "model.h"
#pragma GCC visibility pop

/* As the shim's scx/compat.bpf.h calls them, without the structs that hold more than five arguments. */
bool scx_bpf_dsq_insert___v2___compat(struct task_struct *p, u64 dsq_id, u64 slice, u64 enq_flags);
bool __scx_bpf_dsq_insert_vtime(struct task_struct *p, struct scx_bpf_dsq_insert_vtime_args *args);
bool scx_bpf_dsq_move_to_local___v2___compat(u64 dsq_id, u64 enq_flags);
s32 scx_bpf_create_dsq(u64 dsq_id, s32 node);
void scx_bpf_destroy_dsq(u64 dsq_id);
s32 scx_bpf_dsq_nr_queued(u64 dsq_id);
void scx_bpf_kick_cpu(s32 cpu, u64 flags);
s32 scx_bpf_select_cpu_dfl(struct task_struct *p, s32 prev_cpu, u64 wake_flags, bool *is_idle_cpu);
bool scx_bpf_test_and_clear_cpu_idle(s32 cpu);
s32 scx_bpf_pick_idle_cpu(const cpumask_t *allowed, u64 flags);
bool scx_bpf_task_running(const struct task_struct *p);
s32 scx_bpf_task_cpu(const struct task_struct *p);
struct task_struct *scx_bpf_cpu_curr(s32 cpu);

static struct sched_ext_ops model_ops = { .name = "model" };
struct sched_ext_ops *sim_ops = &model_ops;

/* api.h and model.h have the C library's names for types of one size, hence the casts. */
#define SETTER(op, ...)							\
	void sim_model_set_##op(__VA_ARGS__)				\
	{								\
		model_ops.op = (__typeof__(model_ops.op))(void *)fn;	\
	}

SETTER(select_cpu, int32_t (*fn)(struct task_struct *, int32_t, uint64_t))
SETTER(enqueue, void (*fn)(struct task_struct *, uint64_t))
SETTER(dequeue, void (*fn)(struct task_struct *, uint64_t))
SETTER(dispatch, void (*fn)(int32_t, struct task_struct *))
SETTER(tick, void (*fn)(struct task_struct *))
SETTER(runnable, void (*fn)(struct task_struct *, uint64_t))
SETTER(running, void (*fn)(struct task_struct *))
SETTER(stopping, void (*fn)(struct task_struct *, bool))
SETTER(quiescent, void (*fn)(struct task_struct *, uint64_t))
SETTER(yield, bool (*fn)(struct task_struct *, struct task_struct *))
SETTER(set_weight, void (*fn)(struct task_struct *, uint32_t))
SETTER(update_idle, void (*fn)(int32_t, bool))
SETTER(enable, void (*fn)(struct task_struct *))
SETTER(disable, void (*fn)(struct task_struct *))
SETTER(init, int32_t (*fn)(void))

static void (*on_set_cpumask)(struct task_struct *p);
static int32_t (*on_init_task)(struct task_struct *p);
static void (*on_exit_task)(struct task_struct *p);
static int32_t (*on_cgroup_init)(uint64_t cgroup_id, uint32_t weight);
static void (*on_exit)(void);
static void (*on_timer)(uint32_t token);

static void set_cpumask(struct task_struct *p, const struct cpumask *cpumask)
{
	(void)cpumask;
	on_set_cpumask(p);
}

static s32 init_task(struct task_struct *p, struct scx_init_task_args *args)
{
	(void)args;
	return on_init_task(p);
}

static void exit_task(struct task_struct *p, struct scx_exit_task_args *args)
{
	(void)args;
	on_exit_task(p);
}

static s32 cgroup_init(struct cgroup *cgrp, struct scx_cgroup_init_args *args)
{
	return on_cgroup_init(cgrp->kn->id, args->weight);
}

static void ops_exit(struct scx_exit_info *info)
{
	(void)info;
	on_exit();
}

void sim_model_set_set_cpumask(void (*fn)(struct task_struct *p))
{
	on_set_cpumask = fn;
	model_ops.set_cpumask = set_cpumask;
}

void sim_model_set_init_task(int32_t (*fn)(struct task_struct *p))
{
	on_init_task = fn;
	model_ops.init_task = init_task;
}

void sim_model_set_exit_task(void (*fn)(struct task_struct *p))
{
	on_exit_task = fn;
	model_ops.exit_task = exit_task;
}

void sim_model_set_cgroup_init(int32_t (*fn)(uint64_t cgroup_id, uint32_t weight))
{
	on_cgroup_init = fn;
	model_ops.cgroup_init = cgroup_init;
}

void sim_model_set_exit(void (*fn)(void))
{
	on_exit = fn;
	model_ops.exit = ops_exit;
}

void sim_model_set_flags(uint64_t flags)
{
	model_ops.flags = flags;
}

void sim_model_set_timeout_ms(uint32_t timeout_ms)
{
	model_ops.timeout_ms = timeout_ms;
}

void sim_model_error(const char *text)
{
	sim_error(text);
}

void sim_model_broken(const char *text)
{
	sim_end_with(SIM_BROKEN, "%s", text);
}

void sim_model_log(const char *text)
{
	sim_log(text);
}

int32_t sim_model_create_dsq(uint64_t dsq_id)
{
	return scx_bpf_create_dsq(dsq_id, -1);
}

void sim_model_destroy_dsq(uint64_t dsq_id)
{
	scx_bpf_destroy_dsq(dsq_id);
}

int32_t sim_model_dsq_nr_queued(uint64_t dsq_id)
{
	return scx_bpf_dsq_nr_queued(dsq_id);
}

bool sim_model_dsq_insert(struct task_struct *p, uint64_t dsq_id, uint64_t slice, uint64_t enq_flags)
{
	return scx_bpf_dsq_insert___v2___compat(p, dsq_id, slice, enq_flags);
}

bool sim_model_dsq_insert_vtime(struct task_struct *p, uint64_t dsq_id, uint64_t slice, uint64_t vtime,
				uint64_t enq_flags)
{
	struct scx_bpf_dsq_insert_vtime_args args = {
		.dsq_id = dsq_id,
		.slice = slice,
		.vtime = vtime,
		.enq_flags = enq_flags,
	};

	return __scx_bpf_dsq_insert_vtime(p, &args);
}

bool sim_model_dsq_move_to_local(uint64_t dsq_id)
{
	return scx_bpf_dsq_move_to_local___v2___compat(dsq_id, 0);
}

uint32_t sim_model_dsq_tasks(uint64_t dsq_id, struct task_struct **out, uint32_t nr)
{
	struct dsq *dsq = dsq_find(dsq_id);
	struct sim_task *p = dsq ? dsq_first(dsq) : NULL;
	u32 found = 0;

	for (; p && found < nr; p = dsq_after(dsq, &p->node, false))
		out[found++] = &p->ts;
	return found;
}

bool sim_model_dsq_move(uint64_t from_dsq_id, struct task_struct *p, uint64_t dsq_id, uint64_t enq_flags)
{
	struct dsq *from = dsq_find(from_dsq_id);

	return from && sim_of(p)->dsq == from && dsq_move(from, sim_of(p), dsq_id, enq_flags);
}

void sim_model_kick_cpu(int32_t cpu, uint64_t flags)
{
	scx_bpf_kick_cpu(cpu, flags);
}

int32_t sim_model_select_cpu_dfl(struct task_struct *p, int32_t prev_cpu, uint64_t wake_flags, bool *is_idle)
{
	return scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, is_idle);
}

int32_t sim_model_pick_idle_cpu(struct task_struct *p, uint64_t flags)
{
	return scx_bpf_pick_idle_cpu(p->cpus_ptr, flags);
}

bool sim_model_test_and_clear_cpu_idle(int32_t cpu)
{
	return scx_bpf_test_and_clear_cpu_idle(cpu);
}

uint64_t sim_model_now(void)
{
	return sim_now();
}

struct task_struct *sim_model_cpu_curr(int32_t cpu)
{
	return scx_bpf_cpu_curr(cpu);
}

int32_t sim_model_task_pid(const struct task_struct *p)
{
	return p->pid;
}

int32_t sim_model_task_tgid(const struct task_struct *p)
{
	return p->tgid;
}

uint32_t sim_model_task_index(const struct task_struct *p)
{
	return sim_task_index(p);
}

int32_t sim_model_task_cpu(const struct task_struct *p)
{
	return scx_bpf_task_cpu(p);
}

bool sim_model_task_running(const struct task_struct *p)
{
	return scx_bpf_task_running(p);
}

bool sim_model_task_is_idle(const struct task_struct *p)
{
	return p->flags & PF_IDLE;
}

uint32_t sim_model_task_weight(const struct task_struct *p)
{
	return p->scx.weight;
}

int32_t sim_model_task_nice(const struct task_struct *p)
{
	return p->static_prio - 120;
}

uint32_t sim_model_task_flags(const struct task_struct *p)
{
	return p->scx.flags;
}

uint64_t sim_model_task_runtime(const struct task_struct *p)
{
	return p->se.sum_exec_runtime;
}

uint64_t sim_model_task_slice(const struct task_struct *p)
{
	return p->scx.slice;
}

void sim_model_task_set_slice(struct task_struct *p, uint64_t slice)
{
	p->scx.slice = slice;
}

uint64_t sim_model_task_vtime(const struct task_struct *p)
{
	return p->scx.dsq_vtime;
}

void sim_model_task_set_vtime(struct task_struct *p, uint64_t vtime)
{
	p->scx.dsq_vtime = vtime;
}

bool sim_model_task_allows(const struct task_struct *p, int32_t cpu)
{
	return mask_test(p->cpus_ptr, (u32)cpu);
}

int32_t sim_model_task_nr_cpus_allowed(const struct task_struct *p)
{
	return p->nr_cpus_allowed;
}

uint64_t sim_model_task_cgroup(const struct task_struct *p)
{
	return p->sim_cgroup->kn->id;
}

static struct sim_timer timers[SIM_MODEL_TIMERS];

static void timer_fired(struct sim_timer *timer)
{
	on_timer((u32)(timer - timers));
}

void sim_model_set_timer(void (*fn)(uint32_t token))
{
	on_timer = fn;
}

int sim_model_timer_arm(uint32_t token, uint64_t at_ns, int32_t cpu)
{
	if (token >= SIM_MODEL_TIMERS || !on_timer)
		return -1;
	timers[token].fn = timer_fired;
	sim_timer_arm(&timers[token], at_ns, cpu);
	return 0;
}
