/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The whole UltraServer as one picture: every chip and every port. */
#ifndef MACHINE_H
#define MACHINE_H

#include "ctl.h"

struct traffic {
	uint64_t tx_bytes;
	uint64_t rx_bytes;
	uint64_t local_bytes;
};

struct machine {
	struct vn_chip_query *chips; /* [q.chips], by number */
	bool lost[VN_MAX_CHIPS];
	struct vn_port *ports;
	unsigned int nports;
	unsigned int planes;
};

/* "c0-c3,c9" */
struct chip_ranges {
	char s[VN_MAX_CHIPS_PER_SLED * 6 + 1];
};

/* Opens the device and takes the picture. Exit status. */
int machine_load(struct ctl *c, struct machine *m);
void machine_free(struct machine *m);

/* The chip in a slot, or -1. */
int machine_chip_at(const struct ctl *c, const struct machine *m, uint32_t slot);
/* Sum over the ports of a slot and plane, of ~0 for all of them. */
struct traffic machine_traffic(const struct machine *m, uint32_t slot, uint32_t plane);
void machine_json_traffic(struct json *j, const struct traffic *t);
/* n chips of a sled, which the map may have put there in any order. */
struct chip_ranges machine_chip_ranges(const struct vn_chip_query *chip, uint32_t n);
/* Ends a line on the shape of the UltraServer: spares, if there are any. */
void machine_print_spares(const struct vn_query *q);

#endif
