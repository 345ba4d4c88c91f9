/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sleds taken out of service and brought back by raw calls, a step at a time. */
#ifndef VN_TEST_DRAINED_H
#define VN_TEST_DRAINED_H

#include "abi/abi.h"

TAP_FN uint32_t sled_of(int ctx, uint32_t chip)
{
	return chip_query(ctx, chip).sled;
}

TAP_FN uint32_t sled_state(int ctx, uint32_t sled)
{
	struct vn_sled_query q = { .size = sizeof(q), .sled = sled };

	must(!call(ctx, VN_IOCTL_SLED_QUERY, &q));
	return q.state;
}

TAP_FN struct vn_drain_open drain_of(uint32_t sled, uint32_t flags)
{
	return (struct vn_drain_open){ .size = sizeof(struct vn_drain_open),
				       .flags = flags,
				       .sled = sled,
				       .to = VN_ANY_SLED,
				       .operation = 7 + flags,
				       .budget_ns = VN_BUDGET_MAX };
}

/* The session, or -errno. */
TAP_FN int drain_open(int ctx, uint32_t sled, uint32_t flags)
{
	struct vn_drain_open a = drain_of(sled, flags);
	int err = call(ctx, VN_IOCTL_DRAIN_OPEN, &a);

	return err ? err : a.fd;
}

TAP_FN int drain_step(int session, uint32_t to)
{
	struct vn_drain_step s = { .size = sizeof(s), .to = to };

	return call(session, VN_IOCTL_DRAIN_STEP, &s);
}

/* A session that has got as far as that state. */
TAP_FN int drain_till(int ctx, uint32_t sled, uint32_t state)
{
	static const uint32_t steps[] = { VN_SLED_CORDONED, VN_SLED_PRECOPY, VN_SLED_COMMITTED,
					  VN_SLED_DRAINED };
	int fd = drain_open(ctx, sled, 0);

	must(fd >= 0);
	for (uint32_t i = 0; i < ARRAY_SIZE(steps) && steps[i] <= state; i++)
		must(!drain_step(fd, steps[i]));
	return fd;
}

TAP_FN void drain_whole(int ctx, uint32_t sled)
{
	close(drain_till(ctx, sled, VN_SLED_DRAINED));
}

/* Tested, and in service again. */
TAP_FN int bring_back(int ctx, uint32_t sled)
{
	int fd = drain_open(ctx, sled, VN_DRAIN_BACK), err;

	if (fd < 0)
		return fd;
	err = drain_step(fd, VN_SLED_IN_SERVICE);
	close(fd);
	return err;
}

#endif
