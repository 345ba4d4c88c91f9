// SPDX-License-Identifier: GPL-2.0-only

#include <linux/gfp.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/mm.h>
#include "engine/validate.h"
#include "fault.h"
#include "pool.h"
#include "sled.h"

#define ROUNDS	4u

static u8 *block_on(u32 sled)
{
	struct page *page = NULL;

	if (!vn_fault_alloc())
		page = alloc_pages_node(vn_device_node(sled), GFP_KERNEL_ACCOUNT,
					get_order(VN_VALIDATE_BYTES));

	return page ? page_address(page) : NULL;
}

static int run(u8 **block, u32 n, u32 *fault, u32 *bad)
{
	struct vn_runner *r;

	for (u32 i = 0; i < ROUNDS && !*fault; i++) {
		r = vn_pool_get(true);
		if (!r)
			return -EINTR;
		*fault = vn_validate(r, block, n, get_random_u64(), bad);
		vn_pool_put(r);
		cond_resched();
	}
	return *fault ? -EIO : 0;
}

int vn_sled_validate(u32 sled, u32 *fault, u32 *slot)
{
	const struct vn_switch *sw = &vn_server.sw;
	u32 n = sw->chips_per_sled + 1, other = sled ? 0 : vn_switch_sleds(sw) - 1, bad = 0;
	u8 *block[VN_MAX_CHIPS_PER_SLED + 1] = {};
	int err = 0;

	*fault = vn_faults_of_sled(sw, sled, slot);
	if (*fault)
		return -EIO;
	for (u32 i = 0; i < n && !err; i++) {
		block[i] = block_on(i + 1 < n ? sled : other);
		err = block[i] ? 0 : -ENOMEM;
	}
	if (!err)
		err = run(block, n, fault, &bad);
	*slot = bad + 1 < n ? sled * sw->chips_per_sled + bad : other * sw->chips_per_sled;
	for (u32 i = 0; i < n && block[i]; i++)
		free_pages((unsigned long)block[i], get_order(VN_VALIDATE_BYTES));
	return err;
}
