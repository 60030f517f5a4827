"""run --explain, and what is said of a program that a filter has killed."""

import json
import os
import signal

import pytest

from test_seccomp import ERRNO_ENOSYS, profile, rule

pytestmark = pytest.mark.machine("native", "systemd")

CALL = ["try-syscall", "getcpu", "0", "0", "0"]
KILLED = 128 + signal.SIGSYS
ALLOWED = ["execve", "read", "write", "exit_group", "brk", "arch_prctl", "set_tid_address",
           "set_robust_list", "rseq", "prlimit64", "readlink", "readlinkat", "getrandom",
           "mprotect", "fstat", "newfstatat", "mmap", "munmap", "futex", "close",
           "rt_sigprocmask", "ioctl", "lseek", "fcntl"]


def built_in(box, text):
    """The edit of a configuration that gets this built-in profile."""
    document = json.loads(box.must("seccomp", "show", text).out)

    def edit(config, _):
        config["process"]["noNewPrivileges"] = True
        config["process"]["capabilities"] = {}
        config["linux"]["seccomp"] = document
    return edit


def in_shell(script, edit):
    def change(config, bundle):
        edit(config, bundle)
        config["process"]["args"] = ["/bin/busybox", "sh", "-c", script]
    return change


def explained(box, *args, edit, rc=0):
    result = box.run(box.bundle(*args, edit=edit), "--explain")
    assert result.rc == rc, result
    return result


def test_explain_names_what_is_refused(box):
    edit = profile(rule("SCMP_ACT_ERRNO", "getcpu"),
                   rule("SCMP_ACT_ERRNO", "sync", errnoRet=ERRNO_ENOSYS))
    result = explained(box, "also", *CALL, "--", "also", *CALL, "--", "try-syscall", "sync",
                       edit=edit)
    assert result.out == "EPERM\nEPERM\nENOSYS\n"
    lines = result.err.splitlines()
    assert len(lines) == 2, lines
    assert "getcpu was refused with EPERM, 2 times, called by guest; " in lines[0]
    assert lines[0].endswith("--seccomp +getcpu")
    assert "sync was refused with ENOSYS, 1 time, called by guest; " in lines[1]


def test_explain_names_nothing_where_nothing_is_refused(box):
    result = explained(box, "echo", "x", edit=profile(rule("SCMP_ACT_ERRNO", "getcpu")))
    assert result.out == "x\n"
    assert result.err == "coracle: seccomp: no call was seen to be refused\n"


def test_explain_sees_what_the_default_refuses(box):
    edit = profile(rule("SCMP_ACT_ALLOW", *ALLOWED), default="SCMP_ACT_ERRNO", defaultErrnoRet=13)
    result = explained(box, "try-syscall", "sync", edit=edit)
    assert result.out == "EACCES\n"
    assert "sync was refused with EACCES, 1 time" in result.err


def test_explain_keeps_arguments_apart(box):
    argument = {"index": 0, "value": 12345, "op": "SCMP_CMP_EQ"}
    edit = profile(rule("SCMP_ACT_ERRNO", "personality", args=[argument]))
    result = explained(box, "also", "try-syscall", "personality", "12345", "--",
                       "try-syscall", "personality", "0xffffffff", edit=edit)
    assert result.out == "EPERM\nok\n"
    assert "personality was refused with EPERM, 1 time," in result.err


@pytest.mark.parametrize("action", ["SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS"])
def test_explain_kills_as_the_filter_does(box, action):
    edit = profile(rule(action, "getcpu"))
    result = explained(box, *CALL, edit=edit, rc=KILLED)
    assert result.out == ""
    assert "killed by seccomp" in result.err
    assert "getcpu was refused: its " in result.err and "1 time" in result.err


def test_explain_kills_by_default(box):
    edit = profile(rule("SCMP_ACT_ALLOW", *ALLOWED), default="SCMP_ACT_KILL_PROCESS")
    result = explained(box, "try-syscall", "sync", edit=edit, rc=KILLED)
    assert "sync was refused: its process is killed, 1 time" in result.err


@pytest.mark.parametrize("action", ["SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"])
def test_a_program_that_a_filter_kills_is_told_of(box, action):
    result = box.run(box.bundle(*CALL, edit=profile(rule(action, "getcpu"))))
    assert result.rc == KILLED
    assert len(result.err.splitlines()) == 1
    assert "killed by seccomp" in result.err and "--explain" in result.err


def test_without_a_filter_nothing_is_said_of_one(box):
    assert box.run(box.bundle("signal-self", "31")).err == ""


def test_explain_is_quick_where_the_program_is_not_there(box):
    edit = profile(rule("SCMP_ACT_ALLOW", *ALLOWED), default="SCMP_ACT_ERRNO")

    def missing(config, bundle):
        edit(config, bundle)
        config["process"]["args"] = ["/no/such"]
    result = box.run(box.bundle("echo", edit=missing), "--explain", timeout=10)
    assert result.rc == 1 and "no such file" in result.err, result


