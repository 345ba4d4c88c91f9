// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Takes of one kind of object until there is no more to be had: "memcg KIND" says how many
 * that were and why no more were.
 */
#include "kernel/quota.h"

/* When all is taken nothing may be left for this process itself to need. */
static void keep_own(void)
{
	volatile char stack[64 << 10];

	for (size_t i = 0; i < sizeof(stack); i += PAGE)
		stack[i] = 1;
	must(!mlockall(MCL_CURRENT));
}

int main(int argc, char **argv)
{
	/* Deep rings and long plans: what takes much. */
	struct taker *t = taker_new(16384, VN_PLAN_DESCS_MAX);
	int err = 0;
	uint32_t n;

	for (uint32_t i = 0; argc > 1 && i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(argv[1], kinds[i].name))
			continue;
		keep_own();
		n = greed(t, kinds[i].take, &err);
		/* First: saying so takes a page, too. */
		taker_end(t);
		dprintf(1, "%u %s\n", n, strerrorname_np(-err));
		return 0;
	}
	return 2;
}
