"""A program that cannot be executed: the error names the object, the cause and the cure."""

import os

import pytest

import harness
import programs


def is_refused(box, args, says, edit=None, make=None):
    """`run` and `create` with `start` say the same, on one line, and fail with 1."""
    def change(config, bundle):
        config["process"]["args"] = args
        if make:
            bundle.file("opt/tool", make, 0o755)
        if edit:
            edit(config, bundle)

    said = [box.fails("run", "--bundle", box.bundle(edit=change).path, box.new_id(), says=says)]
    name = box.new_id()
    created = box.call("create", "--bundle", box.bundle(edit=change).path, name)
    if created.rc == 0:
        said.append(box.fails("start", name, says=says))
    for result in said:
        assert result.rc == 1, result
    return said


SCRIPTS = {
    "interpreter": (b"#! /opt/no-such  -x\n", ["no such file or directory", "its interpreter",
                                               "/opt/no-such does not exist in the container"]),
    "crlf": (b"#!/bin/guest\r\necho\r\n", ["no such file or directory", "CR LF",
                                           "/bin/guest\\r", "sed -i"]),
    "crlf-alone": (b"#!\r\n", ["CR LF"]),
    "crlf-argument": (b"#!/opt/no-such -e\r\n", ["/opt/no-such does not exist"]),
    "nothing": (b"#!\n", ["exec format error", "names no interpreter"]),
    "text": (b"echo hello\n", ["exec format error", "text without #!", "/bin/sh"]),
    "mark": (b"\xef\xbb\xbf#!/bin/sh\n", ["exec format error", "byte order mark"]),
    "empty": (b"", ["exec format error", "an empty file"]),
    "windows": (b"MZ\x90\0", ["exec format error", "for Windows"]),
    "macos": (b"\xcf\xfa\xed\xfe\0\0", ["exec format error", "for macOS"]),
    "wasm": (b"\0asm\1\0\0\0", ["exec format error", "WebAssembly"]),
    "data": (b"\1\2\0\3", ["exec format error", "no program of a format"]),
    "long": (b"#!/" + b"x" * 400 + b"\n", ["exec format error", "longer than the kernel takes"]),
    "directory": (b"#!/etc\n", ["permission denied", "its interpreter /etc", "it is a directory"]),
    "plain": (b"#!/etc/passwd\n", ["permission denied", "its interpreter /etc/passwd",
                                   "mode 0644", "chmod u+x"]),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_that_the_kernel_refuses_is_explained(box, name):
    text, says = SCRIPTS[name]
    if name == "empty":
        is_refused(box, ["/opt/tool"], ["/opt/tool", *says],
                   lambda _, bundle: bundle.file("opt/tool", b"", 0o755))
    else:
        is_refused(box, ["/opt/tool"], ["/opt/tool", *says], make=text)


PROGRAMS = {
    "loader": (programs.elf(loader="/lib/ld-none.so.1"),
               ["no such file or directory", "its ELF loader /lib/ld-none.so.1 does not exist"]),
    "machine": (programs.elf(machine=programs.FOREIGN[1]),
                ["exec format error", f"a program for {programs.FOREIGN[0]}", os.uname().machine]),
    "byte-order": (programs.elf(machine=22, order=">"), ["exec format error", "for s390"]),
    "unknown": (programs.elf(machine=7777), ["exec format error", "ELF machine 7777"]),
    "32-bit": (programs.elf32(machine=40), ["exec format error", "for arm"]),
    "object": (programs.elf(kind=programs.OBJECT), ["exec format error", "an object file"]),
    "short": (programs.elf()[:40], ["exec format error", "cut short"]),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_elf_file_that_the_kernel_refuses_is_explained(box, name):
    data, says = PROGRAMS[name]
    is_refused(box, ["/opt/tool"], ["/opt/tool", *says], make=data)


def test_an_interpreter_with_a_missing_loader_is_followed(box):
    def edit(_, bundle):
        bundle.file("opt/python", programs.elf(loader="/lib/ld-none.so.1"), 0o755)

    is_refused(box, ["/opt/tool"], ["no such file or directory", "its interpreter /opt/python",
                                    "its ELF loader /lib/ld-none.so.1 does not exist"],
               edit, make=b"#!/opt/python\n")


def test_a_loader_for_another_machine_is_explained(box):
    def edit(_, bundle):
        bundle.file("lib/ld.so", programs.elf(machine=programs.FOREIGN[1]), 0o755)

    is_refused(box, ["/opt/tool"], ["its ELF loader /lib/ld.so", programs.FOREIGN[0]],
               edit, make=programs.elf(loader="/lib/ld.so"))


def test_a_loader_that_is_a_dangling_link_is_followed(box):
    def edit(_, bundle):
        bundle.symlink("lib/ld.so", "/usr/lib/ld.so")

    is_refused(box, ["/opt/tool"], ["no such file or directory", "/lib/ld.so does not exist",
                                    "symbolic link to /usr/lib/ld.so"],
               edit, make=programs.elf(loader="/lib/ld.so"))


def test_a_program_that_is_a_dangling_link_is_explained(box):
    is_refused(box, ["/opt/tool"], ["no such file or directory", "/opt/tool is a symbolic link to "
                                    "/no/tool", "there is no /no"],
               lambda _, bundle: bundle.symlink("opt/tool", "/no/tool"))


def test_a_circle_of_links_is_explained(box):
    def edit(_, bundle):
        bundle.symlink("opt/tool", "other")
        bundle.symlink("opt/other", "tool")

    is_refused(box, ["/opt/tool"], ["symbolic link", "circle"], edit)


def test_a_missing_directory_of_the_program_is_named(box):
    is_refused(box, ["/opt/app/bin/tool"], ["no such file or directory", "there is no /opt/app"],
               lambda _, bundle: bundle.directory("opt"))


def test_a_file_among_the_directories_is_named(box):
    is_refused(box, ["/etc/passwd/tool"], ["not a directory", "/etc/passwd is not a directory"])


def test_a_program_that_is_a_directory_is_explained(box):
    is_refused(box, ["/etc"], ["permission denied", "it is a directory"])


def test_a_program_that_is_a_fifo_is_explained_and_not_opened(box):
    def edit(_, bundle):
        os.mkfifo(f"{bundle.directory('opt')}/tool", 0o755)
        bundle.own(f"{bundle.rootfs}/opt/tool")

    is_refused(box, ["/opt/tool"], ["permission denied", "not a regular file"], edit)


def test_an_interpreter_that_is_a_fifo_is_not_opened(box):
    def edit(_, bundle):
        os.mkfifo(f"{bundle.directory('opt')}/fifo", 0o755)
        bundle.own(f"{bundle.rootfs}/opt/fifo")

    is_refused(box, ["/opt/tool"], ["permission denied", "its interpreter /opt/fifo",
                                    "not a regular file"], edit, make=b"#!/opt/fifo\n")


def test_a_mode_without_x_is_named_with_its_owner(box):
    is_refused(box, ["/opt/tool"], ["permission denied", "/opt/tool (owner 0:0, mode 0644) has no x",
                                    "chmod u+x /opt/tool"],
               lambda _, bundle: bundle.file("opt/tool", "x", 0o644))


def test_a_program_found_in_path_without_x_is_named_by_its_path(box):
    def edit(config, bundle):
        bundle.file("second/tool", "x", 0o644)
        config["process"]["env"] = ["PATH=/first:/second"]

    is_refused(box, ["tool"], ["permission denied", "/second/tool (owner 0:0, mode 0644)"], edit)


def test_the_path_that_was_searched_is_named(box):
    is_refused(box, ["tool"], ["executable file not found in $PATH", "PATH=/first:/second"],
               lambda config, _: config["process"].update(env=["PATH=/first:/second"]))


def test_a_command_line_in_one_argument_is_recognised(box):
    is_refused(box, ["sleep 10"], ["executable file not found in $PATH", "process.args"])


@pytest.mark.modes("root")
def test_a_component_that_the_users_of_the_container_may_not_search_is_named(box):
    def edit(config, bundle):
        config["process"]["user"] = {"uid": 1000, "gid": 1000}
        bundle.file("opt/deep/tool", "#!/bin/sh\n", 0o755)
        os.chmod(f"{bundle.rootfs}/opt", 0o750)

    is_refused(box, ["/opt/deep/tool"], ["permission denied", "/opt (owner 0:0, mode 0750) has no x "
                                         "for others", "chmod o+x /opt"], edit)


@pytest.mark.modes("root")
def test_a_group_without_x_is_told_from_others(box):
    def edit(config, bundle):
        config["process"]["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [2000]}
        os.chown(bundle.file("opt/tool", "#!/bin/sh\n", 0o705), 0, 2000)

    is_refused(box, ["/opt/tool"], ["permission denied", "(owner 0:2000, mode 0705) has no x for its "
                                    "group", "chmod g+x"], edit)


def noexec(config, bundle):
    bundle.file("opt/tool", "#!/bin/guest\n", 0o755)
    config["mounts"].append({"destination": "/vol", "type": "bind", "source": bundle.rootfs + "/opt",
                             "options": ["bind", "noexec"]})


def test_a_noexec_mount_is_named(box):
    is_refused(box, ["/vol/tool"], ["permission denied", "noexec", "/vol: mount it without"], noexec)


def test_an_interpreter_on_a_noexec_mount_is_named(box):
    is_refused(box, ["/opt/script"], ["permission denied", "its interpreter /vol/tool", "noexec"],
               lambda config, bundle: (noexec(config, bundle),
                                       bundle.file("opt/script", "#!/vol/tool\n", 0o755)))


def test_a_path_that_leads_out_of_the_root_is_not_looked_at_on_the_host(box):
    os.chmod(box.canary.path, 0o755)
    with open(f"{box.canary.path}/secret", encoding="ascii") as file:
        secret = file.read().strip()
    for result in is_refused(box, ["/opt/tool"], "no such file or directory",
                             lambda _, bundle: bundle.symlink(
                                 "opt/tool", f"../../../../../..{box.canary.path}/secret")):
        assert secret not in result.err
    assert not box.canary.changes()


# ---- the look at the program happens under the payload's filter and limits


def without_open(config, action):
    calls = ["open", "openat", "openat2", "newfstatat", "stat", "fstat", "faccessat", "faccessat2"]
    config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW",
                                  "syscalls": [{"names": calls, "action": action}]}


@pytest.mark.parametrize("action", ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
                                    "SCMP_ACT_TRAP"])
def test_a_filter_that_forbids_the_look_leaves_the_plain_error(box, action):
    is_refused(box, ["/opt/tool"], ["exec \"/opt/tool\"", "no such file or directory",
                                    "interpreter or ELF loader is missing"],
               lambda config, _: without_open(config, action), make=b"#!/no/such\n")


def test_a_filter_that_allows_the_look_changes_nothing(box):
    def edit(config, _):
        config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["reboot"], "action": "SCMP_ACT_ERRNO"}]}

    is_refused(box, ["/opt/tool"], "/no/such does not exist in the container", edit,
               make=b"#!/no/such\n")


