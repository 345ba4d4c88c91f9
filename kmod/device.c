// SPDX-License-Identifier: GPL-2.0-only

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/moduleparam.h>
#include <linux/nodemask.h>
#include <linux/overflow.h>
#include <linux/string.h>
#include <linux/mm.h>
#include "device.h"
#include "fpu.h"

#define HBM_MAX		BIT_ULL(VN_ADDR_OFFSET_BITS)

static uint sleds = VN_MAX_SLEDS;
module_param(sleds, uint, 0444);
MODULE_PARM_DESC(sleds, "Number of sleds, 1 to 36 (36)");

static uint chips_per_sled = 4;
module_param(chips_per_sled, uint, 0444);
MODULE_PARM_DESC(chips_per_sled, "Chips on a sled, 1 to 16, at most 144 in all (4)");

static uint spares;
module_param(spares, uint, 0444);
MODULE_PARM_DESC(spares, "Sleds more, to which chips can move, 0 to 4 (0)");

static char *hbm = "1G";
module_param(hbm, charp, 0444);
MODULE_PARM_DESC(hbm, "HBM per chip, whole pages, 4K to 1T, with suffix K, M, G or T (1G)");

struct vn_server vn_server = {
	.contexts_lock = __MUTEX_INITIALIZER(vn_server.contexts_lock),
	.contexts = XARRAY_INIT(vn_server.contexts, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT),
	.hbm_lock = __MUTEX_INITIALIZER(vn_server.hbm_lock),
};

/* As memparse(), but nothing overflows: 0 for what is no number of bytes. */
static u64 parse_bytes(const char *text)
{
	static const char suffixes[] = "KMGT";
	size_t length = strlen(text);
	const char *suffix = length ? strchr(suffixes, text[length - 1]) : NULL;
	char digits[24];
	u64 bytes;

	if (strscpy(digits, text, sizeof(digits)) < 0)
		return 0;
	if (suffix)
		digits[length - 1] = 0;
	if (kstrtoull(digits, 0, &bytes))
		return 0;
	if (suffix && check_mul_overflow(bytes, 1ull << 10 * (suffix - suffixes + 1), &bytes))
		return 0;
	return bytes;
}

static int check_parameters(void)
{
	if (!sleds || sleds > VN_MAX_SLEDS) {
		pr_err("sleds=%u: must be 1 to %u\n", sleds, VN_MAX_SLEDS);
		return -EINVAL;
	}
	if (!chips_per_sled || chips_per_sled > VN_MAX_CHIPS_PER_SLED) {
		pr_err("chips_per_sled=%u: must be 1 to %u\n", chips_per_sled,
		       VN_MAX_CHIPS_PER_SLED);
		return -EINVAL;
	}
	if (sleds * chips_per_sled > VN_MAX_CHIPS) {
		pr_err("sleds=%u chips_per_sled=%u: %u chips, must be 1 to %u\n", sleds,
		       chips_per_sled, sleds * chips_per_sled, VN_MAX_CHIPS);
		return -EINVAL;
	}
	if (spares > VN_MAX_SPARES) {
		pr_err("spares=%u: must be 0 to %u\n", spares, VN_MAX_SPARES);
		return -EINVAL;
	}
	vn_server.hbm_bytes = parse_bytes(hbm);
	if (vn_server.hbm_bytes < PAGE_SIZE || vn_server.hbm_bytes > HBM_MAX ||
	    !PAGE_ALIGNED(vn_server.hbm_bytes)) {
		pr_err("hbm=%s: must be 4K to 1T, a multiple of the page size\n", hbm);
		return -EINVAL;
	}
	return 0;
}

/* Each node gets a block of neighbouring sleds. */
int vn_device_node(u32 sled)
{
	u32 nodes = num_node_state(N_MEMORY), at = sled * nodes / (sleds + spares);
	int node;

	if (nodes < 2)
		return NUMA_NO_NODE;
	for_each_node_state(node, N_MEMORY)
		if (!at--)
			return node;
	return NUMA_NO_NODE;
}

int vn_device_init(void)
{
	int err = check_parameters();

	if (err)
		return err;
	if (vn_switch_init(&vn_server.sw, sleds, chips_per_sled, spares))
		return -EINVAL;
	for (u32 i = 0; i < vn_server.sw.chips; i++) {
		INIT_LIST_HEAD(&vn_server.chip[i].mems);
		INIT_LIST_HEAD(&vn_server.chip[i].outside);
		vn_server.chip[i].node =
			vn_device_node(vn_switch_sled(&vn_server.sw, vn_server.sw.slot_of[i]));
	}
	return 0;
}

int vn_chip_charge(u32 chip, u64 bytes)
{
	atomic64_t *used = &vn_server.chip[chip].hbm_used;
	s64 old = atomic64_read(used);

	do {
		if (bytes > vn_server.hbm_bytes - old)
			return -ENOSPC;
	} while (!atomic64_try_cmpxchg(used, &old, old + bytes));
	return 0;
}

void vn_chip_uncharge(u32 chip, u64 bytes)
{
	atomic64_sub(bytes, &vn_server.chip[chip].hbm_used);
}

void vn_device_query(struct vn_query *a)
{
	const struct vn_switch *sw = &vn_server.sw;

	a->abi = VN_ABI_VERSION;
	a->sleds = sw->sleds;
	a->chips_per_sled = sw->chips_per_sled;
	a->chips = sw->chips;
	a->racks = sw->racks;
	a->epoch = READ_ONCE(sw->epoch);
	a->features = VN_FEATURE_EVENTFD | VN_FEATURE_IMPORT | VN_FEATURE_PLAN |
		      VN_FEATURE_STATUS | VN_FEATURE_WINDOW_KINDS | VN_FEATURE_EXPORT;
	if (vn_fpu_avx2())
		a->features |= VN_FEATURE_AVX2;
	a->hbm_bytes = vn_server.hbm_bytes;
	a->tick_hz = NSEC_PER_SEC;
	a->page_size = PAGE_SIZE;
	a->ultraserver = VN_HERE;
	a->spares = sw->spares;
	a->reserved = 0;
}

void vn_device_chip_query(struct vn_chip_query *a, bool attached)
{
	const struct vn_switch *sw = &vn_server.sw;
	const struct vn_chip *chip = &vn_server.chip[a->chip];

	a->slot = READ_ONCE(sw->slot_of[a->chip]);
	a->sled = vn_switch_sled(sw, a->slot);
	a->rack = vn_switch_rack(sw, a->sled);
	a->numa_node = READ_ONCE(chip->node);
	a->epoch = READ_ONCE(sw->epoch);
	a->attached = attached;
	a->hbm_bytes = vn_server.hbm_bytes;
	a->hbm_used = atomic64_read(&chip->hbm_used);
	a->queues = atomic_read(&chip->queues);
	a->windows = atomic_read(&chip->windows);
}
