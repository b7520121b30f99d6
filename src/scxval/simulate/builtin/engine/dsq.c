/* SPDX-License-Identifier: MIT */
/* Dispatch queues: lists in order of arrival, or of vtime; what may stand in which is ext.c's business. */
#include "engine.h"

static u32 bucket(u64 id)
{
	return (id * 0x9e3779b97f4a7c15ULL) >> 56;
}

void dsq_insert_after(struct dsq_node *node, struct dsq_node *prev)
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
		dsq_insert_after(&p->node, place_by_vtime(dsq, p->ts.scx.dsq_vtime));
	else if (enq_flags & (SCX_ENQ_HEAD | SCX_ENQ_PREEMPT))
		dsq_insert_after(&p->node, &dsq->list);
	else
		dsq_insert_after(&p->node, dsq->list.prev);
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
