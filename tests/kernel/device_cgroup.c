// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Shows that a device control group decides over chip nodes: a process in a group whose
 * program refuses chip 1 has all others; an fd of that chip, handed in, is the right to
 * use it, as a mode is.
 */
#include <linux/bpf.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include "abi/abi.h"

#define GROUP "/sys/fs/cgroup/vn-devices"

#define INSN(c, d, s, o, i)                                                                        \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })

/* All but one node: the context has the kind of access, the major and the minor number. */
static int load(dev_t refused)
{
	const struct bpf_insn code[] = {
		INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 1, 4, 0),
		INSN(BPF_LDX | BPF_MEM | BPF_W, 3, 1, 8, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1),
		INSN(BPF_JMP | BPF_JNE | BPF_K, 2, 0, 2, (int)major(refused)),
		INSN(BPF_JMP | BPF_JNE | BPF_K, 3, 0, 1, (int)minor(refused)),
		INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr a = { .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE };

	a.insn_cnt = ARRAY_SIZE(code);
	a.insns = (uintptr_t)code;
	a.license = (uintptr_t) "GPL";
	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof(a));
}

static int confine(void)
{
	int fd = open(GROUP "/cgroup.procs", O_WRONLY);
	int err = fd < 0 || write(fd, "0", 1) != 1 ? -errno : 0;

	close(fd);
	return err;
}

static int try_chip(uint32_t chip)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), NODE "c%u", chip);
	fd = open(name, O_RDWR);
	return fd < 0 ? -errno : 0;
}

static int handed;

static int use_handed(uint32_t chip)
{
	struct vn_chip_attach a = { .size = sizeof(a), .fd = handed };
	int ctx = open_context(), err = call(ctx, VN_IOCTL_CHIP_ATTACH, &a);

	return err ?: a.chip == chip ? 0 : -EBADMSG;
}

/* In a process of the group. */
static int in_group(int (*fn)(uint32_t chip), uint32_t chip)
{
	int status;
	pid_t pid = fork();

	must(pid >= 0);
	if (!pid)
		_exit(-(confine() ?: fn(chip)));
	must(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return -WEXITSTATUS(status);
}

int main(void)
{
	union bpf_attr a = { .attach_type = BPF_CGROUP_DEVICE };
	struct stat st;
	int prog;

	must(!stat(NODE "c1", &st));
	if (mkdir(GROUP, 0755))
		tap_skip_all("only with control groups (version 2)");
	prog = load(st.st_rdev);
	if (prog < 0) {
		rmdir(GROUP);
		tap_skip_all("only with BPF programs of control groups");
	}
	handed = open_chip(1);
	tap_result(in_group(try_chip, 1), 0, "a group without a program has the chip");
	a.target_fd = (uint32_t)open(GROUP, O_RDONLY | O_DIRECTORY);
	a.attach_bpf_fd = (uint32_t)prog;
	must(!syscall(SYS_bpf, BPF_PROG_ATTACH, &a, sizeof(a)));
	tap_result(in_group(try_chip, 1), -EPERM, "with one that refuses it, it has not");
	tap_result(in_group(try_chip, 0), 0, "but another");
	tap_result(in_group(use_handed, 1), 0, "an fd that is handed in is the right to use it");
	tap_result(try_chip(1), 0, "outside nothing has changed");
	close((int)a.target_fd);
	close(prog);
	must(!rmdir(GROUP));
	return tap_done();
}
