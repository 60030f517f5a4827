#!/usr/bin/env python3
"""Calls that coracle does not make, each with what to use instead and why.

A line of exceptions.txt, "RULE PATH REASON", lets one file use one of them; a line that is no
longer needed is an error, so the list only shrinks.
"""

import re
import sys
from pathlib import Path

from exceptions import Exceptions
from source import cxx_files, line_of, relative, without_comments

# Not a member, not of a namespace other than std or the global one.
CALL = r"(?<![\w.:>])(?:std::|::)?"


def call(*names):
    return re.compile(CALL + r"(?:" + "|".join(names) + r")\s*\(")


# name, pattern, where it is fine (prefixes of paths), what instead, why
RULES = [
    ("filesystem", re.compile(r"std::filesystem|<filesystem>"), (),
     "sys/file.h, sys/rooted_path.h",
     "it resolves path strings, and a path in a rootfs belongs to the container"),
    ("open", re.compile(CALL + r"open(?:at)?2?\s*\([^;]*\bO_[A-Z]+"), ("src/sys/",),
     "sys/file.h, sys/rooted_path.h", "sys/ opens close-on-exec and below a descriptor"),
    ("path-call", call("creat", "mount", "umount", "umount2", "mkdir", "mknod", "symlink", "link",
                       "chown", "lchown", "chmod", "rename", "unlink", "rmdir", "truncate",
                       "readlink", "access", "chroot", "pivot_root"),
     ("src/sys/",), "the functions of sys/, on a descriptor",
     "a path resolved by the kernel in the wrong root is somebody else's file"),
    ("at-call", call("mkdirat", "mknodat", "symlinkat", "linkat", "fchownat", "fchmodat",
                     "renameat", "renameat2", "unlinkat", "readlinkat", "faccessat", "utimensat"),
     ("src/sys/", "src/rootfs/"), "the functions of sys/",
     "only sys and rootfs know which descriptors are directories of whom"),
    ("realpath", call("realpath", "canonicalize_file_name", "getcwd", "get_current_dir_name"),
     ("src/sys/",), "sys/rooted_path.h or a descriptor",
     "the answer is stale when it arrives"),
    ("stream-file", re.compile(r"\bstd::(?:[io]|basic_[io]?)?fstream\b|\b(?:fopen|freopen|fdopen|"
                               r"tmpfile|mkstemp|mkdtemp|tmpnam)\s*\("), ("src/sys/",),
     "sys/file.h", "no close-on-exec, no errno"),
    ("getpw", call(r"getpw\w+", r"getgr(?!oups\b)\w+", "initgroups", "getlogin", "cuserid"), (),
     "a parser of our own over a descriptor",
     "name services load code and files, inside the container its own"),
    ("shell", call("system", "popen", "execlp", "execvp", "execvpe", "posix_spawnp?", "wordexp"),
     (), "sys/program.h", "a shell or PATH decides what runs"),
    ("fork", call("fork", "vfork", "clone", "clone3", "daemon"), ("src/sys/", "src/launch/"),
     "launch/ for a role, sys/program.h for a program", "only launch starts a role"),
    ("strerror", call("strerror", "strerror_r", "perror"), (), "describe_errno()",
     "it is translated, and engines match on the English words"),
    ("dup", call("dup", "dup2"), (), "fcntl(F_DUPFD_CLOEXEC, 3) or dup3(O_CLOEXEC)",
     "the copy is not close-on-exec"),
    ("pipe", call("pipe", "epoll_create", "inotify_init", "accept"), (),
     "pipe2, epoll_create1, inotify_init1, accept4 with the CLOEXEC flag",
     "not close-on-exec at birth"),
    ("number", call("atoi", "atol", "atoll", "atof", "stoi", "stol", "stoul", "stoll", "stoull",
                    "strtol", "strtoul", "strtoll", "strtoull", "strtod", "sscanf"), (),
     "parse_unsigned()", "they take signs, blanks, prefixes and what follows the number"),
    ("exit", call("exit", "quick_exit", "atexit", "at_quick_exit"), (),
     "return from main, _exit in a role", "exit in a child runs the parent's handlers"),
    ("locale", re.compile(r"\bsetlocale\s*\(|\bstd::locale\b"), (), "nothing",
     "output is for programs, and catalogues are files"),
    ("character-class", call(r"is(?:alnum|alpha|blank|cntrl|digit|graph|lower|print|punct|space|upper|xdigit)",
                             "tolower", "toupper"), (), "comparison, to_lower()",
     "they need a locale, which coracle-init has not (launch/init_libc.cpp)"),
    ("thread", re.compile(r"\bstd::(?:jthread|thread|async)\b|\bpthread_create\s*\("), (), "poll",
     "allocation in a cloned child is safe only if the parent has one thread"),
    ("who-am-i", call("getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid"),
     ("src/host/", "src/security/", "src/sys/"), "host::Facts, decided in plan/",
     "an executor that asks nothing cannot ask wrongly"),
    ("stdout", re.compile(r"\bstd::c(?:out|err|log)\b|(?<![\w.:>])(?:std::)?(?:printf|puts|putchar)\s*\("),
     (), "cli's output functions, log::write", "standard output is read by engines"),
]

SIZE_RULES = {"file-size", "function-size", "parameters"}  # of size.py
CATCH = re.compile(r"\bcatch\s*\(")
CATCH_FILES = re.compile(r"src/main\.cpp|src/launch/(?:intermediate|init|init_main)\.cpp")


def check_catches(path, text, code):
    """`catch` outside main and the role files needs its reason on the line or beside it."""
    if CATCH_FILES.fullmatch(path):
        return []
    lines = text.splitlines()
    problems = []
    for match in CATCH.finditer(code):
        number = line_of(code, match.start())
        if not any("// catch:" in line for line in lines[number - 1:number + 1]):
            problems.append((number, "catch", "a catch here needs a '// catch:' reason: let it "
                             "pass to main, or use a find_ or try_ function"))
    return problems


def check(root):
    root = Path(root).resolve()
    exceptions = Exceptions(root)
    rules = {rule[0] for rule in RULES} | {"catch"}
    problems = exceptions.problems + exceptions.unknown(rules | SIZE_RULES)
    for file in cxx_files(root, "include", "src"):
        path = relative(root, file)
        text = file.read_text(encoding="utf-8")
        code = without_comments(text)
        found = check_catches(path, text, code)
        for name, pattern, fine, instead, why in RULES:
            if path.startswith(fine):
                continue
            for match in pattern.finditer(code):
                word = match.group(0).split("(")[0].strip()
                found.append((line_of(code, match.start()), name,
                              f"{word} is banned, use {instead}: {why}"))
        for number, name, what in found:
            if not exceptions.allows(name, path):
                problems.append(f"{path}:{number}: [{name}] {what}")
    problems += exceptions.unused(rules)
    return problems


if __name__ == "__main__":
    faults = check(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2])
    print("\n".join(faults))
    sys.exit(bool(faults))
