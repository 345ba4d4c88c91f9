// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that a device opens and says what it is, that contexts on it are many
 * and come and go, that a device specification that makes no sense is refused
 * with a text that names it, and that a node that can't be opened is never
 * replaced by something else.
 */
#include "fixture.h"

static void test_open(void)
{
	vn_device_t dev = device(), peer = NULL;
	struct vn_query q, p;

	tap_ok(vn_version() && vn_version()[0] >= '0' && vn_version()[0] <= '9', "version %s",
	       vn_version());
	NEED(vn_device_query(dev, &q));
	tap_ok(q.abi == VN_ABI_VERSION, "it speaks ABI %u", q.abi);
	tap_ok(q.chips && q.chips == q.sleds * q.chips_per_sled && q.chips <= VN_MAX_CHIPS,
	       "%u sleds of %u chips are %u chips", q.sleds, q.chips_per_sled, q.chips);
	tap_ok(q.racks == (q.sleds > 1 ? 2u : 1u) && q.epoch >= 1 && q.hbm_bytes && q.tick_hz,
	       "%u racks, epoch %u, %llu bytes of HBM", q.racks, q.epoch,
	       (unsigned long long)q.hbm_bytes);
	tap_ok(q.page_size == 4096 && q.ultraserver == VN_HERE, "pages of 4 KiB, UltraServer 0");
	tap_ok((q.features & (VN_FEATURE_EVENTFD | VN_FEATURE_IMPORT | VN_FEATURE_PLAN)) ==
		       (VN_FEATURE_EVENTFD | VN_FEATURE_IMPORT | VN_FEATURE_PLAN),
	       "features %#llx", (unsigned long long)q.features);
	tap_ok(!strcmp(vn_device_spec(dev), device_spec()), "its spec is %s", vn_device_spec(dev));
	tap_ok(in_kernel(dev) == (device_spec()[0] == '/') &&
		       (vn_device_fd(dev) >= 0) == in_kernel(dev),
	       "home %s", vn_device_home(dev));
	tap_ok(!vn_reopen(dev, &peer) && !vn_device_query(peer, &p) && !memcmp(&p, &q, sizeof(q)),
	       "another context sees the same machine");
	vn_close(dev);
	tap_ok(!vn_device_query(peer, &p), "which lives when the first one is closed");
	vn_close(peer);
	vn_close(NULL);
	for (int i = 0; i < (quick() ? 20 : 200); i++)
		vn_close(device());
	tap_ok(1, "opened and closed again and again");
}

static void test_chips(void)
{
	vn_device_t dev = device();
	struct vn_chip_query c;
	struct vn_query q;
	unsigned int wrong = 0;

	vn_device_query(dev, &q);
	for (uint32_t i = 0; i < q.chips; i++) {
		wrong += vn_chip_query(dev, i, &c) || c.chip != i ||
			 c.sled != c.slot / q.chips_per_sled || c.rack >= q.racks || c.attached ||
			 c.hbm_bytes != q.hbm_bytes || c.epoch != q.epoch;
		wrong += c.slot >= (q.sleds + q.spares) * q.chips_per_sled;
	}
	tap_ok(!wrong, "every chip has a place (%u wrong)", wrong);
	tap_ok(vn_chip_query(dev, q.chips, &c) == -ENODEV && strstr(vn_error(), "chip"),
	       "there is no chip %u: %s", q.chips, vn_error());
	tap_ok(vn_chip_query(dev, ~0u, &c) == -ENODEV, "nor chip 2^32 - 1");
	tap_ok(!vn_attach(dev, 1) && !vn_attach(dev, 1) && !vn_chip_query(dev, 1, &c) &&
		       c.attached == 1,
	       "a chip is attached, also twice");
	tap_ok(vn_attach(dev, q.chips) == -ENODEV, "one that is not there is not");
	tap_ok(!vn_bind_thread(dev, 0) && !vn_bind_thread(dev, q.chips - 1),
	       "threads are bound to its sled");
	tap_ok(vn_bind_thread(dev, q.chips) == -ENODEV, "but not to a chip that is not there");
	vn_close(dev);
}

