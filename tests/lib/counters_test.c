// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that the list of windows, as others see it, tells what went through each by key, in
 * and out, and how often it refused: exact after all kinds of operations, from two contexts.
 */
#include <netlink/attr.h>

#include "../../lib/netlink.h"
#include "fixture.h"

struct seen {
	uint32_t key, chip, rows;
	uint64_t in, out, denials;
};

static int take_row(struct nlattr *const *attrs, void *arg)
{
	struct seen *s = arg;

	if (vn_nl_u32(attrs, VN_NL_A_KEY) != s->key || vn_nl_u32(attrs, VN_NL_A_CHIP) != s->chip)
		return 0;
	s->rows += attrs[VN_NL_A_IN_BYTES] && attrs[VN_NL_A_OUT_BYTES] && attrs[VN_NL_A_DENIALS];
	s->in = vn_nl_u64(attrs, VN_NL_A_IN_BYTES);
	s->out = vn_nl_u64(attrs, VN_NL_A_OUT_BYTES);
	s->denials = vn_nl_u64(attrs, VN_NL_A_DENIALS);
	return 0;
}

static struct vn_nl *nl;

static void is(uint32_t chip, uint32_t key, uint64_t in, uint64_t out, uint64_t denials,
	       const char *what)
{
	struct seen s = { .key = key, .chip = chip };

	NEED(vn_nl_dump(nl, VN_NL_CMD_WINDOW, take_row, &s));
	tap_ok(s.rows == 1 && s.in == in && s.out == out && s.denials == denials,
	       "%s: %llu in, %llu out, %llu denials", what, (unsigned long long)s.in,
	       (unsigned long long)s.out, (unsigned long long)s.denials);
}

int main(void)
{
	struct vn_mem m, own, n;
	struct vn_desc d = { 0 };
	uint32_t key, other, gone;
	vn_device_t dev, peer;
	vn_queue_t q;
	int fd;

	if (!strncmp(device_spec(), "embedded", 8))
		setenv("VNEURON_DEVICE", "embedded:control=1", 1);
	dev = device();
	NEED(in_kernel(dev) ? vn_nl_open(&nl) : vn_nl_open_process((uint32_t)getpid(), 0, &nl));
	fd = vn_domain_export(dev);
	NEED(fd);
	NEED(vn_reopen(dev, &peer));
	NEED(vn_domain_join(peer, fd));
	close(fd);
	m = take(dev, 3, 65536);
	n = take(dev, 3, 4096);
	own = take(peer, 0, 65536);
	q = queue(peer, 0, 8);
	NEED(vn_window_create(dev, &m, 0, 65536, FULL_ACCESS, &key));
	NEED(vn_window_create(dev, &n, 0, 4096, VN_ACCESS_REMOTE_READ, &other));
	is(3, key, 0, 0, 0, "a new one");
	NEED(run_copy(q, vn_by_key(3, key, 0), vn_at(&own, 0), 60000));
	NEED(run_copy(q, vn_at(&own, 0), vn_by_key(3, key, 5), 1000));
	NEED(run_copy(q, vn_at(&own, 0), vn_by_key(3, other, 0), 4096));
	is(3, key, 60000, 1000, 0, "written and read");
	is(3, other, 0, 4096, 0, "each its own");
	vn_prep_fetch_add(&d, vn_by_key(3, key, 8), 1);
	NEED(run(q, &d, NULL));
	is(3, key, 60008, 1008, 0, "a word, there and back");
	run_copy(q, vn_by_key(3, other, 0), vn_at(&own, 0), 8);
	run_copy(q, vn_at(&own, 0), vn_by_key(3, other, 4090), 8);
	run_copy(q, vn_at(&own, 0), vn_by_key(3, other, 0), 96);
	is(3, other, 0, 4192, 2, "refused");
	is(3, key, 60008, 1008, 0, "by the other one alone");
	gone = other;
	NEED(vn_window_invalidate(dev, 3, other));
	NEED(vn_window_create(dev, &n, 0, 4096, FULL_ACCESS, &other));
	tap_ok(other != gone, "another window");
	is(3, other, 0, 0, 0, "begins anew");
	vn_nl_close(nl);
	vn_close(peer);
	vn_close(dev);
	return tap_done();
}
