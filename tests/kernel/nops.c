// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A known number of everything: N allocations of a page, given back at once, N
 * windows, and N descriptors that do nothing.
 */
#include "abi/abi.h"

int main(int argc, char **argv)
{
	uint32_t n = argc > 1 ? atoi(argv[1]) : 1;
	struct vn_desc nop = { .opcode = VN_OP_NOP };
	int ctx = open_on(0);
	struct queue q = queue_create(ctx, 0, 64, -1);

	for (uint32_t i = 0; i < n; i++) {
		struct mem m = mem_alloc(ctx, 0, PAGE);

		must(!window_invalidate(ctx, 0, window_create(ctx, &m, 0, PAGE, ACCESS_ALL)));
		munmap(m.ptr, m.bytes);
		must(!mem_free(ctx, 0, m.addr));
		must(run(&q, &nop) == VN_OK);
	}
	queue_destroy(&q);
	close(ctx);
	return 0;
}
