/* SPDX-License-Identifier: MIT */
/* Queue and stack maps; as in the kernel (7.2: kernel/bpf/queue_stack_maps.c). */
#include "map.h"

long sim_queue_push(struct sim_map *map, const void *value, u64 flags)
{
	bool replace = flags & BPF_EXIST;

	if (!map)
		return -ENOMEM;
	/* BPF_EXIST overwrites the oldest. */
	if (flags & BPF_NOEXIST || flags > BPF_EXIST)
		return -EINVAL;
	if (map->nr == map->max_entries && !replace)
		return -E2BIG;
	memcpy(map->values + (u64)map->head * map->stride, value, map->value_bytes);
	map->head = (map->head + 1) % map->max_entries;
	if (map->nr < map->max_entries)
		map->nr++;
	return 0;
}

long sim_queue_pop(struct sim_map *map, void *value, bool take)
{
	u32 back, at;

	if (!map)
		return -ENOMEM;
	if (!map->nr) {
		memset(value, 0, map->value_bytes);
		return -ENOENT;
	}
	back = map->type == BPF_MAP_TYPE_STACK ? 1 : map->nr;
	at = (map->head + map->max_entries - back) % map->max_entries;
	memcpy(value, map->values + (u64)at * map->stride, map->value_bytes);
	if (take) {
		map->nr--;
		if (map->type == BPF_MAP_TYPE_STACK)
			map->head = at;
	}
	return 0;
}
