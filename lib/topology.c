// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Names of types, reductions and statuses, and where threads run. */
#include <errno.h>
#include <numa.h>

#include "home.h"
#include "../kmod/engine/desc.h"

static const char *const type_names[VN_TYPE_COUNT] = {
	[VN_INT8] = "int8",
	[VN_UINT8] = "uint8",
	[VN_INT16] = "int16",
	[VN_UINT16] = "uint16",
	[VN_INT32] = "int32",
	[VN_UINT32] = "uint32",
	[VN_INT64] = "int64",
	[VN_UINT64] = "uint64",
	[VN_FLOAT16] = "float16",
	[VN_FLOAT32] = "float32",
	[VN_FLOAT64] = "float64",
	[VN_BFLOAT16] = "bfloat16",
	[VN_FLOAT8E4M3] = "float8e4m3",
	[VN_FLOAT8E5M2] = "float8e5m2",
};

static const char *const redop_names[VN_REDOP_COUNT] = {
	[VN_SUM] = "sum",   [VN_PROD] = "prod", [VN_MAX] = "max",
	[VN_MIN] = "min",   [VN_AVG] = "avg",	[VN_PREMULSUM] = "premulsum",
	[VN_BAND] = "band", [VN_BOR] = "bor",	[VN_BXOR] = "bxor",
};

const char *vn_type_name(enum vn_type type)
{
	return (unsigned int)type < VN_TYPE_COUNT ? type_names[type] : NULL;
}

const char *vn_redop_name(enum vn_redop op)
{
	return (unsigned int)op < VN_REDOP_COUNT ? redop_names[op] : NULL;
}

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
