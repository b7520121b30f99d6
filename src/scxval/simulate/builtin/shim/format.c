/* SPDX-License-Identifier: MIT */
/*
 * Text of bpf_printk, scx_bpf_error and their like: the kernel's bstr_printf with the formats that
 * bpf_bprintf_prepare takes (7.2: kernel/bpf/helpers.c); what it refuses is refused here.
 */
#include "map.h"

struct text {
	char *out;
	u64 room;
	u64 length;
};

struct field {
	bool left;
	bool plus;
	bool space;
	bool zero;
	u32 width;
};

static void put(struct text *text, char c)
{
	if (text->length + 1 < text->room)
		text->out[text->length++] = c;
}

static void put_padded(struct text *text, const struct field *field, const char *body, u32 length)
{
	u32 pad = field->width > length ? field->width - length : 0;

	for (u32 n = 0; !field->left && n < pad; n++)
		put(text, ' ');
	for (u32 n = 0; n < length; n++)
		put(text, body[n]);
	for (u32 n = 0; field->left && n < pad; n++)
		put(text, ' ');
}

static void put_number(struct text *text, const struct field *field, u64 value, u32 base, char sign, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char body[24 + 1];
	u32 at = sizeof(body);
	u32 room = field->zero && !field->left ? field->width : 0;

	do {
		body[--at] = digits[value % base];
		value /= base;
	} while (value);
	/* Zeros stand between the sign and the digits; a sign takes one of the width. */
	if (sign && !room)
		body[--at] = sign;
	if (room) {
		u32 length = sizeof(body) - at + !!sign;

		if (sign)
			put(text, sign);
		for (; length < room; length++)
			put(text, '0');
		for (; at < sizeof(body); at++)
			put(text, body[at]);
		return;
	}
	put_padded(text, field, body + at, sizeof(body) - at);
}

static void put_signed(struct text *text, const struct field *field, s64 value)
{
	char sign = value < 0 ? '-' : field->plus ? '+' : field->space ? ' ' : 0;

	put_number(text, field, value < 0 ? -(u64)value : (u64)value, 10, sign, false);
}

static const char *read_field(const char *at, struct field *field)
{
	*field = (struct field){};
	for (;; at++) {
		if (*at == '-')
			field->left = true;
		else if (*at == '+')
			field->plus = true;
		else if (*at == ' ')
			field->space = true;
		else if (*at == '0')
			field->zero = true;
		else
			break;
	}
	while (*at >= '0' && *at <= '9')
		field->width = field->width * 10 + *at++ - '0';
	return at;
}

static void put_string(struct text *text, const struct field *field, const char *from)
{
	u32 length = 0;

	if (!from)
		from = "(null)";
	while (from[length])
		length++;
	put_padded(text, field, from, length);
}

/* One conversion of an argument of 4 (`longs` 0) or 8 bytes; false when the kernel has none such. */
static bool put_integer(struct text *text, const struct field *field, char kind, u64 value, u32 longs)
{
	u64 number = longs ? value : (u32)value;

	switch (kind) {
	case 'd':
	case 'i':
		put_signed(text, field, longs ? (s64)value : (s32)value);
		return true;
	case 'u':
		put_number(text, field, number, 10, 0, false);
		return true;
	case 'x':
	case 'X':
		put_number(text, field, number, 16, 0, kind == 'X');
		return true;
	default:
		return false;
	}
}

/*
 * A pointer is no number here: it would differ from run to run. The text is the kernel's own for one that
 * it cannot hash yet. What follows %p in the kernel's other forms (%ps, %pI4) is not modelled.
 */
static const char *put_pointer(struct text *text, const struct field *field, const char *at)
{
	static const char hidden[] = "(____ptrval____)";

	if (*at == 'x' || *at == 'K')
		at++;
	else if ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z'))
		return NULL;
	put_padded(text, field, hidden, sizeof(hidden) - 1);
	return at;
}

/* Write one conversion, `at` just behind its %; where it ends, or NULL for one that is refused. */
static const char *convert(struct text *text, const char *at, u64 value)
{
	struct field field;
	u32 longs = 0;
	char c;

	at = read_field(at, &field);
	switch (*at) {
	case 's':
		put_string(text, &field, (const char *)value);
		return at + 1;
	case 'c':
		c = value;
		put_padded(text, &field, &c, 1);
		return at + 1;
	case 'p':
		return put_pointer(text, &field, at + 1);
	}
	while (*at == 'l' && longs < 2) {
		longs++;
		at++;
	}
	return put_integer(text, &field, *at, value, longs) ? at + 1 : NULL;
}

long sim_format(char *out, u64 room, const char *format, const u64 *args, u32 nr_args)
{
	struct text text = { .out = out, .room = room };
	u32 used = 0;

	for (const char *at = format; *at;) {
		/* The kernel takes plain ASCII only. */
		if ((u8)*at >= 128)
			return -EINVAL;
		if (*at != '%') {
			put(&text, *at++);
			continue;
		}
		if (*++at == '%') {
			put(&text, *at++);
			continue;
		}
		at = used < nr_args ? convert(&text, at, args[used++]) : NULL;
		if (!at)
			return -EINVAL;
	}
	if (room)
		out[text.length] = 0;
	return text.length;
}

/* The line that a scheduler's text becomes, without the newline that the log adds. */
static char line[SCX_EXIT_MSG_LEN];

static long format_line(const char *format, const u64 *args, u32 nr_args)
{
	long length = sim_format(line, sizeof(line), format, args, nr_args);

	while (length > 0 && line[length - 1] == '\n')
		line[--length] = 0;
	return length;
}

long sim_printk(const char *format, const u64 *args, u32 nr_args)
{
	long length = format_line(format, args, nr_args);

	if (length >= 0)
		sim_log(line);
	return length;
}

/* As bstr_format in the kernel's ext.c: a bad format ends the scheduler as well, with that as the reason. */
static void end_with(const char *format, const u64 *args, u32 bytes)
{
	if (format_line(format, args, bytes / sizeof(u64)) < 0)
		sim_error("the scheduler's last words have a format that the kernel refuses");
	else
		sim_error(line);
}

void scx_bpf_error_bstr(char *fmt, unsigned long long *data, u32 data_len)
{
	end_with(fmt, data, data_len);
}

/* A scheduler that leaves of its own accord; the simulation has one way to end it. */
void scx_bpf_exit_bstr(s64 exit_code, char *fmt, unsigned long long *data, u32 data__sz)
{
	u64 code = exit_code;

	sim_printk("scx_bpf_exit with code %lld", &code, 1);
	end_with(fmt, data, data__sz);
}

void scx_bpf_dump_bstr(char *fmt, unsigned long long *data, u32 data_len)
{
	if (format_line(fmt, data, data_len / sizeof(u64)) >= 0)
		sim_log(line);
}
