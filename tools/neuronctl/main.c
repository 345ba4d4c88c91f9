// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * neuronctl [OPTIONS] OBJECT COMMAND [ARGS]: the table of objects, the parser
 * that reads a command line by it, and the help printed from it.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

static const struct ctl_object *const objects[] = {
	&ctl_status, &ctl_topo,	 &ctl_chip,   &ctl_sled, &ctl_event,   &ctl_fault,
	&ctl_switch, &ctl_queue, &ctl_window, &ctl_coll, &ctl_version,
};

#define OBJECTS (sizeof(objects) / sizeof(*objects))
#define GLOBALS 4

/* Options every command takes. */
static const struct {
	struct option o;
	const char *arg;
	const char *help;
} globals[GLOBALS] = {
	{ { "device", required_argument, NULL, 'd' },
	  "DEVICE",
	  "/dev/vneuron0, embedded, embedded:sleds=S,chips=C,spares=N,hbm=BYTES or pid:PID" },
	{ { "json", no_argument, NULL, 'j' }, NULL, "print JSON" },
	{ { "pretty", no_argument, NULL, 'p' }, NULL, "print JSON with line breaks" },
	{ { "help", no_argument, NULL, 'h' }, NULL, "print help and exit" },
};

/* What the options so far ask for. */
enum parsed {
	GO_ON,
	HELP,
	WRONG,
};

/* The letter of a command's option, 0 if it has none. */
static int letter(const struct ctl_command *cmd, size_t option)
{
	if (!cmd->letters || option >= strlen(cmd->letters) || cmd->letters[option] == ' ')
		return 0;
	return cmd->letters[option];
}

static void print_usage(FILE *to, const struct ctl_object *o, const struct ctl_command *cmd)
{
	const struct ctl_option *opt;
	char word[64];
	int column, n;

	column = fprintf(to, "neuronctl [OPTIONS] %s", o->name);
	if (cmd->name)
		column += fprintf(to, " %s", cmd->name);
	if (cmd->args)
		column += fprintf(to, cmd->min_args ? " %s" : " [%s]", cmd->args);
	for (opt = cmd->options; opt && opt->name; opt++) {
		n = snprintf(word, sizeof(word), opt->arg ? " [--%s %s]" : " [--%s]", opt->name,
			     opt->arg);
		if (column + n > 72) {
			fputs("\n         ", to);
			column = 9;
		}
		column += n;
		fputs(word, to);
	}
	putc('\n', to);
}

