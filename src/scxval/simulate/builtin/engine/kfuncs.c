/* SPDX-License-Identifier: MIT */
/*
 * What a scheduler may call, under the names that the tree's headers declare. A CPU's cid is its number:
 * the machine's CPUs are numbered by node, last-level cache and core, as cids are.
 */
#include "engine.h"

static bool cpu_valid(s32 cpu, const char *where)
{
	if (cpu >= 0 && (u32)cpu < S.params.nr_cpus)
		return true;
	sim_end_with(SIM_EJECTED, "invalid CPU %d in %s", cpu, where);
	return false;
}

/* -- inserting */

static bool insert(struct task_struct *ts, u64 dsq_id, u64 slice, u64 vtime, u64 enq_flags)
{
	bool priq = enq_flags & SCX_ENQ_DSQ_PRIQ;
	struct sim_task *p = sim_of(ts);
	struct sim_record *r;

	if (!ts) {
		sim_end_with(SIM_EJECTED, "called with NULL task");
		return false;
	}
	r = record(priq ? SIM_DSQ_INSERT_VTIME : SIM_DSQ_INSERT, p);
	r->dsq_id = dsq_id;
	r->slice_ns = slice;
	r->vtime = vtime;
	r->flags = enq_flags & ~(u64)SCX_ENQ_DSQ_PRIQ;
	r->other_tid = rq_of(S.this_cpu)->curr->ts.pid;
	r->has = SIM_HAS_DSQ | SIM_HAS_SLICE | SIM_HAS_FLAGS | SIM_HAS_OTHER_TID | (priq ? SIM_HAS_VTIME : 0);
	if (S.bypassing)
		return false;
	if ((enq_flags & SCX_ENQ_IMMED) || (S.ops.flags & SCX_OPS_ALWAYS_ENQ_IMMED)) {
		sim_end_with(SIM_BROKEN, "SCX_ENQ_IMMED is not modelled");
		return false;
	}
	ts->scx.slice = slice ?: ts->scx.slice ?: 1;
	if (priq)
		ts->scx.dsq_vtime = vtime;
	insert_commit(p, dsq_id, enq_flags);
	return true;
}

bool scx_bpf_dsq_insert___v2___compat(struct task_struct *p, u64 dsq_id, u64 slice, u64 enq_flags)
{
	return insert(p, dsq_id, slice, 0, enq_flags & ~(u64)SCX_ENQ_DSQ_PRIQ);
}

bool __scx_bpf_dsq_insert_vtime(struct task_struct *p, struct scx_bpf_dsq_insert_vtime_args *args)
{
	return insert(p, args->dsq_id, args->slice, args->vtime, args->enq_flags | SCX_ENQ_DSQ_PRIQ);
}

u32 scx_bpf_dispatch_nr_slots(void)
{
	return S.ops.dispatch_max_batch - rq_of(S.this_cpu)->cursor;
}

void scx_bpf_dispatch_cancel(void)
{
	struct sim_rq *rq = rq_of(S.this_cpu);

	if (!rq->cursor) {
		sim_end_with(SIM_EJECTED, "dispatch buffer underflow");
		return;
	}
	rq->cursor--;
	S.drops[SIM_DROP_REPLACED]++;
}

bool scx_bpf_dsq_move_to_local___v2___compat(u64 dsq_id, u64 enq_flags)
{
	struct sim_rq *rq = rq_of(S.this_cpu);
	struct sim_record *r = record(SIM_DSQ_MOVE_TO_LOCAL, NULL);
	struct dsq *dsq;

	r->dsq_id = dsq_id;
	r->tid = -1;
	r->other_tid = rq->curr->ts.pid;
	r->has = SIM_HAS_DSQ | SIM_HAS_SUCCESS | SIM_HAS_OTHER_TID;
	if (S.bypassing)
		return false;
	flush_dispatch_buf(rq);
	dsq = dsq_find(dsq_id);
	if (!dsq) {
		sim_end_with(SIM_EJECTED, "invalid DSQ ID 0x%llx", dsq_id);
		return false;
	}
	if (!consume_dispatch_q(rq, dsq, enq_flags))
		return false;
	rq->nr_dispatched++;
	r->success = 1;
	return true;
}

