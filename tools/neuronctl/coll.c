// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* coll: measuring collectives, what the tuner makes of them, and what holds one up. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "coll_options.h"

int coll_word(const struct ctl *c, int opt, const char *const *words, unsigned int *word)
{
	const char *text = c->option[opt];
	char list[128] = "";
	size_t n = 0;
	unsigned int i;

	*word = 0;
	for (i = 0; text && words[i]; i++) {
		if (!strcmp(text, words[i])) {
			*word = i;
			return CTL_OK;
		}
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", words[i]);
	}
	if (!text)
		return CTL_OK;
	return ctl_usage(c, "--%s %s: want one of %s", c->command->options[opt].name, text, list);
}

int coll_way(const struct ctl *c, int opt, enum vn_way *way)
{
	const char *words[VN_WAY_COUNT + 1] = { NULL };
	unsigned int word;
	int ret;

	for (word = 0; word < VN_WAY_COUNT; word++)
		words[word] = vn_way_name(word);
	ret = coll_word(c, opt, words, &word);
	*way = word;
	return ret;
}

int coll_operation(const struct ctl *c, const char *name, bool all,
		   const struct coll_operation **op)
{
	*op = coll_op_find(name, all);
	if (*op || (all && !strcmp(name, "all")))
		return CTL_OK;
	return ctl_usage(c, "no operation '%s'; there are: %s%s", name, coll_op_names(all),
			 all ? ", and all" : "");
}

int coll_ranks(const struct ctl *c, uint64_t *ranks)
{
	if (!*ranks)
		*ranks = c->q.chips;
	if (*ranks > c->q.chips)
		return ctl_fail("--ranks %" PRIu64 ": there are %u chips", *ranks, c->q.chips);
	return CTL_OK;
}

static const struct ctl_command commands[] = {
	{ .name = "bench",
	  .args = "OPERATION",
	  .min_args = 1,
	  .max_args = 1,
	  .options = coll_bench_options,
	  .help = "time and check an operation, or all of them",
	  .run = coll_bench },
	{ .name = "tune",
	  .options = coll_tune_options,
	  .letters = coll_tune_letters,
	  .help = "time each way to carry out operations, and leave the library a table of it",
	  .run = coll_tune },
	{ .name = "explain",
	  .args = "OPERATION",
	  .min_args = 1,
	  .max_args = 1,
	  .options = coll_explain_options,
	  .help = "which way the tuner picks for an operation, why, and by whose figures",
	  .run = coll_explain },
	{ .name = "ranks",
	  .help = "ranks of all communicators, and what they do (yours, for root everybody's)",
	  .run = coll_show_ranks },
	{ .name = "status",
	  .help = "communicators, and which rank holds them up",
	  .run = coll_show_status },
	{ .run = NULL },
};

const struct ctl_object ctl_coll = { .name = "coll", .commands = commands };
