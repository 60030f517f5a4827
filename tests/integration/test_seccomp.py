"""Seccomp filters of the configuration."""

import signal

import pytest

both = pytest.mark.parametrize("no_new_privileges", [True, False])
ERRNO_EPERM, ERRNO_ENOSYS, ERRNO_EACCES = 1, 38, 13


def rule(action, *names, **more):
    return {"names": list(names), "action": action, **more}


def profile(*rules, no_new_privileges=True, default="SCMP_ACT_ALLOW", **more):
    def edit(config, _):
        config["process"]["noNewPrivileges"] = no_new_privileges
        config["linux"]["seccomp"] = {"defaultAction": default,
                                      "architectures": ["SCMP_ARCH_X86_64"],
                                      "syscalls": list(rules), **more}
    return edit


@both
def test_a_refused_call_fails_with_eperm(box, no_new_privileges):
    edit = profile(rule("SCMP_ACT_ERRNO", "getcpu"), no_new_privileges=no_new_privileges)
    assert box.output("try-syscall", "getcpu", "0", "0", "0") == "ok\n"
    assert box.output("try-syscall", "getcpu", "0", "0", "0", edit=edit) == "EPERM\n"


@both
def test_the_filter_is_on_and_no_new_privileges_is_as_asked(box, no_new_privileges):
    facts = box.facts(profile(rule("SCMP_ACT_ERRNO", "getcpu"),
                              no_new_privileges=no_new_privileges))
    assert facts.status["Seccomp"] == "2"
    assert facts.status["Seccomp_filters"] == "1"
    assert facts.no_new_privs == int(no_new_privileges)


def test_without_a_profile_there_is_no_filter(box):
    assert box.facts().status["Seccomp"] == "0"


@both
def test_the_error_number_is_that_of_the_rule(box, no_new_privileges):
    edit = profile(rule("SCMP_ACT_ERRNO", "getcpu", errnoRet=ERRNO_ENOSYS),
                   no_new_privileges=no_new_privileges)
    assert box.output("try-syscall", "getcpu", "0", "0", "0", edit=edit) == "ENOSYS\n"


def test_the_default_error_number_is_that_of_the_profile(box):
    allowed = ["execve", "read", "write", "exit_group", "brk", "arch_prctl", "set_tid_address",
               "set_robust_list", "rseq", "prlimit64", "readlink", "readlinkat", "getrandom",
               "mprotect", "fstat", "newfstatat", "mmap", "munmap", "uname", "futex", "close",
               "rt_sigprocmask", "prctl", "exit", "openat", "ioctl", "lseek", "fcntl",
               "close_range", "sendto", "sendmsg", "getpid"]
    edit = profile(rule("SCMP_ACT_ALLOW", *allowed), default="SCMP_ACT_ERRNO",
                   defaultErrnoRet=ERRNO_EACCES)
    assert box.output("try-syscall", "sync", edit=edit) == "EACCES\n"


@both
def test_a_call_can_be_killed_for(box, no_new_privileges):
    edit = profile(rule("SCMP_ACT_KILL_PROCESS", "getcpu"), no_new_privileges=no_new_privileges)
    assert box.run(box.bundle("try-syscall", "getcpu", edit=edit)).rc == 128 + signal.SIGSYS


def test_an_argument_decides(box):
    argument = {"index": 0, "value": 12345, "op": "SCMP_CMP_EQ"}
    edit = profile(rule("SCMP_ACT_ERRNO", "personality", args=[argument], errnoRet=ERRNO_EACCES))
    out = box.output("also", "try-syscall", "personality", "12345", "--",
                     "try-syscall", "personality", "0xffffffff", edit=edit)
    assert out == "EACCES\nok\n"


def test_a_masked_argument_decides(box):
    argument = {"index": 0, "value": 0x10, "valueTwo": 0x10, "op": "SCMP_CMP_MASKED_EQ"}
    edit = profile(rule("SCMP_ACT_ERRNO", "unshare", args=[argument], errnoRet=ERRNO_EACCES))
    out = box.output("also", "try-syscall", "unshare", "0x30", "--", "try-syscall", "unshare",
                     "0", edit=edit)
    assert out == "EACCES\nok\n"