/* -- queues */

s32 scx_bpf_create_dsq(u64 dsq_id, s32 node)
{
	(void)node;
	return dsq_create(dsq_id);
}

void scx_bpf_destroy_dsq(u64 dsq_id)
{
	dsq_destroy(dsq_id);
}

s32 scx_bpf_dsq_nr_queued(u64 dsq_id)
{
	struct dsq *dsq;

	if (dsq_id == SCX_DSQ_LOCAL)
		return (s32)rq_of(S.this_cpu)->local.nr;
	if ((dsq_id & SCX_DSQ_LOCAL_ON) == SCX_DSQ_LOCAL_ON) {
		u32 cpu = dsq_id & SCX_DSQ_LOCAL_CPU_MASK;

		return cpu < S.params.nr_cpus ? (s32)rq_of(cpu)->local.nr : -ENOENT;
	}
	dsq = dsq_find(dsq_id);
	return dsq ? (s32)dsq->nr : -ENOENT;
}

struct task_struct *scx_bpf_dsq_peek(u64 dsq_id)
{
	struct dsq *dsq = dsq_find(dsq_id);
	struct sim_task *p = dsq ? dsq_first(dsq) : NULL;

	return p ? &p->ts : NULL;
}

void scx_bpf_dsq_reenq___compat(u64 dsq_id, u64 reenq_flags)
{
	struct dsq *dsq = dsq_id == SCX_DSQ_LOCAL ? &rq_of(S.this_cpu)->local : dsq_find(dsq_id);

	/* schedule_dsq_reenq(): no flags mean any task, as SCX_REENQ_ANY does. */
	(void)reenq_flags;
	if ((dsq_id & SCX_DSQ_LOCAL_ON) == SCX_DSQ_LOCAL_ON && (dsq_id & SCX_DSQ_LOCAL_CPU_MASK) < S.params.nr_cpus)
		dsq = &rq_of(dsq_id & SCX_DSQ_LOCAL_CPU_MASK)->local;
	if (dsq)
		reenqueue(dsq);
	else
		sim_end_with(SIM_EJECTED, "invalid DSQ ID 0x%llx", dsq_id);
}

void scx_bpf_reenqueue_local___v2___compat(void)
{
	reenqueue(&rq_of(S.this_cpu)->local);
}

/* -- kicks */

void scx_bpf_kick_cpu(s32 cpu, u64 flags)
{
	struct sim_record *r;

	if (!cpu_valid(cpu, "scx_bpf_kick_cpu()"))
		return;
	r = record_about(SIM_KICK_CPU, NULL, (u32)cpu);
	r->tid = -1;
	r->flags = flags;
	r->has |= SIM_HAS_FLAGS;
	kick((u32)cpu, flags);
}

void scx_bpf_kick_cid(s32 cid, u64 flags)
{
	scx_bpf_kick_cpu(cid, flags);
}

/* -- idle CPUs */

static bool has_builtin_idle(void)
{
	if (!S.builtin_idle)
		sim_end_with(SIM_EJECTED, "built-in idle tracking is disabled");
	return S.builtin_idle;
}

/* select_cpu_from_kfunc() */
static s32 select_from_kfunc(struct task_struct *p, s32 prev_cpu, u64 wake_flags, const struct cpumask *only,
			     u64 flags)
{
	struct sim_task *t = sim_of(p);

	if (!cpu_valid(prev_cpu, "scx_bpf_select_cpu_dfl()") || !has_builtin_idle())
		return -EINVAL;
	if (p->nr_cpus_allowed == 1) {
		bool allowed = mask_test(only ?: &t->mask, (u32)prev_cpu);

		return allowed && idle_take((u32)prev_cpu) ? prev_cpu : -EBUSY;
	}
	return select_cpu_dfl(t, prev_cpu, wake_flags, only, flags);
}

