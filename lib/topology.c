// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Names of types and statuses, and where threads run. */
#include <errno.h>
#include <numa.h>

#include "home.h"
#include "../kmod/engine/desc.h"

uint32_t vn_type_size(enum vn_type type)
{
	return vn_type_bytes(type);
}

const char *vn_status_text(uint32_t status)
{
	return vn_status_name(status);
}

int vn_bind_thread(vn_device_t dev, uint32_t chip)
{
	struct vn_chip_query q;
	int err = vn_chip_query(dev, chip, &q);

	if (err)
		return err;
	if (q.numa_node < 0 || numa_available() < 0 || numa_max_node() < 1)
		return 0;
	if (numa_run_on_node(q.numa_node))
		return vn_fail(-errno, "chip %u: can't run on NUMA node %d", chip, q.numa_node);
	return 0;
}
