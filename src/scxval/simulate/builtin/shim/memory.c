/* SPDX-License-Identifier: MIT */
/* What a compiler may call of itself; there is no libc. Compiled with -fno-builtin, or it would recurse. */
#include "map.h"

void *memcpy(void *to, const void *from, size_t bytes)
{
	u8 *out = to;
	const u8 *in = from;

	while (bytes--)
		*out++ = *in++;
	return to;
}

void *memmove(void *to, const void *from, size_t bytes)
{
	u8 *out = to;
	const u8 *in = from;

	if (out <= in)
		return memcpy(to, from, bytes);
	while (bytes--)
		out[bytes] = in[bytes];
	return to;
}

void *memset(void *at, int value, size_t bytes)
{
	u8 *out = at;

	while (bytes--)
		*out++ = value;
	return at;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
	const u8 *x = a, *y = b;

	for (; bytes; bytes--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}