def test_a_filter_that_forbids_execve_is_suspected(box):
    def edit(config, _):
        config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["execve"], "action": "SCMP_ACT_ERRNO"}]}

    is_refused(box, ["/bin/guest"], ["operation not permitted", "seccomp filter"], edit)


@pytest.mark.parametrize("limit", [("RLIMIT_NOFILE", 3), ("RLIMIT_FSIZE", 0)])
def test_a_tight_limit_does_not_keep_it_from_looking(box, limit):
    def edit(config, _):
        config["process"]["rlimits"] = [{"type": limit[0], "soft": limit[1], "hard": limit[1]}]

    is_refused(box, ["/opt/tool"], "/no/such does not exist in the container", edit,
               make=b"#!/no/such\n")


def test_too_many_arguments_are_explained(box):
    def edit(config, _):
        config["process"]["args"] = ["/bin/guest", "echo", "x" * (200 << 10)]

    is_refused(box, [], ["argument list too long", "RLIMIT_STACK"], edit)


def test_standard_output_of_a_failed_program_stays_empty(box):
    for result in is_refused(box, ["/opt/tool"], "no such file", make=b"#!/no/such\n"):
        assert result.out == ""


def test_the_process_of_a_failed_start_is_gone(box):
    def edit(config, bundle):
        bundle.file("opt/tool", "#!/no/such\n", 0o755)
        config["process"]["args"] = ["/opt/tool"]

    container = box.create(edit=edit)
    box.fails("start", container.id, says="/no/such does not exist")
    container.wait_status()
    assert container.status() == "stopped"
    assert harness.eventually(lambda: not os.path.exists(f"/proc/{container.pid}"))
