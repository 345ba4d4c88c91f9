/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Client of the generic netlink family of the module, topology and objects; and of the
 * embedded device of another process, which answers the same and calls, too.
 *
 * Internal to this tree (the library and neuronctl), not part of the library's
 * API. A handle belongs to one thread at a time. Functions return 0 or -errno,
 * with the other side's own text (extack) in vn_error() when it gave one.
 */
#ifndef VN_NETLINK_H
#define VN_NETLINK_H

#include <stdint.h>
#include <netlink/attr.h>
#include <linux/vneuron_nl.h>
#include "control.h"
#include "home.h"

struct vn_nl;

/* -ENOENT: there is no such family, which means the module is not loaded. */
int vn_nl_open(struct vn_nl **nl);
/* As vn_control_connect(). Of what follows, vn_nl_call() is for these alone. */
int vn_nl_open_process(uint32_t pid, uint32_t number, struct vn_nl **nl);
/* As an UltraServer is seen that is open; NULL: all that there is to see is our own. */
int vn_nl_open_device(vn_device_t dev, struct vn_nl **nl);
/* How long answers of a process may take from here on; a moment, unless it is said. */
void vn_nl_patience(struct vn_nl *nl, enum vn_control_patience patience);
void vn_nl_close(struct vn_nl *nl);
/* The same for a session of a drain; then what its end has to undo is undone. */
void vn_nl_close_session(struct vn_nl *nl);

/*
 * Called with each message of a dump: attrs[0..VN_NL_A_MAX], NULL where the
 * message has none. A negative return ends the dump with that error.
 */
typedef int (*vn_nl_fn)(struct nlattr *const *attrs, void *arg);

/*
 * Objects may come and go while the kernel lists them: each message is true,
 * the list as a whole is not one moment's.
 */
int vn_nl_dump(struct vn_nl *nl, enum vn_nl_cmd cmd, vn_nl_fn fn, void *arg);

/* Calls off what drains a sled; operation 0: whichever it is. */
int vn_nl_cancel(struct vn_nl *nl, uint32_t sled, uint64_t operation);

int vn_nl_chip_reset(struct vn_nl *nl, uint32_t chip);

/* As the commands of faults. */
int vn_nl_fault_make(struct vn_nl *nl, const struct vn_fault *f);
int vn_nl_fault_clear(struct vn_nl *nl, const struct vn_fault *f);
/* vn_fault_list() */
int vn_nl_faults(struct vn_nl *nl, struct vn_fault *to, unsigned int max);

/* A call of the ABI; arg is its struct, with its size, and what the call has left there. */
int vn_nl_call(struct vn_nl *nl, uint32_t cmd, void *arg);

/* What is lost there now. */
int vn_nl_health(struct vn_nl *nl, struct vn_health *h);

/* From here on what is told to a group is kept for vn_nl_told(); no dumps any more. */
int vn_nl_join(struct vn_nl *nl, const char *group);
/*
 * Takes one message of a command, if there is one: never waits. -EAGAIN: there is none.
 * -ENOBUFS: some are lost, they came faster than they were taken.
 */
int vn_nl_told(struct vn_nl *nl, enum vn_nl_cmd cmd, vn_nl_fn fn, void *arg);
/* Can be read when there may be one. */
int vn_nl_fd(const struct vn_nl *nl);

/* What every attribute is. */
extern const struct nla_policy vn_nl_policy[VN_NL_A_MAX + 1];

/* The value of an attribute, or 0, -1 and NULL when the message has none. */
uint32_t vn_nl_u32(struct nlattr *const *attrs, enum vn_nl_attr attr);
int32_t vn_nl_s32(struct nlattr *const *attrs, enum vn_nl_attr attr);
uint64_t vn_nl_u64(struct nlattr *const *attrs, enum vn_nl_attr attr);
const char *vn_nl_string(struct nlattr *const *attrs, enum vn_nl_attr attr);

/* vn_ports() of UltraServer 0: how many ports there are, or -errno. */
int vn_nl_ports(struct vn_nl *nl, struct vn_port *ports, unsigned int max);
/* The same for vn_ranks(). */
int vn_nl_ranks(struct vn_nl *nl, struct vn_rank *ranks, unsigned int max);
/* Joins the events of sleds, which nl is for from then on; or it is closed. */
int vn_nl_events(struct vn_nl *nl, const struct vn_event_ops **ops, void **from);

#endif