static void test_specs(void)
{
	static const struct {
		const char *spec, *names;
	} bad[] = {
		{ "embed", "embed" },
		{ "embeddedX", "embeddedX" },
		{ "kernel", "kernel" },
		{ "embedded:sleds", "sleds" },
		{ "embedded:sleds=", "sleds" },
		{ "embedded:sleds=0", "sleds" },
		{ "embedded:sleds=37,chips=1", "sleds=37: want 1 to 36" },
		{ "embedded:sleds=-1", "sleds" },
		{ "embedded:sleds=2x", "sleds" },
		{ "embedded:chips=17", "chips" },
		{ "embedded:chips=0", "chips" },
		{ "embedded:sleds=36,chips=5", "144" },
		{ "embedded:hbm=0", "hbm" },
		{ "embedded:hbm=1T", "hbm" },
		{ "embedded:hbm=1MB", "hbm" },
		{ "embedded:hbm=99999999999999999999", "hbm" },
		{ "embedded:hbm=18446744073709551615G", "hbm" },
		{ "embedded:threads=65", "threads" },
		{ "embedded:simd=mmx", "simd" },
		{ "embedded:colour=red", "colour" },
	};
	static const struct {
		const char *spec;
		uint32_t sleds, chips;
		uint64_t hbm;
	} good[] = {
		{ "embedded:sleds=1,chips=1", 1, 1, 0 },
		{ "embedded:chips=16,sleds=9,hbm=64M", 9, 144, 64 << 20 },
		{ "embedded:hbm=8K,sleds=2", 2, 8, 8192 },
		{ "embedded:sleds=3,chips=2,simd=scalar,threads=0", 3, 6, 0 },
	};
	char text[600];
	vn_device_t dev;
	struct vn_query q;

	for (unsigned int i = 0; i < COUNT(bad); i++) {
		int err;

		dev = (vn_device_t)&dev;
		err = vn_open(bad[i].spec, &dev);
		tap_ok(err == -EINVAL && strstr(vn_error(), bad[i].names) &&
			       dev == (vn_device_t)&dev,
		       "%s: %s", bad[i].spec, vn_error());
	}
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	memcpy(text, "embedded:", 9);
	tap_ok(vn_open(text, &dev) == -EINVAL, "a spec of 599 bytes: %s", vn_error());
	text[0] = '/';
	tap_ok(vn_open(text, &dev) < 0, "a node's name of 599 bytes: %s", vn_error());
	for (unsigned int i = 0; i < COUNT(good); i++) {
		int ok = !vn_open(good[i].spec, &dev) && !vn_device_query(dev, &q) &&
			 q.sleds == good[i].sleds && q.chips == good[i].chips &&
			 (!good[i].hbm || q.hbm_bytes == good[i].hbm);

		tap_ok(ok, "%s", good[i].spec);
		if (ok)
			vn_close(dev);
	}
	tap_ok(vn_open("/dev/vneuron-is-not-here", &dev) == -ENOENT &&
		       strstr(vn_error(), "is-not-here"),
	       "a node that is not there: %s", vn_error());
	tap_ok(vn_open("/dev/null", &dev) == -ENOTTY, "a node of somebody else: %s", vn_error());

	/* The default: the environment, else a node, else embedded. */
	snprintf(text, sizeof(text), "%s",
		 getenv("VNEURON_DEVICE") ? getenv("VNEURON_DEVICE") : "");
	setenv("VNEURON_DEVICE", "embedded:sleds=5,chips=2", 1);
	tap_ok(!vn_open(NULL, &dev) && !vn_device_query(dev, &q) && q.chips == 10,
	       "$VNEURON_DEVICE is used");
	vn_close(dev);
	tap_ok(!vn_open("", &dev) && !strcmp(vn_device_spec(dev), "embedded:sleds=5,chips=2"),
	       "for an empty spec, too");
	vn_close(dev);
	setenv("VNEURON_DEVICE", "/dev/vneuron-is-not-here", 1);
	tap_ok(vn_open(NULL, &dev) == -ENOENT, "and never replaced when it can't be opened");
	unsetenv("VNEURON_DEVICE");
	NEED(vn_open(NULL, &dev));
	tap_ok(in_kernel(dev) == !access("/dev/vneuron0", F_OK), "without it: %s",
	       vn_device_spec(dev));
	vn_close(dev);
	if (*text)
		setenv("VNEURON_DEVICE", text, 1);
}

static void test_names(void)
{
	unsigned int wrong = 0;

	tap_ok(vn_type_size(VN_FLOAT32) == 4 && vn_type_size(VN_BFLOAT16) == 2 &&
		       vn_type_size(VN_INT8) == 1 && vn_type_size(VN_FLOAT64) == 8 &&
		       !vn_type_size(VN_TYPE_COUNT),
	       "sizes of types");
	for (uint32_t i = 0; i < VN_STATUS_COUNT; i++)
		wrong += !vn_status_text(i) || !*vn_status_text(i);
	tap_ok(!wrong && vn_status_text(~0u), "every status has a text");
	errno = 4711;
	vn_device_t dev;
	vn_open("embedded:sleds=99", &dev);
	tap_ok(errno == 4711, "errno is not touched");
}

int main(void)
{
	test_open();
	test_chips();
	test_specs();
	test_names();
	return tap_done();
}