def test_explain_needs_the_foreground_a_filter_and_the_listener(box):
    edit = profile(rule("SCMP_ACT_ERRNO", "getcpu"))
    box.fails("run", "--explain", "--detach", "--bundle", box.bundle("echo", edit=edit).path,
              box.new_id(), says=["--explain", "--detach"])
    box.fails("run", "--explain", "--bundle", box.bundle("echo").path, box.new_id(),
              says=["--explain", "/linux/seccomp"])
    edit = profile(rule("SCMP_ACT_NOTIFY", "getcpu"), listenerPath="/agent")
    box.fails("run", "--explain", "--bundle", box.bundle("echo", edit=edit).path, box.new_id(),
              says=["--explain", "listenerPath"])


def test_the_default_profile_runs_programs_and_refuses_what_it_should(box):
    edit = built_in(box, "default")
    assert box.facts(edit).status["Seccomp"] == "2"
    assert box.output(edit=in_shell("(echo x) | /bin/busybox cat; /bin/busybox sleep 0", edit),
                      busybox=True) == "x\n"
    out = box.output("also", "try-syscall", "socket", "38", "5", "0", "--",
                     "also", "try-syscall", "socket", "16", "3", "6", "--",
                     "also", "try-syscall", "unshare", "0x10000000", "--",
                     "try-syscall", "socket", "2", "1", "0", edit=edit)
    assert out == "EPERM\nEPERM\nEPERM\nok\n"
    result = explained(box, "try-syscall", "unshare", "0x10000000", edit=edit)
    assert result.out == "EPERM\n"
    assert "unshare was refused with EPERM, 1 time" in result.err


def test_words_change_a_profile(box):
    call = ["try-syscall", "socket", "1", "1", "0"]
    assert box.output(*call, edit=built_in(box, "strict")) == "ok\n"
    assert box.output(*call, edit=built_in(box, "strict,-socket")) == "EPERM\n"
    assert box.output("try-syscall", "socket", "16", "3", "0",
                      edit=built_in(box, "strict,+socket")) == "ok\n"


def test_the_strict_profile_runs_a_shell(box):
    edit = in_shell("(echo x) | /bin/busybox cat", built_in(box, "strict"))
    assert box.output(edit=edit, busybox=True) == "x\n"


def test_an_answer_needs_no_container(box):
    assert box.must("seccomp", "test", "default", "ptrace").out.startswith("ptrace: allowed (")
    assert box.must("seccomp", "test", "strict", "ptrace").out.startswith(
        "ptrace: refused with EPERM (")
    assert box.must("seccomp", "test", "default", "ioctl", "0", "0x100005412").out.startswith(
        "ioctl: refused with EPERM (")
    assert box.must("seccomp", "test", "default", "socket").out.startswith(
        "socket: depends on its arguments; with zeros allowed (")
    listed = box.must("seccomp", "list").out
    assert "default-1 " in listed and "@file-system " in listed
    box.fails("seccomp", "test", "default", "mont", says="did you mean 'mount'?")
    box.fails("seccomp", "test", "default", "mount", "1x", says="'1x'")
    box.fails("seccomp", "test", "default", "mount", *"1234567", says="six arguments")
    box.fails("seccomp", "show", says="show PROFILE")
    box.fails("seccomp", "show", "strct", says="did you mean 'strict'?")


def test_explain_tells_of_a_bundle_a_profile_and_a_file(box):
    bundle = box.bundle("echo", edit=profile(rule("SCMP_ACT_ERRNO", "getcpu", errnoRet=5)))
    out = box.must("explain", "--syscall", "getcpu", "--bundle", bundle.path).out
    assert out.splitlines() == [
        "getcpu: refused with EIO", "why: /linux/seccomp/syscalls/0 names it",
        'to allow it: take it out of /linux/seccomp/syscalls/0 and add {"names": ["getcpu"], '
        '"action": "SCMP_ACT_ALLOW"} to /linux/seccomp/syscalls']
    assert box.must("explain", "--syscall", "sync", "--bundle", bundle.path).out.splitlines() == [
        "sync: allowed", "why: no rule names it, so it gets /linux/seccomp/defaultAction"]
    out = box.must("explain", "--syscall", "getcpu", "--bundle", box.bundle("echo").path).out
    assert out == "getcpu: allowed\nwhy: the configuration has no /linux/seccomp\n"
    out = box.must("explain", "--syscall", "bpf", "--seccomp", "default,+@mount").out
    assert out.splitlines()[0] == "bpf: refused with EPERM"
    assert out.splitlines()[2] == "to allow it: --seccomp default,+@mount,+bpf"
    out = box.must("explain", "--syscall", "socket", "--seccomp", "default", "38").out
    assert out.splitlines()[1] == ("why: no rule names it with such arguments, so it gets "
                                   "/linux/seccomp/defaultAction")
    shown = bundle.path + "/shown.json"
    with open(shown, "w", encoding="ascii") as file:
        file.write(box.must("seccomp", "show", "none,-sync").out)
    out = box.must("explain", "--syscall", "sync", "--seccomp", shown).out
    os.remove(shown)
    assert out.startswith("sync: refused with EPERM\nwhy: /linux/seccomp/syscalls/0 names it\n")
    box.fails("explain", "--seccomp", "default", says="--syscall")
