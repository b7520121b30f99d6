/* SPDX-License-Identifier: MIT */
/*
 * Objects that a scheduler makes and drops, and the arena. Memory that is given back is used again for
 * objects of the same size: the engine's own is never returned.
 */
#include "map.h"

enum {
	SIZES = 64,
	PAGE = __PAGE_SIZE,
};

struct block {
	struct block *next;
	u64 bytes;
	u64 body[];
};

static struct block *spare[SIZES];

struct arena_range {
	struct arena_range *next;
	void *start;
	u32 pages;
	bool used;
};

struct arena {
	struct arena_range *ranges;
	u32 used_pages;
};

void *sim_obj_new(u64 bytes)
{
	u64 size = (bytes + 15) & ~15ULL;
	struct block **list = &spare[size / 16 % SIZES];
	struct block *found;

	while (*list && (*list)->bytes != size)
		list = &(*list)->next;
	found = *list;
	if (found)
		*list = found->next;
	else
		found = sim_need(sizeof(*found) + size);
	if (!found)
		return NULL;
	found->bytes = size;
	memset(found->body, 0, size);
	return found->body;
}

void sim_obj_free(void *object)
{
	struct block *gone = container_of(object, struct block, body);
	struct block **list = &spare[gone->bytes / 16 % SIZES];

	gone->next = *list;
	*list = gone;
}

void bpf_obj_drop_impl(void *kptr, void *meta)
{
	(void)meta;
	if (kptr)
		sim_obj_free(kptr);
}

static struct arena *arena_of(void *object)
{
	struct arena **slot = object;

	if (!*slot)
		*slot = sim_need(sizeof(**slot));
	return *slot;
}

static struct arena_range *find_range(struct arena *arena, u32 pages)
{
	struct arena_range *range = arena->ranges;
	u64 start;

	while (range && (range->used || range->pages != pages))
		range = range->next;
	if (range)
		return range;
	range = sim_need(sizeof(*range));
	start = range ? (u64)sim_need((u64)(pages + 1) * PAGE) : 0;
	if (!start)
		return NULL;
	range->start = (void *)((start + PAGE - 1) & ~(u64)(PAGE - 1));
	range->pages = pages;
	range->next = arena->ranges;
	arena->ranges = range;
	return range;
}

/* An address that is asked for (`at`) is not modelled: no scheduler of the tree asks for one. */
void *sim_arena_alloc(void *object, u32 max_pages, void *at, u32 pages)
{
	struct arena *arena = arena_of(object);
	struct arena_range *range;

	if (!arena || at || !pages || pages > max_pages - arena->used_pages)
		return NULL;
	range = find_range(arena, pages);
	if (!range)
		return NULL;
	range->used = true;
	arena->used_pages += pages;
	memset(range->start, 0, (u64)pages * PAGE);
	return range->start;
}

void sim_arena_free(void *object, void *start, u32 pages)
{
	struct arena *arena = arena_of(object);
	struct arena_range *range = arena ? arena->ranges : NULL;

	while (range && range->start != start)
		range = range->next;
	if (!range || !range->used || range->pages != pages)
		return;
	range->used = false;
	arena->used_pages -= pages;
}
