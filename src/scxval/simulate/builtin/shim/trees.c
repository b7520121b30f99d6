/* SPDX-License-Identifier: MIT */
/*
 * bpf_rbtree and bpf_list. Order is the kernel's (7.2: __bpf_rbtree_add and __bpf_list_add in
 * kernel/bpf/helpers.c): a node goes before those that it is less than and after its equals. The tree is
 * balanced by fixed pseudo-random priorities (a treap), which no order that a scheduler sees depends on.
 */
#include "map.h"

static struct bpf_rb_node **link_to(struct bpf_rb_root *root, struct bpf_rb_node *node)
{
	struct bpf_rb_node *parent = node->sim_parent;

	if (!parent)
		return &root->sim_top;
	return parent->sim_left == node ? &parent->sim_left : &parent->sim_right;
}

/* Put `node` in the place of its parent, which becomes its child. */
static void rotate_up(struct bpf_rb_root *root, struct bpf_rb_node *node)
{
	struct bpf_rb_node *parent = node->sim_parent;
	struct bpf_rb_node **above = link_to(root, parent);
	struct bpf_rb_node *moved;

	if (parent->sim_left == node) {
		moved = node->sim_right;
		parent->sim_left = moved;
		node->sim_right = parent;
	} else {
		moved = node->sim_left;
		parent->sim_right = moved;
		node->sim_left = parent;
	}
	if (moved)
		moved->sim_parent = parent;
	node->sim_parent = parent->sim_parent;
	parent->sim_parent = node;
	*above = node;
}

static struct bpf_rb_node *higher_child(struct bpf_rb_node *node)
{
	struct bpf_rb_node *left = node->sim_left, *right = node->sim_right;

	if (!left || !right)
		return left ?: right;
	return left->sim_priority > right->sim_priority ? left : right;
}

/* splitmix64 of the number of nodes added so far. */
static u64 priority(struct bpf_rb_root *root)
{
	u64 x = ++root->sim_draws * 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node,
			bool(less)(struct bpf_rb_node *a, const struct bpf_rb_node *b), void *meta, u64 off)
{
	struct bpf_rb_node **at = &root->sim_top, *parent = NULL;

	(void)meta;
	(void)off;
	if (node->sim_owner)
		return -EINVAL;
	while (*at) {
		parent = *at;
		at = less(node, parent) ? &parent->sim_left : &parent->sim_right;
	}
	node->sim_left = NULL;
	node->sim_right = NULL;
	node->sim_parent = parent;
	node->sim_owner = root;
	node->sim_priority = priority(root);
	*at = node;
	while (node->sim_parent && node->sim_parent->sim_priority < node->sim_priority)
		rotate_up(root, node);
	return 0;
}

struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node)
{
	if (!node || node->sim_owner != root)
		return NULL;
	while (node->sim_left || node->sim_right)
		rotate_up(root, higher_child(node));
	*link_to(root, node) = NULL;
	node->sim_owner = NULL;
	return node;
}

struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root)
{
	struct bpf_rb_node *node = root->sim_top;

	while (node && node->sim_left)
		node = node->sim_left;
	return node;
}

static int list_add(struct bpf_list_head *head, struct bpf_list_node *node, bool front)
{
	struct bpf_list_node *next = front ? head->sim_first : NULL;
	struct bpf_list_node *prev = front ? NULL : head->sim_last;

	if (node->sim_owner)
		return -EINVAL;
	node->sim_owner = head;
	node->sim_next = next;
	node->sim_prev = prev;
	*(next ? &next->sim_prev : &head->sim_last) = node;
	*(prev ? &prev->sim_next : &head->sim_first) = node;
	return 0;
}

static struct bpf_list_node *list_take(struct bpf_list_head *head, struct bpf_list_node *node)
{
	if (!node)
		return NULL;
	*(node->sim_next ? &node->sim_next->sim_prev : &head->sim_last) = node->sim_prev;
	*(node->sim_prev ? &node->sim_prev->sim_next : &head->sim_first) = node->sim_next;
	node->sim_owner = NULL;
	return node;
}

int bpf_list_push_front_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta, u64 off)
{
	(void)meta;
	(void)off;
	return list_add(head, node, true);
}

int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta, u64 off)
{
	(void)meta;
	(void)off;
	return list_add(head, node, false);
}

struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head)
{
	return list_take(head, head->sim_first);
}

struct bpf_list_node *bpf_list_pop_back(struct bpf_list_head *head)
{
	return list_take(head, head->sim_last);
}
