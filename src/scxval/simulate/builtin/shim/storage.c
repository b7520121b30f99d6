/* SPDX-License-Identifier: MIT */
/*
 * Storage of tasks and cgroups: a value for each, by the engine's index of it (7.2:
 * kernel/bpf/bpf_local_storage.c).
 */
#include "map.h"

static void *storage_get(struct sim_map *map, u32 index, const void *value, u64 flags)
{
	u64 bit = 1ULL << (index & 63);
	u8 *at;

	if (!map || flags & ~(u64)BPF_LOCAL_STORAGE_GET_F_CREATE || index >= map->max_entries)
		return NULL;
	at = map->values + (u64)index * map->stride;
	if (map->present[index / 64] & bit)
		return at;
	if (!(flags & BPF_LOCAL_STORAGE_GET_F_CREATE))
		return NULL;
	map->present[index / 64] |= bit;
	if (value)
		memcpy(at, value, map->value_bytes);
	else
		memset(at, 0, map->value_bytes);
	return at;
}

static long storage_delete(struct sim_map *map, u32 index)
{
	u64 bit = 1ULL << (index & 63);

	if (!map || index >= map->max_entries || !(map->present[index / 64] & bit))
		return -ENOENT;
	map->present[index / 64] &= ~bit;
	return 0;
}

void *sim_task_storage_get(struct sim_map *map, struct task_struct *p, const void *value, u64 flags)
{
	return p ? storage_get(map, sim_task_index(p), value, flags) : NULL;
}

long sim_task_storage_delete(struct sim_map *map, struct task_struct *p)
{
	return p ? storage_delete(map, sim_task_index(p)) : -EINVAL;
}

void *sim_cgrp_storage_get(struct sim_map *map, struct cgroup *cgrp, const void *value, u64 flags)
{
	return cgrp ? storage_get(map, sim_cgroup_index(cgrp), value, flags) : NULL;
}

long sim_cgrp_storage_delete(struct sim_map *map, struct cgroup *cgrp)
{
	return cgrp ? storage_delete(map, sim_cgroup_index(cgrp)) : -EINVAL;
}
