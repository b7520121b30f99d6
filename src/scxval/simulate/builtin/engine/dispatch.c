/* SPDX-License-Identifier: MIT */
/*
 * Tasks on their way: into dispatch queues, between them and runqueues, and the two ways a scheduler sends
 * them, at once or by the dispatch buffer. ext.c of 7.2, function by function, without its locks and races.
 */
#include "engine.h"

bool leave_custody(struct sim_task *p)
{
	if (!p->in_custody || p->migrating)
		return false;
	p->in_custody = false;
	return true;
}

void clear_direct_dispatch(struct sim_task *p)
{
	p->ddsp_dsq_id = SCX_DSQ_INVALID;
	p->ddsp_enq_flags = 0;
}

static struct sim_rq *local_rq(struct dsq *dsq)
{
	return (struct sim_rq *)((char *)dsq - __builtin_offsetof(struct sim_rq, local));
}

/* -- into a dispatch queue */

static void local_post_enq(struct sim_rq *rq, struct sim_task *p, u64 enq_flags)
{
	if (leave_custody(p) && HAS_OP(dequeue))
		S.ops.dequeue(&p->ts, 0);
	if (rq->in_balance)
		return;
	if (is_idle(rq))
		resched_curr(rq);
	else if ((enq_flags & SCX_ENQ_PREEMPT) && p != rq->curr) {
		rq->curr->ts.scx.slice = 0;
		resched_curr(rq);
	}
}

void dispatch_enqueue(struct dsq *dsq, struct sim_task *p, u64 enq_flags)
{
	if ((dsq->id & SCX_DSQ_FLAG_BUILTIN) && (enq_flags & SCX_ENQ_DSQ_PRIQ)) {
		sim_end_with(SIM_EJECTED, "cannot use vtime ordering for built-in DSQs");
		enq_flags &= ~(u64)SCX_ENQ_DSQ_PRIQ;
	}
	if (dsq->nr && dsq->priq != !!(enq_flags & SCX_ENQ_DSQ_PRIQ)) {
		sim_end_with(SIM_EJECTED, "DSQ ID 0x%llx already had %s-enqueued tasks", dsq->id,
			     dsq->priq ? "PRIQ" : "FIFO");
		return;
	}
	dsq_link(dsq, p, enq_flags);
	p->ops_state = OPSS_NONE;
	if (is_local(dsq)) {
		local_post_enq(local_rq(dsq), p, enq_flags);
	} else if (dsq->id == SCX_DSQ_GLOBAL || dsq->id == SCX_DSQ_BYPASS) {
		if (leave_custody(p) && HAS_OP(dequeue))
			S.ops.dequeue(&p->ts, 0);
	} else {
		p->in_custody = true;
	}
}

static struct dsq *find_dsq_for_dispatch(struct sim_rq *rq, u64 dsq_id)
{
	struct dsq *dsq;

	if (dsq_id == SCX_DSQ_LOCAL)
		return &rq->local;
	if ((dsq_id & SCX_DSQ_LOCAL_ON) == SCX_DSQ_LOCAL_ON) {
		u32 cpu = dsq_id & SCX_DSQ_LOCAL_CPU_MASK;

		if (cpu < S.params.nr_cpus)
			return &rq_of(cpu)->local;
		sim_end_with(SIM_EJECTED, "invalid CPU %u in SCX_DSQ_LOCAL_ON dispatch verdict", cpu);
		return &S.global_dsq;
	}
	if (dsq_id == SCX_DSQ_GLOBAL)
		return &S.global_dsq;
	dsq = dsq_find(dsq_id);
	if (dsq)
		return dsq;
	sim_end_with(SIM_EJECTED, "non-existent DSQ 0x%llx", dsq_id);
	return &S.global_dsq;
}

/* -- between runqueues */

static bool can_run_on(struct sim_task *p, struct sim_rq *rq, bool enforce)
{
	if (mask_test(&p->mask, rq->cpu))
		return true;
	if (enforce)
		sim_end_with(SIM_EJECTED, "SCX_DSQ_LOCAL[_ON] target CPU %u not allowed for %s[%d]", rq->cpu,
			     p->ts.comm, p->ts.pid);
	return false;
}

/* move_remote_task_to_local_dsq(): off one runqueue and on to the other, through both class functions. */
static void move_remote(struct sim_task *p, u64 enq_flags, struct sim_rq *dst)
{
	p->migrating = true;
	dequeue_task(rq_of(p->cpu), p, 0);
	set_task_cpu(p, dst->cpu);
	enqueue_task(dst, p, enq_flags | ENQUEUE_MIGRATED);
}

static void move_local(struct sim_task *p, u64 enq_flags, struct sim_rq *rq)
{
	dsq_link(&rq->local, p, enq_flags & ~(u64)SCX_ENQ_DSQ_PRIQ);
	local_post_enq(rq, p, enq_flags);
}

bool consume_dispatch_q(struct sim_rq *rq, struct dsq *dsq, u64 enq_flags)
{
	struct sim_task *p;

	for (p = dsq_first(dsq); p; p = dsq_after(dsq, &p->node, false)) {
		if (p->cpu == rq->cpu) {
			dsq_unlink(p);
			move_local(p, enq_flags, rq);
			return true;
		}
		if (can_run_on(p, rq, false)) {
			dsq_unlink(p);
			move_remote(p, enq_flags, rq);
			return true;
		}
	}
	return false;
}

