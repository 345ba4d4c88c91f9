/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * neuronctl: main.c has the table of objects and parses the command line by it;
 * each object is a file with its commands.
 */
#ifndef CTL_H
#define CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <vneuron.h>

#include "json.h"

#define CTL_OPTIONS_MAX 16

/* Exit status. */
enum {
	CTL_OK,
	CTL_FAILED,
	CTL_USAGE,
};

struct ctl;

/* A long option of a command. */
struct ctl_option {
	const char *name;
	const char *arg; /* name of its value, NULL for a switch */
	const char *help;
};

struct ctl_command {
	const char *name; /* NULL: the object is a command itself */
	const char *args; /* names of the arguments, NULL for none */
	unsigned int min_args;
	unsigned int max_args;
	const struct ctl_option *options; /* ends with an empty one */
	const char *letters; /* of these, one each, a blank for none; or NULL */
	const char *help;
	int (*run)(struct ctl *c); /* exit status */
};

/* The first command is the one meant when none is given. */
struct ctl_object {
	const char *name;
	const struct ctl_command *commands; /* ends with one without run */
};

/* One invocation. */
struct ctl {
	const char *device; /* -d, or NULL */
	bool json;
	struct json j;
	const struct ctl_object *object;
	const struct ctl_command *command;
	char **args;
	unsigned int nargs;
	/* In the order of command->options; a switch that is set is "". */
	const char *option[CTL_OPTIONS_MAX];
	vn_device_t dev;
	struct vn_query q;
};

extern const struct ctl_object ctl_status, ctl_topo, ctl_chip, ctl_sled, ctl_event, ctl_fault,
	ctl_switch, ctl_queue, ctl_window, ctl_coll, ctl_version;

/* Opens the device (main closes it) and asks what it is. */
int ctl_open(struct ctl *c);
/* "neuronctl: ..." on stderr; returns the exit status. */
__attribute__((format(printf, 1, 2))) int ctl_fail(const char *fmt, ...);
/* The same with vn_error(). */
int ctl_fail_lib(void);
/* The same with the usage line of the command. */
__attribute__((format(printf, 2, 3))) int ctl_usage(const struct ctl *c, const char *fmt, ...);

/* Writes out what was printed: a full disk is a failure. Exit status. */
int ctl_flush(void);

/* Decimal, with K, M or G (units of 1024) if allowed; false when it is none. */
bool ctl_number(const char *text, bool units, uint64_t *n);
/* Such a number of the command's option opt; otherwise: what a missing one means. Exit status. */
int ctl_option_number(const struct ctl *c, int opt, bool units, uint64_t otherwise, uint64_t least,
		      uint64_t most, uint64_t *n);
/* n elements; exits when there is no memory, as a tool may. */
void *ctl_realloc(void *old, size_t n, size_t bytes);
__attribute__((noreturn)) void ctl_no_memory(void);

#endif
