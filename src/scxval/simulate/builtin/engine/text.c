/* SPDX-License-Identifier: MIT */
/* The engine's own texts: why the simulation ended, and its log. */
#include "engine.h"

#define LOG_BYTES (1U << 18)

static char end_text[SIM_TEXT_BYTES];
static char *log_text;
static u64 log_bytes;

static char *digits(char *end, u64 value, u32 base)
{
	do {
		*--end = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	return end;
}

/* %s, %d (int), %u (unsigned), %llu and %llx (u64), %%: no width, no flags. */
void text_into(char *out, u64 bytes, const char *format, __builtin_va_list args)
{
	char number[24], *end = number + sizeof(number) - 1, *limit = out + bytes - 1;

	*end = 0;
	for (; *format && out < limit; format++) {
		const char *piece = number;

		if (*format != '%') {
			*out++ = *format;
			continue;
		}
		format++;
		if (*format == 's') {
			piece = __builtin_va_arg(args, const char *);
		} else if (*format == 'd') {
			s64 value = __builtin_va_arg(args, int);

			piece = digits(end, value < 0 ? -value : value, 10);
			if (value < 0 && out < limit)
				*out++ = '-';
		} else if (*format == 'u') {
			piece = digits(end, __builtin_va_arg(args, unsigned int), 10);
		} else if (*format == 'l') {
			format += 2;
			piece = digits(end, __builtin_va_arg(args, u64), *format == 'x' ? 16 : 10);
		} else {
			piece = "%";
		}
		while (*piece && out < limit)
			*out++ = *piece++;
	}
	*out = 0;
}

void sim_end_with(int how, const char *format, ...)
{
	__builtin_va_list args;

	/* What came first is why. */
	if (S.ended != SIM_RUNNING)
		return;
	__builtin_va_start(args, format);
	text_into(end_text, sizeof(end_text), format, args);
	__builtin_va_end(args);
	S.ended = how;
	log_line("%s", end_text);
}

static void log_add(const char *text)
{
	while (*text && log_bytes < LOG_BYTES - 1)
		log_text[log_bytes++] = *text++;
	log_text[log_bytes] = 0;
}

void log_line(const char *format, ...)
{
	char line[SIM_TEXT_BYTES], stamp[32];
	char *end = stamp + sizeof(stamp) - 1;
	__builtin_va_list args;

	if (!log_text)
		return;
	__builtin_va_start(args, format);
	text_into(line, sizeof(line), format, args);
	__builtin_va_end(args);
	*end = 0;
	log_add(digits(end, S.now, 10));
	log_add(" ");
	log_add(line);
	log_add("\n");
}

bool log_setup(void)
{
	log_text = sim_alloc(LOG_BYTES);
	log_bytes = 0;
	end_text[0] = 0;
	return log_text;
}

void sim_error(const char *text)
{
	sim_end_with(SIM_EJECTED, "scx_bpf_error: %s", text);
}

void sim_log(const char *text)
{
	log_line("%s", text);
}

const char *sim_text(void)
{
	return end_text;
}

uint64_t sim_log_bytes(void)
{
	return log_bytes;
}

const char *sim_log_text(void)
{
	return log_text ? log_text : "";
}
