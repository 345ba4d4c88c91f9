/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Faults: making them on purpose, to see that a program, a scheduler or an operator copes;
 * and seeing which chips and links are lost. Functions return 0 or -errno, as those of
 * vneuron.h.
 *
 * On the kernel module faults are made by CAP_SYS_ADMIN, and only when it was loaded with
 * faults=1 (-EPERM, and the text says which it was).
 */
#ifndef VNEURON_FAULT_H
#define VNEURON_FAULT_H

#include <stdbool.h>

#include "../vneuron.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * vn_fault_inject - something goes wrong, until it is cleared
 * @f: kind, where, count; see &struct vn_fault
 *
 * What is lost is lost when it returns: operations that need it end with an error.
 * -ENODEV: no such sled or chip. -EINVAL: no such fault.
 */
int vn_fault_inject(vn_device_t dev, const struct vn_fault *f);

/**
 * vn_fault_clear - what was made goes
 * @f: kind and where, as vn_fault_list() says; kind VN_FAULT_ANY: all there are
 *
 * A chip is there again, with nothing in its HBM: what was allocated before stays lost. A
 * sled that was lost stays FAULTED until vn_sled_undrain() finds it fit. -ENOENT: there is
 * no such fault.
 */
int vn_fault_clear(vn_device_t dev, const struct vn_fault *f);

/**
 * vn_fault_list - the faults there are
 * @to: [max]
 *
 * Returns how many there are, or -errno.
 */
int vn_fault_list(vn_device_t dev, struct vn_fault *to, unsigned int max);

/**
 * vn_fault_name - "sled_loss", "chip_loss", ...; NULL for no kind
 */
const char *vn_fault_name(uint32_t kind);

/**
 * vn_chip_lost - is a chip lost now?
 *
 * Of another process's device (vn_open() of "pid:"), these two tell what the last
 * vn_device_query() has found.
 */
bool vn_chip_lost(vn_device_t dev, uint32_t chip);

/**
 * vn_link_cut - are the links of a sled with the switch cut now?
 */
bool vn_link_cut(vn_device_t dev, uint32_t sled);

#ifdef __cplusplus
}
#endif

#endif