int ctl_usage(const struct ctl *c, const char *fmt, ...)
{
	const struct ctl_command *cmd;
	va_list ap;

	fflush(stdout);
	fputs("neuronctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("\nusage: ", stderr);
	if (c->command)
		print_usage(stderr, c->object, c->command);
	else if (!c->object)
		fputs("neuronctl [OPTIONS] OBJECT COMMAND [ARGS], see neuronctl --help\n", stderr);
	else
		for (cmd = c->object->commands; cmd->run; cmd++) {
			if (cmd != c->object->commands)
				fputs("       ", stderr);
			print_usage(stderr, c->object, cmd);
		}
	return CTL_USAGE;
}

static void help_object(const struct ctl_object *o)
{
	const struct ctl_option *opt;
	const struct ctl_command *cmd;
	char name[40];
	int n;

	for (cmd = o->commands; cmd->run; cmd++) {
		print_usage(stdout, o, cmd);
		printf("    %s\n", cmd->help);
		for (opt = cmd->options; opt && opt->name; opt++) {
			n = letter(cmd, (size_t)(opt - cmd->options));
			snprintf(name, sizeof(name), n ? "--%s %s, -%c" : "--%s %s", opt->name,
				 opt->arg ? opt->arg : "", n);
			printf("    %-18s %s\n", name, opt->help);
		}
	}
}

static void help_all(void)
{
	const struct ctl_command *cmd;
	char name[40];
	size_t i;

	puts("usage: neuronctl [OPTIONS] OBJECT COMMAND [ARGS]\n"
	     "       neuronctl help [OBJECT]\n"
	     "without OBJECT: status. Options:");
	for (i = 0; i < GLOBALS; i++) {
		snprintf(name, sizeof(name), "-%c, --%s %s", globals[i].o.val, globals[i].o.name,
			 globals[i].arg ? globals[i].arg : "");
		printf("    %-21s %s\n", name, globals[i].help);
	}
	puts("Objects and their commands:");
	for (i = 0; i < OBJECTS; i++)
		for (cmd = objects[i]->commands; cmd->run; cmd++) {
			snprintf(name, sizeof(name), "%s %s %s", objects[i]->name,
				 cmd->name ? cmd->name : "", cmd->args ? cmd->args : "");
			printf("    %-21s %s\n", name, cmd->help);
		}
}

static const struct ctl_object *find_object(const char *name)
{
	size_t i;

	for (i = 0; i < OBJECTS; i++)
		if (!strcmp(objects[i]->name, name))
			return objects[i];
	return NULL;
}

static int no_object(const struct ctl *c, const char *name)
{
	char list[256] = "";
	size_t i, n = 0;

	for (i = 0; i < OBJECTS; i++)
		n += snprintf(list + n, sizeof(list) - n, " %s", objects[i]->name);
	return ctl_usage(c, "no object '%s'; there are:%s", name, list);
}

static int help(struct ctl *c, const char *name)
{
	const struct ctl_object *o = c->object;

	if (name) {
		o = find_object(name);
		if (!o)
			return no_object(c, name);
	}
	if (o)
		help_object(o);
	else
		help_all();
	return CTL_OK;
}

static enum parsed wrong_option(struct ctl *c, int why, const char *arg)
{
	/* getopt names a known option here only when it got a value it has no use for. */
	if (why == ':')
		ctl_usage(c, "option '%s' wants a value", arg);
	else if (!optopt)
		ctl_usage(c, "unknown option '%s'", arg);
	else if (optopt >= 0x100 || strchr("jph", optopt))
		ctl_usage(c, "option '%s' takes no value", arg);
	else
		ctl_usage(c, "unknown option '-%c'", optopt);
	return WRONG;
}

/*
 * Reads options from av[1] on; the options of the command too, once it is
 * known. What is left begins at av[optind]: everything behind the first
 * argument while the command is not known, then the arguments.
 */
static enum parsed parse(struct ctl *c, int ac, char **av)
{
	struct option longs[GLOBALS + CTL_OPTIONS_MAX + 1] = { { NULL, 0, NULL, 0 } };
	const struct ctl_option *opt = c->command ? c->command->options : NULL;
	char shorts[16 + 2 * CTL_OPTIONS_MAX];
	int i, n, ch, end;

	/* A leading + ends at the first argument. */
	end = sprintf(shorts, c->command ? ":d:jph" : "+:d:jph");
	for (n = 0; n < GLOBALS; n++)
		longs[n] = globals[n].o;
	for (i = 0; opt && opt[i].name; i++, n++) {
		longs[n].name = opt[i].name;
		longs[n].has_arg = opt[i].arg ? required_argument : no_argument;
		longs[n].val = 0x100 + i;
		if (letter(c->command, (size_t)i))
			end += sprintf(shorts + end, "%c%s", letter(c->command, (size_t)i),
				       opt[i].arg ? ":" : "");
	}
	opterr = 0;
	optind = 0; /* makes getopt begin afresh */
	while ((ch = getopt_long(ac, av, shorts, longs, NULL)) != -1) {
		switch (ch) {
		case 'd':
			c->device = optarg;
			break;
		case 'p':
			c->j.pretty = true;
			/* fall through */
		case 'j':
			c->json = true;
			break;
		case 'h':
			return HELP;
		case '?':
		case ':':
			return wrong_option(c, ch, av[optind - 1]);
		default:
			for (i = 0; ch < 0x100 && letter(c->command, (size_t)i) != ch; i++)
				;
			c->option[ch < 0x100 ? i : ch - 0x100] = optarg ? optarg : "";
		}
	}
	return GO_ON;
}

/* Sets c->command; the words used up are added to *used. */
static int find_command(struct ctl *c, const char *name, int *used)
{
	const struct ctl_command *cmd = c->object->commands;
	char list[256] = "";
	size_t n = 0;

	if (cmd->name && name) {
		for (; cmd->run && strcmp(cmd->name, name); cmd++)
			n += snprintf(list + n, sizeof(list) - n, " %s", cmd->name);
		*used += 1;
	}
	if (!cmd->run)
		return ctl_usage(c, "no command '%s %s'; there are:%s", c->object->name, name,
				 list);
	/* Without a name it is the first, if that needs nothing. */
	if (!name && cmd->min_args)
		return ctl_usage(c, "'%s' wants a command", c->object->name);
	c->command = cmd;
	return CTL_OK;
}

static int run(struct ctl *c, int ac, char **av)
{
	int ret, used = 0;
	enum parsed p;

	p = parse(c, ac, av);
	if (p != GO_ON)
		return p == HELP ? help(c, NULL) : CTL_USAGE;
	if (optind < ac && !strcmp(av[optind], "help"))
		return help(c, av[optind + 1]);
	c->object = optind < ac ? find_object(av[optind]) : &ctl_status;
	if (!c->object)
		return no_object(c, av[optind]);
	/* From here on av[0] is the word before the options. */
	used = optind < ac ? optind : ac - 1;
	ac -= used;
	av += used;

	p = parse(c, ac, av);
	if (p != GO_ON)
		return p == HELP ? help(c, NULL) : CTL_USAGE;
	if (optind < ac && !strcmp(av[optind], "help"))
		return help(c, NULL);
	used = optind - 1;
	ret = find_command(c, av[optind], &used);
	if (ret)
		return ret;
	ac -= used;
	av += used;

	p = parse(c, ac, av);
	if (p != GO_ON)
		return p == HELP ? help(c, NULL) : CTL_USAGE;
	c->args = av + optind;
	c->nargs = ac - optind;
	if (c->nargs > c->command->max_args)
		return ctl_usage(c, "'%s' is one argument too many", c->args[c->command->max_args]);
	if (c->nargs < c->command->min_args)
		return ctl_usage(c, "missing argument: %s", c->command->args);
	return c->command->run(c);
}

int main(int argc, char **argv)
{
	struct ctl c = { .j.to = stdout };
	int ret = run(&c, argc, argv);

	vn_close(c.dev);
	/* A full disk shows up here at the latest. */
	return ret == CTL_OK ? ctl_flush() : ret;
}
