#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Makes syzkaller's descriptions of the device out of the headers in uapi/: what a field is, and
whether it is read or written, follows from its type and its kernel-doc; what that does not say
is in the tables below.

  generate.py text     dev_vneuron.txt
  generate.py const    dev_vneuron.txt.const
  generate.py c        a C file that does not compile unless these are the numbers
"""
import os
import re
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../..")
HEADERS = ["vneuron_ring", "vneuron_sled", "vneuron_fault", "vneuron", "vneuron_nl"]
INTS = {"__u8": 1, "__u16": 2, "__u32": 4, "__s32": 4, "__u64": 8}

# What names a field hands on from one call to another.
RESOURCES = {
    "addr": "vn_addr", "key": "vn_key", "queue": "vn_queue", "plan": "vn_plan",
    "mmap_offset": "vn_offset", "parent": "vn_key",
}
# Fields of which neither type nor text says what they are; a struct of None is any.
FIELDS = {
    ("vn_chip_attach", "fd"): "fd_vneuron_chip",
    ("vn_domain_export", "fd"): "fd_vneuron_domain (out)",
    ("vn_domain_join", "fd"): "fd_vneuron_domain",
    ("vn_drain_open", "fd"): "fd_vneuron_drain (out)",
    ("vn_mem_export", "fd"): "fd (out)",
    ("vn_window_create", "fd"): "fd",
    ("vn_queue_create", "eventfd"): "fd_event",
    ("vn_queue_create", "depth"): "flags[vn_depths, int32]",
    ("vn_window_bind", "key"): "vn_key (inout)",
    ("vn_plan_create", "programs"): "ptr64[in, array[vn_program]]",
    ("vn_plan_create", "descs"): "ptr64[in, array[vn_desc]]",
    ("vn_plan_create", "operands"): "ptr64[in, array[vn_operand]]",
    ("vn_plan_create", "nprograms"): "len[programs, int32]",
    ("vn_plan_create", "ndescs"): "len[descs, int32]",
    ("vn_plan_create", "noperands"): "len[operands, int32]",
    ("vn_wait", "deadline_ns"): "int64[0:1000000000]",
    ("vn_operand", "ultraserver"): "flags[vn_ultraservers, int16]",
    ("vn_operand", "offset"): "vn_addr",
    ("vn_desc_launch", "params"): "vn_addr",
    ("vn_desc_reduce", "table"): "vn_addr",
    ("vn_desc_list", "table"): "vn_addr",
    **{("vn_desc_gemm", f): "vn_addr" for f in "abc"},
    **{("vn_desc_ewise", f): "vn_addr" for f in "xyzw"},
    (None, "bytes"): "flags[vn_sizes, int64]",
    (None, "chip"): "int%d[0:5]",
    (None, "sled"): "int%d[0:3]",
}
# Structs that no call takes, but programs write.
SHARED = ["vn_ring", "vn_operand", "vn_rank_status", "vn_program"]
# A header's own numbers that the text below uses.
DEFINES = ["VN_SLED_STATES", "VN_HEALTH_OFFSET", "VN_RING_SQ_OFFSET", "VN_ANY_SLED"]

HEAD = """\
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# syzkaller's descriptions of /dev/vneuron0, its rings and its netlink family. Made from the
# headers by generate.py; make check sees that they are still those of the headers.
#
# To use them: copy this file and dev_vneuron.txt.const into sys/linux of a syzkaller tree, and
# uapi/linux/vneuron*.h into include/uapi/linux of the kernel if the numbers are to be extracted
# anew; make; enable "openat$vneuron", "openat$vneuron_chip", "ioctl$VN_*", "mmap$vneuron*",
# "syz_memcpy_off$vneuron*", "sendmsg$VN_*" and "syz_genetlink_get_family_id$vneuron". The
# kernel wants CONFIG_KCOV, and the module is loaded before syz-executor starts:
#	insmod vneuron.ko sleds=2 chips_per_sled=2 spares=1 faults=1 hbm=16M

include <linux/vneuron.h>
include <linux/vneuron_nl.h>

resource fd_vneuron[fd]
resource fd_vneuron_chip[fd]
resource fd_vneuron_domain[fd]
resource fd_vneuron_drain[fd]
resource vn_addr[int64]: 0
resource vn_offset[int64]: VN_HEALTH_OFFSET
resource vn_key[int32]: 0
resource vn_queue[int32]: 0
resource vn_plan[int32]: 0
resource vn_ring_ptr[intptr]
resource genl_vneuron_family_id[int16]

vn_sizes = 0, 8, 64, 4096, 8192, 65536, 1048576
vn_depths = 8, 16, 64
vn_ultraservers = 0, 0xffff

openat$vneuron(fd const[AT_FDCWD], file ptr[in, string["/dev/vneuron0"]], flags flags[open_flags], mode const[0]) fd_vneuron
openat$vneuron_chip(fd const[AT_FDCWD], file ptr[in, string["/dev/vneuron0c0"]], flags flags[open_flags], mode const[0]) fd_vneuron_chip
openat$vneuron_chip1(fd const[AT_FDCWD], file ptr[in, string["/dev/vneuron0c1"]], flags flags[open_flags], mode const[0]) fd_vneuron_chip

