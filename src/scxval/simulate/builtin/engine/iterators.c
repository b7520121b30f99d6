/* SPDX-License-Identifier: MIT */
/*
 * Walks over a dispatch queue, as nldsq_cursor_next_task() of ext.c (7.2): only what was queued when one
 * began is seen.
 */
#include "engine.h"

struct iterator {
	struct dsq_node cursor;
	struct dsq *dsq;
	u64 slice;
	u64 vtime;
};

#define HAS_SLICE (1U << 30)
#define HAS_VTIME (1U << 29)

_Static_assert(sizeof(struct iterator) <= sizeof(struct bpf_iter_scx_dsq), "fits what schedulers reserve");

int bpf_iter_scx_dsq_new(struct bpf_iter_scx_dsq *it, u64 dsq_id, u64 flags)
{
	struct iterator *i = (struct iterator *)it;

	i->dsq = NULL;
	if (flags & ~(u64)SCX_DSQ_ITER_REV)
		return -EINVAL;
	i->dsq = dsq_find(dsq_id);
	if (!i->dsq)
		return -ENOENT;
	i->cursor.flags = NODE_CURSOR | (u32)flags;
	i->cursor.seq = i->dsq->seq;
	i->cursor.next = i->cursor.prev = &i->cursor;
	return 0;
}

static void cursor_leave(struct dsq_node *cursor)
{
	cursor->prev->next = cursor->next;
	cursor->next->prev = cursor->prev;
	cursor->next = cursor->prev = cursor;
}

struct task_struct *bpf_iter_scx_dsq_next(struct bpf_iter_scx_dsq *it)
{
	struct iterator *i = (struct iterator *)it;
	bool backwards = i->cursor.flags & SCX_DSQ_ITER_REV;
	struct dsq_node *node;
	struct sim_task *t;

	if (!i->dsq)
		return NULL;
	node = i->cursor.next == &i->cursor ? &i->dsq->list : &i->cursor;
	do {
		t = dsq_after(i->dsq, node, backwards);
		node = t ? &t->node : NULL;
	} while (t && (s32)(i->cursor.seq - t->node.seq) < 0);
	cursor_leave(&i->cursor);
	if (!t)
		return NULL;
	dsq_insert_after(&i->cursor, backwards ? t->node.prev : &t->node);
	return &t->ts;
}

void bpf_iter_scx_dsq_destroy(struct bpf_iter_scx_dsq *it)
{
	struct iterator *i = (struct iterator *)it;

	if (i->dsq)
		cursor_leave(&i->cursor);
	i->dsq = NULL;
}

void scx_bpf_dsq_move_set_slice___new(struct bpf_iter_scx_dsq *it, u64 slice)
{
	struct iterator *i = (struct iterator *)it;

	i->slice = slice;
	i->cursor.flags |= HAS_SLICE;
}

void scx_bpf_dsq_move_set_vtime___new(struct bpf_iter_scx_dsq *it, u64 vtime)
{
	struct iterator *i = (struct iterator *)it;

	i->vtime = vtime;
	i->cursor.flags |= HAS_VTIME;
}

static bool iterator_move(struct bpf_iter_scx_dsq *it, struct task_struct *ts, u64 dsq_id, u64 enq_flags)
{
	struct iterator *i = (struct iterator *)it;
	struct sim_task *p = sim_of(ts);
	bool moved = false;

	/* Somebody else may have taken it since, or it came back later (nldsq_cursor_lost_task()). */
	if (i->dsq && p->dsq == i->dsq && (s32)(i->cursor.seq - p->node.seq) >= 0) {
		if (i->cursor.flags & HAS_VTIME)
			ts->scx.dsq_vtime = i->vtime;
		if (i->cursor.flags & HAS_SLICE)
			ts->scx.slice = i->slice;
		dsq_move(p, dsq_id, enq_flags);
		moved = true;
	}
	i->cursor.flags &= ~(HAS_SLICE | HAS_VTIME);
	return moved;
}

bool scx_bpf_dsq_move___new(struct bpf_iter_scx_dsq *it, struct task_struct *p, u64 dsq_id, u64 enq_flags)
{
	return iterator_move(it, p, dsq_id, enq_flags);
}

bool scx_bpf_dsq_move_vtime___new(struct bpf_iter_scx_dsq *it, struct task_struct *p, u64 dsq_id, u64 enq_flags)
{
	return iterator_move(it, p, dsq_id, enq_flags | SCX_ENQ_DSQ_PRIQ);
}
