/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef VN_COLL_WORLD_H
#define VN_COLL_WORLD_H

#include "../include/vneuron/coll.h"

/*
 * What vn_comm_init_world() does before it joins: the next id that rank 0 makes for all
 * processes of the launcher, of which vn_world() says how many there are.
 */
int coll_world_id(vn_unique_id *id, uint64_t timeout_ns);

#endif
