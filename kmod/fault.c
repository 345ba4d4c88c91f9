// SPDX-License-Identifier: GPL-2.0-only

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/security.h>
#include <linux/string.h>
#include <net/genetlink.h>
#include "../uapi/linux/vneuron_nl.h"
#include "compat.h"
#include "fault.h"
#include "memory.h"
#include "outside.h"
#include "pool.h"
#include "sled.h"
#include "worker.h"

/* Poisoned in a row. */
#define PIECE		(1u << 20)

static bool faults;
module_param(faults, bool, 0444);
MODULE_PARM_DESC(faults, "Let CAP_SYS_ADMIN make faults by netlink (N)");

static struct page *health;

static_assert(sizeof(struct vn_health) <= PAGE_SIZE);
static_assert(VN_HEALTH_CHIPS == VN_MAX_CHIPS);
static_assert(VN_HEALTH_SLEDS == VN_MAX_SLEDS + VN_MAX_SPARES);

int vn_fault_init(void)
{
	health = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!health)
		return -ENOMEM;
	vn_server.faults.health = page_address(health);
	return 0;
}

void vn_fault_exit(void)
{
	__free_page(health);
}

int vn_health_mmap(struct vm_area_struct *vma)
{
	if (vma_pages(vma) != 1 || vma->vm_pgoff)
		return -EINVAL;
	if (vma->vm_flags & (VM_WRITE | VM_EXEC))
		return -EACCES;
	vm_flags_clear(vma, VM_MAYWRITE | VM_MAYEXEC);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	/* The page is held by the mapping itself, too. */
	return vm_insert_page(vma, vma->vm_start, health);
}

/* ---- making them ------------------------------------------------------------- */

static void poison(const struct vn_hbm *h)
{
	for (u64 at = 0; at < h->bytes; at += PIECE) {
		memset(h->base + at, 0xff, min_t(u64, PIECE, h->bytes - at));
		cond_resched();
	}
}

/* What these chips had is gone. */
static void lose(const u16 *chip, u32 n)
{
	struct vn_mem *mem;
	u32 i;

	lockdep_assert_held(&vn_server.hbm_lock);
	if (!n)
		return;
	for (i = 0; i < n; i++)
		list_for_each_entry(mem, &vn_server.chip[chip[i]].mems, on)
			WRITE_ONCE(mem->hbm.lost, 1);
	vn_outside_lose(chip, n);
	/* Who saw it before has done what he began. */
	vn_pool_quiesce();
	for (i = 0; i < n; i++)
		list_for_each_entry(mem, &vn_server.chip[chip[i]].mems, on)
			poison(&mem->hbm);
}

static int make(const struct vn_fault *f)
{
	u16 lost[VN_MAX_CHIPS_PER_SLED];
	int n;

	mutex_lock(&vn_server.hbm_lock);
	n = vn_sled_fault(f, lost);
	if (n > 0)
		lose(lost, n);
	mutex_unlock(&vn_server.hbm_lock);
	/* Who waits for what is lost, or out of reach, waits no longer. */
	vn_worker_semaphores();
	return min(n, 0);
}

/* ---- netlink ----------------------------------------------------------------- */

int vn_fault_may(struct sk_buff *skb, struct netlink_ext_ack *extack)
{
	if (!netlink_capable(skb, CAP_SYS_ADMIN)) {
		NL_SET_ERR_MSG(extack, "faults take CAP_SYS_ADMIN");
		return -EPERM;
	}
	if (security_locked_down(LOCKDOWN_DEBUGFS)) {
		NL_SET_ERR_MSG(extack, "no faults in a kernel that is locked down");
		return -EPERM;
	}
	if (faults)
		return 0;
	NL_SET_ERR_MSG(extack, "the module was loaded without faults=1");
	return -EPERM;
}

static u32 value_of(const struct genl_info *info, int attr)
{
	return info->attrs[attr] ? nla_get_u32(info->attrs[attr]) : 0;
}

static int fault_of(struct sk_buff *skb, struct genl_info *info, struct vn_fault *f)
{
	int err = vn_fault_may(skb, info->extack);

	*f = (struct vn_fault){
		.kind = value_of(info, VN_NL_A_FAULT),
		.where = value_of(info, VN_NL_A_WHERE),
		.slot = value_of(info, VN_NL_A_SLOT),
		.count = value_of(info, VN_NL_A_COUNT),
	};
	if (!err && vn_faults_placed(f->kind) && !info->attrs[VN_NL_A_WHERE]) {
		NL_SET_ERR_MSG(info->extack, "which sled or chip? (attribute WHERE is missing)");
		err = -EINVAL;
	}
	return err;
}

static int answer(struct genl_info *info, int err)
{
	if (err == -ENODEV)
		NL_SET_ERR_MSG(info->extack, "no such sled or chip");
	else if (err == -EINVAL)
		NL_SET_ERR_MSG(info->extack, "no such fault can be made");
	else if (err == -ENOENT)
		NL_SET_ERR_MSG(info->extack, "there is no such fault");
	return err;
}

int vn_fault_do_inject(struct sk_buff *skb, struct genl_info *info)
{
	struct vn_fault f;
	int err = fault_of(skb, info, &f);

	return err ?: answer(info, make(&f));
}

int vn_fault_do_clear(struct sk_buff *skb, struct genl_info *info)
{
	struct vn_fault f;
	int err = fault_of(skb, info, &f);

	return err ?: answer(info, vn_sled_mend(&f));
}