s32 scx_bpf_select_cpu_dfl(struct task_struct *p, s32 prev_cpu, u64 wake_flags, bool *is_idle_cpu)
{
	s32 cpu = select_from_kfunc(p, prev_cpu, wake_flags, NULL, 0);

	*is_idle_cpu = cpu >= 0;
	return cpu >= 0 ? cpu : prev_cpu;
}

s32 __scx_bpf_select_cpu_and(struct task_struct *p, const struct cpumask *only,
			     struct scx_bpf_select_cpu_and_args *args)
{
	return select_from_kfunc(p, args->prev_cpu, args->wake_flags, only, args->flags);
}

bool scx_bpf_test_and_clear_cpu_idle(s32 cpu)
{
	return has_builtin_idle() && cpu_valid(cpu, "scx_bpf_test_and_clear_cpu_idle()") && idle_take((u32)cpu);
}

s32 scx_bpf_pick_idle_cpu(const cpumask_t *allowed, u64 flags)
{
	return has_builtin_idle() ? pick_idle_cpu(allowed, flags) : -EBUSY;
}

s32 scx_bpf_pick_idle_cpu_node(const cpumask_t *allowed, int node, u64 flags)
{
	(void)node;
	return scx_bpf_pick_idle_cpu(allowed, flags);
}

s32 scx_bpf_pick_any_cpu(const cpumask_t *allowed, u64 flags)
{
	s32 cpu = S.builtin_idle ? pick_idle_cpu(allowed, flags) : -EBUSY;
	u32 any;

	if (cpu >= 0)
		return cpu;
	any = mask_next_both(allowed, &S.all, rq_of(S.this_cpu)->rotor);
	if (any >= SIM_MAX_CPUS)
		return -EBUSY;
	rq_of(S.this_cpu)->rotor = (any + 1) % S.params.nr_cpus;
	return (s32)any;
}

s32 scx_bpf_pick_any_cpu_node(const cpumask_t *allowed, int node, u64 flags)
{
	(void)node;
	return scx_bpf_pick_any_cpu(allowed, flags);
}

const struct cpumask *scx_bpf_get_idle_cpumask(void)
{
	return &S.idle_cpus;
}

const struct cpumask *scx_bpf_get_idle_cpumask_node(int node)
{
	(void)node;
	return &S.idle_cpus;
}

const struct cpumask *scx_bpf_get_idle_smtmask(void)
{
	return S.smt ? &S.idle_cores : &S.idle_cpus;
}

const struct cpumask *scx_bpf_get_idle_smtmask_node(int node)
{
	(void)node;
	return scx_bpf_get_idle_smtmask();
}

void scx_bpf_put_idle_cpumask(const struct cpumask *mask)
{
	(void)mask;
}

const struct cpumask *scx_bpf_get_possible_cpumask(void)
{
	return &S.all;
}

const struct cpumask *scx_bpf_get_online_cpumask(void)
{
	return &S.all;
}

void scx_bpf_put_cpumask(const struct cpumask *mask)
{
	(void)mask;
}

/* -- machine and tasks */

u32 scx_bpf_nr_cpu_ids(void)
{
	return S.params.nr_cpus;
}

u32 scx_bpf_nr_cids(void)
{
	return S.params.nr_cpus;
}

u32 scx_bpf_nr_online_cids(void)
{
	return S.params.nr_cpus;
}

u32 scx_bpf_nr_node_ids(void)
{
	return 1;
}

int scx_bpf_cpu_node(s32 cpu)
{
	(void)cpu;
	return 0;
}

s32 scx_bpf_this_cid(void)
{
	return (s32)S.this_cpu;
}

