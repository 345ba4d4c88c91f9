// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"

/* A number with an optional K, M or G. */
static int number(const char *text, uint64_t *to)
{
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	*to = strtoull(text, &end, 10);
	if (*end)
		shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 64;
	if (shift == 64 || (shift && end[1]) || *to > UINT64_MAX >> shift)
		return -EINVAL;
	*to <<= shift;
	return 0;
}

/* A number as it is. */
static int number_of(const char *text, uint64_t *to)
{
	return *text && strspn(text, "0123456789") == strlen(text) ? number(text, to) : -EINVAL;
}

static int range(const char *name, const char *value, uint64_t least, uint64_t most, uint64_t *to)
{
	if (number(value, to) || *to < least || *to > most)
		return vn_fail(-EINVAL, "device option %s=%s: want %llu to %llu", name, value,
			       (unsigned long long)least, (unsigned long long)most);
	return 0;
}

static int option(char *item, struct vn_spec *s)
{
	char *value = strchr(item, '=');
	uint64_t n = 0;
	int err;

	if (!value)
		return vn_fail(-EINVAL, "device option '%s': want NAME=VALUE", item);
	*value++ = '\0';
	if (!strcmp(item, "sleds")) {
		err = range(item, value, 1, VN_MAX_SLEDS, &n);
		s->sleds = n;
	} else if (!strcmp(item, "chips")) {
		err = range(item, value, 1, VN_MAX_CHIPS_PER_SLED, &n);
		s->chips = n;
	} else if (!strcmp(item, "spares")) {
		err = range(item, value, 0, VN_MAX_SPARES, &n);
		s->spares = n;
	} else if (!strcmp(item, "hbm")) {
		err = range(item, value, 4096, 1ull << VN_ADDR_OFFSET_BITS, &n);
		s->hbm = n & ~4095ull;
	} else if (!strcmp(item, "threads")) {
		err = range(item, value, 0, 64, &n);
		s->threads = n;
	} else if (!strcmp(item, "control")) {
		err = range(item, value, 0, 1, &n);
		s->control = n;
	} else if (!strcmp(item, "simd")) {
		s->scalar = !strcmp(value, "scalar");
		err = s->scalar || !strcmp(value, "avx2")
			      ? 0
			      : vn_fail(-EINVAL, "device option simd=%s: want scalar or avx2",
					value);
	} else {
		err = vn_fail(
			-EINVAL,
			"unknown device option '%s' (sleds, chips, spares, hbm, threads, simd, "
			"control)",
			item);
	}
	return err;
}

/* PID, or PID/NUMBER */
static int process(const char *text, struct vn_spec *s)
{
	char copy[24], *slash;
	uint64_t pid, number = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	slash = strchr(copy, '/');
	if (slash)
		*slash++ = '\0';
	if (strlen(text) >= sizeof(copy) || number_of(copy, &pid) || !pid || pid > INT32_MAX ||
	    (slash && (number_of(slash, &number) || number > INT32_MAX)))
		return vn_fail(-EINVAL,
			       "device 'pid:%s': want pid:PID, or pid:PID/1 for its second", text);
	s->pid = pid;
	s->number = number;
	return 0;
}

static bool seen_by_others(void)
{
	const char *v = secure_getenv("VNEURON_CONTROL");

	return v && *v && strcmp(v, "0");
}

int vn_spec_parse(const char *text, struct vn_spec *s)
{
	char copy[256], *item, *save = NULL;
	int err;

	memset(s, 0, sizeof(*s));
	s->threads = -1;
	if (strlen(text) >= sizeof(copy))
		return vn_fail(-EINVAL, "device spec longer than %zu bytes", sizeof(copy) - 1);
	if (*text == '/') {
		strcpy(s->node, text);
		return 0;
	}
	if (!strncmp(text, "pid:", 4))
		return process(text + 4, s);
	s->control = seen_by_others();
	if (strncmp(text, "embedded", 8) || (text[8] && text[8] != ':'))
		return vn_fail(
			-EINVAL,
			"unknown device '%s' (a node such as /dev/vneuron0, embedded[:OPTIONS] or "
			"pid:PID)",
			text);
	strcpy(copy, text[8] ? text + 9 : "");
	for (item = strtok_r(copy, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
		err = option(item, s);
		if (err)
			return err;
	}
	if (!s->sleds)
		s->sleds = 36;
	if (!s->chips)
		s->chips = 4;
	if (!s->hbm)
		s->hbm = 1ull << 30;
	if (s->sleds * s->chips > VN_MAX_CHIPS)
		return vn_fail(-EINVAL, "device '%s': %u sleds of %u chips are more than %u chips",
			       text, s->sleds, s->chips, VN_MAX_CHIPS);
	return 0;
}