def test_the_arguments_of_one_rule_must_all_match(box):
    arguments = [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"},
                 {"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}]
    edit = profile(rule("SCMP_ACT_ERRNO", "kill", args=arguments, errnoRet=ERRNO_ENOSYS))
    out = box.output("also", "try-syscall", "kill", "1", "2", "--", "try-syscall", "kill", "1",
                     "0", edit=edit)
    assert out == "ENOSYS\nok\n"


def test_rules_on_the_same_argument_are_alternatives(box):
    arguments = [{"index": 0, "value": 77, "op": "SCMP_CMP_EQ"},
                 {"index": 0, "value": 78, "op": "SCMP_CMP_EQ"}]
    edit = profile(rule("SCMP_ACT_ERRNO", "personality", args=arguments, errnoRet=ERRNO_ENOSYS))
    out = box.output("also", "try-syscall", "personality", "77", "--", "try-syscall",
                     "personality", "78", edit=edit)
    assert out == "ENOSYS\nENOSYS\n"


def test_an_unknown_call_is_passed_over(box):
    edit = profile(rule("SCMP_ACT_ERRNO", "no_such_call", "getcpu"))
    assert box.output("try-syscall", "getcpu", edit=edit) == "EPERM\n"


def test_a_rule_holds_for_the_32_bit_entry_too(box):
    number = "318"  # getcpu there
    if box.output("try-syscall32", number, "0", "0") != "ok\n":
        pytest.skip("machine: no 32-bit system calls")
    edit = profile(rule("SCMP_ACT_ERRNO", "getcpu"),
                   architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"])
    assert box.output("try-syscall32", number, "0", "0", edit=edit) == "EPERM\n"


def test_an_architecture_not_listed_is_killed(box):
    if box.output("try-syscall32", "318", "0", "0") != "ok\n":
        pytest.skip("machine: no 32-bit system calls")
    edit = profile(rule("SCMP_ACT_ERRNO", "getcpu"))
    assert box.run(box.bundle("try-syscall32", "318", "0", "0", edit=edit)).rc == 128 + 31


def test_a_profile_without_execve_says_so(box):
    """The filter is loaded before execve, so such a profile cannot work; it must be said."""
    edit = profile(rule("SCMP_ACT_ERRNO", "execve", "execveat"))
    bundle = box.bundle("exit", "0", edit=edit)
    box.fails("run", "--bundle", bundle.path, box.new_id(), says="operation not permitted")


def test_a_profile_that_kills_execve_is_an_error_not_a_success(box):
    edit = profile(rule("SCMP_ACT_KILL_PROCESS", "execve", "execveat"))
    bundle = box.bundle("exit", "0", edit=edit)
    assert box.run(bundle).rc != 0


@pytest.mark.parametrize("change", [{"default": "SCMP_ACT_NO_SUCH"},
                                    {"architectures": ["SCMP_ARCH_NO_SUCH"]}])
def test_an_unknown_word_in_a_profile_is_refused(box, change):
    bundle = box.bundle("exit", "0", edit=profile(**change))
    box.fails("run", "--bundle", bundle.path, box.new_id(), says="NO_SUCH")


@pytest.mark.modes("root")
def test_the_filter_is_loaded_for_a_user_other_than_root(box):
    inner = profile(rule("SCMP_ACT_ERRNO", "getcpu"), no_new_privileges=False)

    def edit(config, bundle):
        inner(config, bundle)
        config["process"]["user"] = {"uid": 1000, "gid": 1000}

    assert box.output("try-syscall", "getcpu", "0", "0", "0", edit=edit) == "EPERM\n"


def test_the_filter_does_not_touch_the_loading_of_itself(box):
    """Calls that only the runtime needs after loading are not asked of the profile."""
    edit = profile(rule("SCMP_ACT_KILL_PROCESS", "setgroups", "mount", "pivot_root", "umount2",
                        "setns", "unshare", "capset", "setresuid", "setresgid", "clone3"))
    assert box.run(box.bundle("exit", "0", edit=edit)).rc == 0