s32 scx_bpf_cpu_to_cid(s32 cpu)
{
	return cpu;
}

s32 scx_bpf_cid_to_cpu(s32 cid)
{
	return cid;
}

void scx_bpf_cid_topo(s32 cid, struct scx_cid_topo *out, size_t bytes)
{
	(void)bytes;
	*out = (struct scx_cid_topo){ .core_cid = -1, .core_idx = -1, .llc_cid = -1, .llc_idx = -1,
				      .node_cid = -1, .node_idx = -1 };
	if (cid < 0 || (u32)cid >= S.params.nr_cpus)
		return;
	out->core_idx = (s32)rq_of((u32)cid)->core;
	out->llc_idx = (s32)rq_of((u32)cid)->llc;
	out->node_idx = out->node_cid = 0;
	for (u32 cpu = S.params.nr_cpus; cpu--;) {
		if (rq_of(cpu)->core == rq_of((u32)cid)->core)
			out->core_cid = (s32)cpu;
		if (rq_of(cpu)->llc == rq_of((u32)cid)->llc)
			out->llc_cid = (s32)cpu;
	}
}

/* No frequency scaling: every CPU is at full speed, and targets have no effect. */
u32 scx_bpf_cpuperf_cap(s32 cpu)
{
	return cpu_valid(cpu, "scx_bpf_cpuperf_cap()") ? SCX_CPUPERF_ONE : 0;
}

u32 scx_bpf_cpuperf_cur(s32 cpu)
{
	return scx_bpf_cpuperf_cap(cpu);
}

void scx_bpf_cpuperf_set(s32 cpu, u32 perf)
{
	if (perf > SCX_CPUPERF_ONE)
		sim_end_with(SIM_EJECTED, "Invalid cpuperf target %u for CPU %d", perf, cpu);
}

u32 scx_bpf_cidperf_cap(s32 cid)
{
	return scx_bpf_cpuperf_cap(cid);
}

u32 scx_bpf_cidperf_cur(s32 cid)
{
	return scx_bpf_cpuperf_cap(cid);
}

void scx_bpf_cidperf_set(s32 cid, u32 perf)
{
	scx_bpf_cpuperf_set(cid, perf);
}

bool scx_bpf_task_running(const struct task_struct *p)
{
	return rq_of(sim_of(p)->cpu)->curr == sim_of(p);
}

s32 scx_bpf_task_cpu(const struct task_struct *p)
{
	return (s32)sim_of(p)->cpu;
}

s32 scx_bpf_task_cid(const struct task_struct *p)
{
	return scx_bpf_task_cpu(p);
}

struct task_struct *scx_bpf_cpu_curr(s32 cpu)
{
	return cpu_valid(cpu, "scx_bpf_cpu_curr()") ? &rq_of((u32)cpu)->curr->ts : NULL;
}

struct task_struct *scx_bpf_cid_curr(s32 cid)
{
	return scx_bpf_cpu_curr(cid);
}

struct task_struct *scx_bpf_tid_to_task(u64 tid)
{
	return sim_task_from_tid(tid);
}

u64 scx_bpf_now(void)
{
	return S.now;
}

struct cgroup *scx_bpf_task_cgroup___new(struct task_struct *p)
{
	return p->sim_cgroup;
}

bool scx_bpf_task_set_slice___new(struct task_struct *p, u64 slice)
{
	p->scx.slice = slice;
	return true;
}

bool scx_bpf_task_set_dsq_vtime___new(struct task_struct *p, u64 vtime)
{
	p->scx.dsq_vtime = vtime;
	return true;
}

void scx_bpf_events(struct scx_event_stats *out, size_t bytes)
{
	s64 *values = (s64 *)out;

	for (u32 i = 0; i < SIM_NR_EVENTS && (i + 1) * sizeof(s64) <= bytes; i++)
		values[i] = (s64)S.events[i];
}
