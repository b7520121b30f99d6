/* SPDX-License-Identifier: MIT */
/* Dispatch queues: lists in order of arrival, or of vtime; what may stand in which is ext.c's business. */
#include "engine.h"

static u32 bucket(u64 id)
{
	return (id * 0x9e3779b97f4a7c15ULL) >> 56;
}

static void insert_after(struct dsq_node *node, struct dsq_node *prev)
{
	node->prev = prev;
	node->next = prev->next;
	prev->next->prev = node;
	prev->next = node;
}

void dsq_init(struct dsq *dsq, u64 id)
{
	*dsq = (struct dsq){ .id = id };
	dsq->list.next = dsq->list.prev = &dsq->list;
	dsq->list.flags = NODE_CURSOR;
}

struct dsq *dsq_find(u64 id)
{
	struct dsq *dsq = S.dsqs[bucket(id)];

	while (dsq && dsq->id != id)
		dsq = dsq->hash_next;
	return dsq;
}

/* As scx_bpf_create_dsq(): 0, or a negative errno. */
int dsq_create(u64 id)
{
	struct dsq *dsq;

	if (id & SCX_DSQ_FLAG_BUILTIN)
		return -EINVAL;
	if (dsq_find(id))
		return -EEXIST;
	dsq = sim_alloc(sizeof(*dsq));
	if (!dsq)
		return -ENOMEM;
	dsq_init(dsq, id);
	dsq->hash_next = S.dsqs[bucket(id)];
	S.dsqs[bucket(id)] = dsq;
	return 0;
}

void dsq_destroy(u64 id)
{
	struct dsq **at = &S.dsqs[bucket(id)];

	while (*at && (*at)->id != id)
		at = &(*at)->hash_next;
	if (!*at)
		return;
	if ((*at)->nr)
		sim_end_with(SIM_EJECTED, "attempting to destroy in-use dsq 0x%llx (nr=%u)", id, (*at)->nr);
	else
		*at = (*at)->hash_next;
}

/* The next task from `node` on, past cursors; NULL at the end. */
struct sim_task *dsq_after(struct dsq *dsq, struct dsq_node *node, bool backwards)
{
	do {
		node = backwards ? node->prev : node->next;
		if (node == &dsq->list)
			return NULL;
	} while (node->flags & NODE_CURSOR);
	return node_task(node);
}

struct sim_task *dsq_first(struct dsq *dsq)
{
	return dsq_after(dsq, &dsq->list, false);
}

/* Of equal vtimes, the one that came first stays first, as in the tree of ext.c's dispatch_enqueue(). */
static struct dsq_node *place_by_vtime(struct dsq *dsq, u64 vtime)
{
	struct sim_task *t = dsq_after(dsq, &dsq->list, true);

	while (t && before(vtime, t->ts.scx.dsq_vtime))
		t = dsq_after(dsq, &t->node, true);
	return t ? &t->node : &dsq->list;
}

void dsq_link(struct dsq *dsq, struct sim_task *p, u64 enq_flags)
{
	if (!dsq->nr)
		dsq->priq = enq_flags & SCX_ENQ_DSQ_PRIQ;
	if (enq_flags & SCX_ENQ_DSQ_PRIQ)
		insert_after(&p->node, place_by_vtime(dsq, p->ts.scx.dsq_vtime));
	else if (enq_flags & (SCX_ENQ_HEAD | SCX_ENQ_PREEMPT))
		insert_after(&p->node, &dsq->list);
	else
		insert_after(&p->node, dsq->list.prev);
	p->node.flags = 0;
	p->node.seq = ++dsq->seq;
	p->dsq = dsq;
	dsq->nr++;
}

void dsq_unlink(struct sim_task *p)
{
	p->node.prev->next = p->node.next;
	p->node.next->prev = p->node.prev;
	p->dsq->nr--;
	p->dsq = NULL;
}

/* -- iterators, as nldsq_cursor_next_task() of ext.c: only what was queued when they began is seen */

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
	insert_after(&i->cursor, backwards ? t->node.prev : &t->node);
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
		moved = dsq_move(i->dsq, p, dsq_id, enq_flags);
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
