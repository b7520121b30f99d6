/* SPDX-License-Identifier: MIT */
/*
 * BPF maps: arrays, per-CPU arrays and hashes. Their answers are the kernel's (7.2: kernel/bpf/arraymap.c,
 * hashtab.c); their memory is not, and a deleted element of a hash may be read until it is used again, as
 * under RCU.
 */
#include "map.h"

static u32 round_up8(u32 bytes)
{
	return (bytes + 7) & ~7U;
}

void *sim_need(u64 bytes)
{
	void *got = sim_alloc(bytes);

	if (!got)
		sim_error("the simulation's memory is used up by the scheduler's maps and objects");
	return got;
}

static bool make_hash(struct sim_map *map)
{
	u32 buckets = 16;

	/* The kernel has a bucket for each entry; a quarter does for what is mostly empty. */
	while (buckets < map->max_entries / 4)
		buckets *= 2;
	map->bucket_mask = buckets - 1;
	map->buckets = sim_need(buckets * sizeof(*map->buckets));
	return map->buckets;
}

static bool make_array(struct sim_map *map)
{
	u64 copies = map->type == BPF_MAP_TYPE_PERCPU_ARRAY ? sim_nr_cpus() : 1;

	map->values = sim_need(copies * map->max_entries * map->stride);
	map->keys = sim_need(map->max_entries * sizeof(*map->keys));
	if (!map->values || !map->keys)
		return false;
	for (u32 n = 0; n < map->max_entries; n++)
		map->keys[n] = n;
	return true;
}

static bool make_storage(struct sim_map *map, u32 owners)
{
	map->max_entries = owners;
	map->values = sim_need((u64)owners * map->stride);
	map->present = sim_need((owners + 63) / 64 * sizeof(*map->present));
	return map->values && map->present;
}

static bool make(struct sim_map *map)
{
	switch (map->type) {
	case BPF_MAP_TYPE_HASH:
		return make_hash(map);
	case BPF_MAP_TYPE_TASK_STORAGE:
		return make_storage(map, sim_nr_tasks() + sim_nr_cpus());
	case BPF_MAP_TYPE_CGRP_STORAGE:
		return make_storage(map, sim_nr_cgroups());
	case BPF_MAP_TYPE_QUEUE:
	case BPF_MAP_TYPE_STACK:
		map->values = sim_need((u64)map->max_entries * map->stride);
		return map->values;
	default:
		return make_array(map);
	}
}

struct sim_map *sim_map(void *object, u32 type, u32 key_bytes, u32 value_bytes, u32 max_entries)
{
	struct sim_map **slot = object;
	struct sim_map *map = *slot;

	if (map)
		return map;
	map = sim_need(sizeof(*map));
	if (!map)
		return NULL;
	map->type = type;
	map->key_bytes = key_bytes;
	map->value_bytes = value_bytes;
	map->stride = round_up8(value_bytes);
	map->max_entries = max_entries;
	if (!make(map))
		return NULL;
	*slot = map;
	return map;
}

static u32 array_index(const void *key)
{
	u32 index;

	memcpy(&index, key, sizeof(index));
	return index;
}

static void *array_value(struct sim_map *map, u32 index, s32 cpu)
{
	u64 copy = map->type == BPF_MAP_TYPE_PERCPU_ARRAY ? cpu : 0;

	if (index >= map->max_entries || copy >= sim_nr_cpus())
		return NULL;
	return map->values + (copy * map->max_entries + index) * map->stride;
}

static void *value_of(struct sim_map *map, struct sim_element *element)
{
	return (u8 *)element->bytes + round_up8(map->key_bytes);
}

/* Where the pointer to the key's element is, or would be: FNV-1a over the key's bytes. */
static struct sim_element **find(struct sim_map *map, const void *key)
{
	const u8 *bytes = key;
	struct sim_element **at;
	u64 hash = 0xcbf29ce484222325ULL;

	for (u32 n = 0; n < map->key_bytes; n++)
		hash = (hash ^ bytes[n]) * 0x100000001b3ULL;
	at = &map->buckets[(hash ^ hash >> 32) & map->bucket_mask];
	while (*at && memcmp((*at)->bytes, key, map->key_bytes))
		at = &(*at)->next;
	return at;
}

void *sim_map_lookup(struct sim_map *map, const void *key, s32 cpu)
{
	struct sim_element *element;

	if (!map)
		return NULL;
	if (map->type != BPF_MAP_TYPE_HASH)
		return array_value(map, array_index(key), cpu);
	element = *find(map, key);
	return element ? value_of(map, element) : NULL;
}

static long array_update(struct sim_map *map, const void *key, const void *value, u64 flags)
{
	void *at;

	if (array_index(key) >= map->max_entries)
		return -E2BIG;
	if (flags & BPF_NOEXIST)
		return -EEXIST;
	at = array_value(map, array_index(key), sim_this_cpu());
	memcpy(at, value, map->value_bytes);
	return 0;
}

static struct sim_element *new_element(struct sim_map *map)
{
	struct sim_element *element = map->spare;
	u64 bytes = sizeof(*element) + round_up8(map->key_bytes) + map->stride;

	if (!element)
		return sim_need(bytes);
	map->spare = element->next;
	memset(element, 0, bytes);
	return element;
}

static long hash_update(struct sim_map *map, const void *key, const void *value, u64 flags)
{
	struct sim_element **at = find(map, key);

	if (*at && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!*at && flags == BPF_EXIST)
		return -ENOENT;
	if (!*at) {
		if (map->nr >= map->max_entries)
			return -E2BIG;
		*at = new_element(map);
		if (!*at)
			return -ENOMEM;
		memcpy((*at)->bytes, key, map->key_bytes);
		map->nr++;
	}
	memcpy(value_of(map, *at), value, map->value_bytes);
	return 0;
}

long sim_map_update(struct sim_map *map, const void *key, const void *value, u64 flags)
{
	if (!map)
		return -ENOMEM;
	if (flags > BPF_EXIST)
		return -EINVAL;
	if (map->type == BPF_MAP_TYPE_HASH)
		return hash_update(map, key, value, flags);
	return array_update(map, key, value, flags);
}

long sim_map_delete(struct sim_map *map, const void *key)
{
	struct sim_element **at, *gone;

	if (!map || map->type != BPF_MAP_TYPE_HASH)
		return -EINVAL;
	at = find(map, key);
	gone = *at;
	if (!gone)
		return -ENOENT;
	*at = gone->next;
	gone->next = map->spare;
	map->spare = gone;
	map->nr--;
	return 0;
}

static bool within(const void *inside, const void *start, u64 bytes)
{
	return (u64)inside - (u64)start < bytes;
}

bool sim_map_element(struct sim_map *map, const void *inside, void **key, void **value)
{
	if (map->type == BPF_MAP_TYPE_ARRAY) {
		u64 index = ((u64)inside - (u64)map->values) / map->stride;

		if (!within(inside, map->values, (u64)map->max_entries * map->stride))
			return false;
		*key = &map->keys[index];
		*value = map->values + index * map->stride;
		return true;
	}
	if (map->type != BPF_MAP_TYPE_HASH)
		return false;
	for (u32 bucket = 0; bucket <= map->bucket_mask; bucket++) {
		for (struct sim_element *e = map->buckets[bucket]; e; e = e->next) {
			if (within(inside, value_of(map, e), map->value_bytes)) {
				*key = e->bytes;
				*value = value_of(map, e);
				return true;
			}
		}
	}
	return false;
}
