// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../include/vneuron/sled.h"
#include "point.h"

#define STOP "VNEURON_DRAIN_STOP"

void (*vn_drain_hook)(uint32_t state, enum vn_drain_point point, void *arg);
void *vn_drain_hook_arg;

static const char *const names[VN_POINTS] = {
	[VN_POINT_BEFORE] = "before",
	[VN_POINT_WRITTEN] = "written",
	[VN_POINT_SYNCED] = "synced",
	[VN_POINT_AFTER] = "after",
};

/* Is it what stands before the colon? */
static bool is_state(const char *text, uint32_t state)
{
	const char *name = vn_sled_state_name(state);
	size_t n = strlen(name);

	return !strncmp(text, name, n) && text[n] == ':';
}

/* Those in the pause have no record. */
static bool is_point(const char *text)
{
	const char *point = strchr(text, ':');

	for (uint32_t s = 0; point && s < VN_SLED_STATES; s++)
		for (uint32_t p = 0; p < VN_POINTS; p++)
			if (s != VN_SLED_STOPCOPY && s != VN_SLED_VERIFIED && is_state(text, s) &&
			    !strcmp(point + 1, names[p]))
				return true;
	return false;
}

int vn_drain_points(void)
{
	const char *text = secure_getenv(STOP);

	if (!text || is_point(text))
		return 0;
	return vn_fail(-EINVAL,
		       STOP "=%.60s: want STATE:POINT, of a state that a sled is in before or "
			    "after the pause, and before, written, synced or after",
		       text);
}

void vn_drain_point(uint32_t state, enum vn_drain_point point)
{
	const char *text = secure_getenv(STOP);

	if (vn_drain_hook)
		vn_drain_hook(state, point, vn_drain_hook_arg);
	if (text && is_state(text, state) && !strcmp(strchr(text, ':') + 1, names[point]))
		raise(SIGSTOP);
}