static void dispatch_to_local(struct dsq *dsq, struct sim_task *p, u64 enq_flags)
{
	struct sim_rq *src = rq_of(p->cpu), *dst = local_rq(dsq);

	p->ops_state = OPSS_NONE;
	if (src == dst) {
		dispatch_enqueue(dsq, p, enq_flags);
	} else if (!can_run_on(p, dst, true)) {
		dispatch_enqueue(&S.global_dsq, p, enq_flags & ~(u64)SCX_ENQ_DSQ_PRIQ);
		return;
	} else {
		move_remote(p, enq_flags, dst);
	}
	if (is_idle(dst) && !dst->in_balance)
		resched_curr(dst);
}

void dsq_move(struct sim_task *p, u64 dsq_id, u64 enq_flags)
{
	struct dsq *dst = find_dsq_for_dispatch(rq_of(S.this_cpu), dsq_id);

	if (is_local(dst) && local_rq(dst)->cpu != p->cpu && !can_run_on(p, local_rq(dst), true))
		dst = &S.global_dsq;
	dsq_unlink(p);
	if (!is_local(dst))
		dispatch_enqueue(dst, p, enq_flags);
	else if (local_rq(dst)->cpu == p->cpu)
		move_local(p, enq_flags, local_rq(dst));
	else
		move_remote(p, enq_flags, local_rq(dst));
}

/* -- direct dispatch and the dispatch buffer */

static void mark_direct_dispatch(struct sim_task *p, u64 dsq_id, u64 enq_flags)
{
	struct sim_task *expected = S.ddsp_task;

	if (S.ddsp_spoilt) {
		sim_end_with(SIM_EJECTED, "%s[%d] already direct-dispatched", p->ts.comm, p->ts.pid);
		return;
	}
	S.ddsp_spoilt = true;
	if (p != expected) {
		sim_end_with(SIM_EJECTED, "scheduling for %s[%d] but trying to direct-dispatch %s[%d]",
			     expected->ts.comm, expected->ts.pid, p->ts.comm, p->ts.pid);
		return;
	}
	if (p->ddsp_dsq_id != SCX_DSQ_INVALID)
		S.drops[SIM_DROP_REPLACED]++;
	p->ddsp_dsq_id = dsq_id;
	p->ddsp_enq_flags = enq_flags;
}

void insert_commit(struct sim_task *p, u64 dsq_id, u64 enq_flags)
{
	struct sim_rq *rq = rq_of(S.this_cpu);

	if (S.ddsp_task) {
		mark_direct_dispatch(p, dsq_id, enq_flags);
		return;
	}
	if (rq->cursor >= S.ops.dispatch_max_batch) {
		sim_end_with(SIM_EJECTED, "dispatch buffer overflow");
		return;
	}
	rq->buf[rq->cursor].task = p;
	rq->buf[rq->cursor].qseq = p->ops_state == OPSS_QUEUED ? p->qseq : 0;
	rq->buf[rq->cursor].dsq_id = dsq_id;
	rq->buf[rq->cursor].enq_flags = enq_flags;
	rq->cursor++;
}

static void finish_dispatch(struct sim_rq *rq, struct sim_task *p, u32 qseq, u64 dsq_id, u64 enq_flags)
{
	struct dsq *dsq;

	/* Inserted although the scheduler does not have it: allowed, and without effect. */
	if (p->ops_state != OPSS_QUEUED || p->qseq != qseq) {
		S.drops[SIM_DROP_REPLACED]++;
		return;
	}
	dsq = find_dsq_for_dispatch(rq, dsq_id);
	if (is_local(dsq))
		dispatch_to_local(dsq, p, enq_flags);
	else
		dispatch_enqueue(dsq, p, enq_flags);
}

void flush_dispatch_buf(struct sim_rq *rq)
{
	u32 nr = rq->cursor;

	for (u32 i = 0; i < nr; i++)
		finish_dispatch(rq, rq->buf[i].task, rq->buf[i].qseq, rq->buf[i].dsq_id, rq->buf[i].enq_flags);
	rq->nr_dispatched += nr;
	rq->cursor = 0;
}

void direct_dispatch(struct sim_task *p, u64 enq_flags)
{
	struct sim_rq *rq = rq_of(p->cpu);
	struct dsq *dsq = find_dsq_for_dispatch(rq, p->ddsp_dsq_id);
	u64 flags;

	p->ddsp_enq_flags |= enq_flags;
	if (is_local(dsq) && dsq != &rq->local) {
		p->ops_state = OPSS_NONE;
		p->deferred = true;
		p->next_deferred = NULL;
		*rq->deferred_tail = p;
		rq->deferred_tail = &p->next_deferred;
		return;
	}
	flags = p->ddsp_enq_flags;
	clear_direct_dispatch(p);
	dispatch_enqueue(dsq, p, flags);
}

/* process_ddsp_deferred_locals() */
void run_deferred(struct sim_rq *rq)
{
	struct sim_task *p;

	while ((p = rq->deferred)) {
		u64 dsq_id = p->ddsp_dsq_id, flags = p->ddsp_enq_flags;

		rq->deferred = p->next_deferred;
		if (!rq->deferred)
			rq->deferred_tail = &rq->deferred;
		if (!p->deferred)
			continue;
		p->deferred = false;
		clear_direct_dispatch(p);
		dispatch_to_local(find_dsq_for_dispatch(rq, dsq_id), p, flags);
	}
}