mmap$vneuron(addr vma, len len[addr], prot flags[mmap_prot], flags flags[mmap_flags], fd fd_vneuron, offset vn_offset)
mmap$vneuron_ring(addr vma, len len[addr], prot flags[mmap_prot], flags flags[mmap_flags], fd fd_vneuron, offset vn_offset) vn_ring_ptr
# Page 0 of a queue's mapping, and its descriptors behind that.
syz_memcpy_off$vneuron_ring(to vn_ring_ptr, off const[0, intptr], src ptr[in, vn_ring], src_off const[0, intptr], nbytes bytesize[src, intptr])
syz_memcpy_off$vneuron_desc(to vn_ring_ptr, off const[VN_RING_SQ_OFFSET, intptr], src ptr[in, array[vn_desc, 8]], src_off const[0, intptr], nbytes bytesize[src, intptr])
# An entry of a status page.
syz_memcpy_off$vneuron_status(to vn_ring_ptr, off const[0, intptr], src ptr[in, vn_rank_status], src_off const[0, intptr], nbytes bytesize[src, intptr])
"""


class Headers:
    """Enums, structs and their texts, as the headers have them."""

    def __init__(self):
        self.enums, self.structs, self.docs, self.defines = {}, {}, {}, {}
        for name in HEADERS:
            with open(f"{TOP}/uapi/linux/{name}.h", encoding="utf-8") as f:
                self.read(f.read())

    def read(self, text):
        for doc in re.findall(r"/\*\*\n(.*?)\*/", text, re.S):
            self.read_doc(doc)
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        for name, value in re.findall(r"^#define\s+(VN_\w+)\s+(\S.*)$", text, re.M):
            value = self.number(value)
            if value is not None:
                self.defines[name] = value
        for name, body in re.findall(r"^enum (\w+) \{(.*?)^\};", text, re.S | re.M):
            self.read_enum(name, body)
        for name, body in re.findall(r"^struct (\w+) \{(.*?)^\};", text, re.S | re.M):
            self.read_struct(name, body)

    def read_doc(self, doc):
        lines = [re.sub(r"^ \* ?", "", line) for line in doc.splitlines()]
        of = re.match(r"(?:struct|enum) (\w+) - ", lines[0])
        if not of:
            return
        fields, last = self.docs.setdefault(of[1], {}), None
        for line in lines[1:]:
            field = re.match(r"@(\w+): ?(.*)", line)
            if field:
                last = field[1]
                fields[last] = field[2]
            elif last and line.startswith("\t"):
                fields[last] += " " + line.strip()
            else:
                last = None

    def number(self, text):
        text = re.sub(r"\b(0x[0-9a-fA-F]+|\d+)[uUlL]+", r"\1", text.strip())
        text = re.sub(r"\bVN_\w+", lambda m: str(self.defines.get(m[0], m[0])), text)
        if not re.fullmatch(r"[0-9a-fA-Fx()|<+*\- ]+", text):
            return None
        return eval(text, {"__builtins__": {}})  # digits and operators alone

    def read_enum(self, name, body):
        values, following = {}, 0
        body = re.sub(r"_IO\('V', (\d+)\)", r"(0x5600 | \1)", body)
        for item in body.split(","):
            m = re.match(r"\s*(\w+)\s*(?:=\s*(.*?))?\s*$", item, re.S)
            if not m:
                continue
            following = self.number(m[2]) if m[2] else following
            if following is None:
                sys.exit(f"{m[1]} = {m[2]}: what number is that?")
            values[m[1]] = following
            following += 1
        self.enums[name] = values
        self.defines.update(values)

    def read_struct(self, name, body):
        union = re.search(r"union \{(.*)\};", body, re.S)
        if union:
            for part, member in re.findall(r"struct \{(.*?)\} (\w+);", union[1], re.S):
                self.read_struct(f"{name}_{member}", part)
            body = body[: union.start()]
        self.structs[name] = [
            (f, re.sub("^struct ", "", t), n)
            for t, f, n in re.findall(r"^\s*((?:struct )?\w+) (\w+)(?:\[(\w+)\])?;", body, re.M)
        ]


class Text:
    def __init__(self, h):
        self.h, self.lines, self.used, self.flags = h, [], set(), set()

    def const(self, name):
        self.used.add(name)
        return name

    def field(self, struct, field, kind, doc):
        bits = 8 * INTS[kind] if kind in INTS else 0
        enum = re.search(r"&enum (\w+)", doc)
        known = FIELDS.get((struct, field))
        out = re.match(r"out\b", doc)
        if not bits:
            return kind
        if known:
            return known
        if field == "size":
            return "bytesize[parent, int32]"
        if not out and (field.startswith("reserved") or re.match(r"zero\b", doc)):
            return f"const[0, int{bits}]"
        way = " (out)" if out else ""
        if field in RESOURCES and not struct.startswith("vn_desc_"):
            return RESOURCES[field] + way
        if enum and enum[1] in self.h.enums and not out:
            self.flags.add(enum[1])
            return f"flags[{enum[1]}, int{bits}]"
        known = FIELDS.get((None, field))
        if known and not out:
            return known % bits if "%" in known else known
        return f"int{bits}{way}"

    def struct(self, name, end="}"):
        docs = self.h.docs.get(name, {})
        self.lines.append(f"\n{name} {{")
        for field, kind, n in self.h.structs[name]:
            doc = docs.get(field, "")
            text = self.field(name, field, kind, doc)
            if n:
                size = n if n.isdigit() else self.const(n)
                base, way = (text.split(" ", 1) + [""])[:2] if text.endswith(")") else (text, "")
                text = f"array[{base}, {size}]" + (f" {way}" if way else "")
            self.lines.append(f"\t{field}\t{text}")
        self.lines.append(end)

    def desc(self):
        members = [s for s in self.h.structs if s.startswith("vn_desc_")]
        for name in members:
            self.struct(name, "} [size[48]]")
        self.lines.append("\nvn_desc_about [")
        for name in members:
            self.lines.append(f"\t{name[len('vn_desc_'):]}\t{name}")
        self.lines.append("\traw\tarray[int64, 6]\n]")
        self.struct("vn_desc")
        self.lines[-1:] = ["\tabout\tvn_desc_about", "}"]

    def calls(self):
        taken = {}
        for name in self.h.enums["vn_ioctl"]:
            doc = self.h.docs["vn_ioctl"][name]
            struct = re.search(r"&struct (\w+)", doc)[1]
            taken[struct] = None
            fd = "fd_vneuron_drain" if "session's fd" in doc else "fd_vneuron"
            kinds = [("", fd)]
            if "also on a chip node" in doc:
                kinds.append(("_chip", "fd_vneuron_chip"))
            for suffix, fd in kinds:
                self.lines.append(
                    f"ioctl${name}{suffix}(fd {fd}, cmd const[{self.const(name)}], "
                    f"arg ptr[inout, {struct}])")
        for struct in taken:
            self.struct(struct)

    def netlink(self):
        quiet = ("VN_NL_CMD_UNSPEC", "VN_NL_CMD_SLED_EVENT")
        self.lines.append(
            '\nsyz_genetlink_get_family_id$vneuron(name ptr[in, string["vneuron"]], '
            "fd sock_nl_generic) genl_vneuron_family_id")
        for name in self.h.enums["vn_nl_cmd"]:
            if name not in quiet and not name.startswith("__"):
                self.lines.append(
                    f"sendmsg${name}(fd sock_nl_generic, msg ptr[in, msghdr_netlink["
                    f"netlink_msg_t[genl_vneuron_family_id, genlmsghdr_t[{self.const(name)}], "
                    "vn_nl_attr]]], f flags[send_flags])")
        self.lines.append("\nvn_nl_attr [")
        sizes = {"u8": "int8", "u32": "int32", "s32": "int32", "u64": "int64", "string": "string"}
        for name, doc in self.h.docs["vn_nl_attr"].items():
            kind = sizes.get(re.match(r"\w*", doc)[0], "int64")
            self.lines.append(f"\t{name[len('VN_NL_A_'):].lower()}\t"
                              f"nlattr[{self.const(name)}, {kind}]")
        self.lines.append("] [varlen]")

    def all(self):
        self.calls()
        for name in SHARED:
            if name in self.h.structs:
                self.struct(name)
        self.desc()
        self.netlink()
        for name in sorted(self.flags):
            self.lines.append(f"\n{name} = " + ", ".join(
                self.const(v) for v in self.h.enums[name]
                if not v.endswith(("_COUNT", "_STATES", "_KINDS"))))
        for name in DEFINES:
            self.const(name)
        return HEAD + "\n" + "\n".join(self.lines) + "\n"


def main():
    text = Text(Headers())
    made = text.all()
    # Not those that no line of it names.
    values = {n: text.h.defines[n] for n in sorted(text.used) if re.search(rf"\b{n}\b", made)}
    if sys.argv[1:] == ["text"]:
        sys.stdout.write(made)
    elif sys.argv[1:] == ["const"]:
        print("# Made by generate.py\narches = amd64\nAT_FDCWD = 18446744073709551516")
        for name, value in values.items():
            print(f"{name} = {value}")
    elif sys.argv[1:] == ["c"]:
        print("#include <linux/vneuron.h>\n#include <linux/vneuron_nl.h>")
        for name, value in values.items():
            print(f'_Static_assert((unsigned long long){name} == {value}ull, "{name}");')
        for name, fields in text.h.structs.items():
            if name.startswith("vn_desc_"):
                continue
            for field, kind, n in fields:
                size = INTS.get(kind, f"sizeof(struct {kind})")
                print(f"_Static_assert(sizeof(((struct {name} *)0)->{field}) == "
                      f'{size} * {n or 1}, "{name}.{field}");')
    else:
        sys.exit(__doc__)


main()
