// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* version: of everything between the prompt and the device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objects.h"

static int take(struct nlattr *const *attrs, void *arg)
{
	const char *version = vn_nl_string(attrs, VN_NL_A_VERSION);
	char **copy = arg;

	if (version && !*copy) {
		*copy = strdup(version);
		if (!*copy)
			ctl_no_memory();
	}
	return 0;
}

static int version(struct ctl *c)
{
	struct json *j = &c->j;
	char *running = NULL;
	bool process;
	int ret;

	ret = objects_dump(c, VN_NL_CMD_DEVICE, take, &running);
	if (ret)
		return ret;
	/* There it is the library of that process which answers, not the module. */
	process = !strcmp(vn_device_home(c->dev), "remote");
	if (c->json) {
		json_object(j, NULL);
		json_string(j, "tool", VN_VERSION);
		json_string(j, "library", vn_version());
		json_u64(j, "abi", VN_ABI_VERSION);
		json_string(j, "device", vn_device_spec(c->dev));
		json_string(j, "home", vn_device_home(c->dev));
		json_u64(j, "device_abi", c->q.abi);
		json_string(j, "module", process ? NULL : running);
		json_string(j, "process", process ? running : NULL);
		json_string(j, "simd", c->q.features & VN_FEATURE_AVX2 ? "avx2" : "scalar");
		json_object_end(j);
	} else {
		printf("neuronctl    " VN_VERSION "\nlibvneuron   %s, ABI %d\n", vn_version(),
		       VN_ABI_VERSION);
		printf("device       %s (%s home), ABI %u, %s arithmetic\n", vn_device_spec(c->dev),
		       vn_device_home(c->dev), c->q.abi,
		       c->q.features & VN_FEATURE_AVX2 ? "avx2" : "scalar");
		printf("%-12s %s\n", process ? "process" : "module", running ? running : "none");
	}
	free(running);
	return CTL_OK;
}

static const struct ctl_command commands[] = {
	{ .help = "versions of tool, library, device and module (or process)", .run = version },
	{ .run = NULL },
};

const struct ctl_object ctl_version = { .name = "version", .commands = commands };
