"""The command line: options, help, version, features, spec, the log."""

import datetime
import json
import os
import pty
import re
import shutil
import sys

import pytest

import harness
from harness import eventually

VERBS = ("create", "start", "state", "kill", "delete", "run", "exec", "wait", "list", "spec", "features")


# ---- options


def test_root_is_where_the_state_is_kept(box):
    container = box.create("pause")
    assert container.id in os.listdir(box.runtime.root)


def test_two_roots_do_not_know_each_other(box):
    container = box.create("pause")
    other = box.directory("other", 0o700)
    box.fails("--root", other, "state", container.id, root=False)


def test_root_takes_an_equals_sign(box):
    box.must(f"--root={box.runtime.root}", "list", root=False)


def test_a_root_that_does_not_exist_is_made(box):
    box.runtime.root = os.path.join(box.dir, "made/here")
    container = box.create("pause")
    assert container.status() == "created"
    box.must("delete", "--force", container.id)
    assert os.stat(box.runtime.root).st_mode & 0o077 == 0 or box.kind == "runc"


@pytest.mark.modes("user")
def test_without_root_the_state_is_below_the_runtime_directory_of_the_user(box):
    bundle = box.bundle("pause")
    name = box.new_id()
    box.must("create", "--bundle", bundle.path, name, root=False)
    root = os.path.join(box.dir, "xdg", os.path.basename(box.runtime.path))
    assert name in os.listdir(root)
    box.must("delete", "--force", name, root=False)
    assert os.listdir(root) == []


def test_options_take_a_blank_or_an_equals_sign(box):
    bundle = box.bundle("pause")
    name, path = box.new_id(), box.pid_file()
    box.must("create", f"--bundle={bundle.path}", f"--pid-file={path}", name)
    box.must("delete", "--force", name)
    box.must("create", "-b", bundle.path, "--pid-file", path, name)


def test_the_bundle_is_the_working_directory_unless_told(box):
    bundle = box.bundle("echo", "here")
    result = box.call("run", box.new_id(), cwd=bundle.path)
    assert (result.rc, result.out) == (0, "here\n")


@pytest.mark.parametrize("options", [["--rootless=true"], ["--rootless", "true"], ["--debug"],
                                     ["--log-level=error"], ["--systemd-cgroup"]])
def test_options_of_managers_are_accepted(box, options):
    box.must("list", options=options)


@pytest.mark.parametrize("option", ["--no-new-keyring", "--no-subreaper", "--preserve-fds=0"])
def test_options_of_run_that_managers_give_are_accepted(box, option):
    assert box.run(box.bundle("exit", "0"), option).rc == 0


@pytest.mark.parametrize("args", [["frobnicate"], ["--frobnicate", "list"], [],
                                  ["state"], ["create", "--frobnicate", "x"],
                                  ["state", "one", "two"], ["list", "--format", "xml"]])
def test_a_wrong_command_line_is_refused(box, args):
    box.fails(*args)


def test_a_wrong_command_line_exits_with_two(box):
    assert box.call("frobnicate").rc == 2


# ---- help, version, features


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_each_verb_succeeds(box, verb):
    result = box.must(verb, "--help")
    assert verb in result.out and result.err == ""


def manual_options():
    """{section: {option}} of the sub-commands in coracle(1), with their short forms."""
    sections, name = {}, None
    with open(os.path.join(harness.CHECKOUT, "man/coracle.1"), encoding="utf-8") as file:
        for line in file:
            if line.startswith((".Ss ", ".Sh ")):
                name = line[4:].strip()
            elif line.startswith(".It Fl ") and name:
                words = re.findall(r"(?:^\.It|,) Fl (\S+)", line)
                sections.setdefault(name, set()).update(words)
    return sections


@pytest.mark.modes("root")
@pytest.mark.parametrize("verb", VERBS)
def test_the_manual_has_the_options_of_each_verb_and_no_others(box, verb):
    text = box.must(verb, "--help").out
    shown = set()
    for line in text.splitlines():
        if head := re.match(r"\s+(-[^\s]*)", line):
            shown |= {word.lstrip("-").split("=")[0] for word in head[1].split(",")}
    shown -= {"h", "help"}
    manual = manual_options()
    described = {word.lstrip("-") for word in manual.get(verb, set())}
    if verb == "run":
        described |= {word.lstrip("-") for word in manual["create"]}
    assert described == shown


def test_help_succeeds_and_names_the_verbs(box):
    text = box.must("--help", root=False).out
    for verb in VERBS[:7]:
        assert verb in text


def test_version_has_the_shape_that_managers_read(box):
    result = box.must("--version", root=False)
    lines = result.out.splitlines()
    assert re.fullmatch(r"\w+ version \S+", lines[0])
    assert not any("version" in line for line in lines[1:])
    assert any(re.match(r"commit: \S+$", line) for line in lines)
    assert any(re.match(r"spec: 1\.\d+\.\d+", line) for line in lines)
    assert result.err == ""


def test_version_does_not_need_a_usable_root(box):
    box.must("--root", "/proc/nothing", "--version", root=False)


def test_checkpoint_is_said_to_be_unsupported(box):
    """Managers ask `checkpoint --help` to learn whether there is checkpoint support."""
    box.fails("checkpoint", "--help")


def test_features_describe_the_build(box):
    result = box.must("features")
    features = json.loads(result.out)
    assert result.err == ""
    assert features["ociVersionMin"].startswith("1.") and features["ociVersionMax"].startswith("1.")
    for name in ("rbind", "ro", "nosuid", "rprivate"):
        assert name in features["mountOptions"]
    for name in ("mount", "pid", "user", "network", "ipc", "uts"):
        assert name in features["linux"]["namespaces"]
    assert "SCMP_ACT_ERRNO" in features["linux"]["seccomp"]["actions"]
    assert "CAP_KILL" in features["linux"]["capabilities"]


# ---- spec


def spec_of(box, *options):
    directory = box.directory("spec")
    box.must("spec", *options, "--bundle", directory)
    return directory


def test_spec_refuses_to_overwrite(box):
    directory = spec_of(box)
    path = os.path.join(directory, "config.json")
    before = open(path, encoding="utf-8").read()
    box.fails("spec", "--bundle", directory)
    assert open(path, encoding="utf-8").read() == before


def test_spec_writes_into_the_working_directory_unless_told(box):
    directory = box.directory("spec")
    box.must("spec", cwd=directory)
    assert os.listdir(directory) == ["config.json"]


@pytest.mark.modes("user")
def test_spec_rootless_maps_the_caller_to_root(box):
    config = json.load(open(os.path.join(spec_of(box, "--rootless"), "config.json"),
                            encoding="utf-8"))
    assert {"containerID": 0, "hostID": box.uid, "size": 1} in config["linux"]["uidMappings"]
    assert "user" in [n["type"] for n in config["linux"]["namespaces"]]


def test_spec_gives_no_inheritable_or_ambient_capability(box):
    config = json.load(open(os.path.join(spec_of(box), "config.json"), encoding="utf-8"))
    capabilities = config["process"]["capabilities"]
    assert not capabilities.get("inheritable")
    if box.kind == "coracle":
        assert not capabilities.get("ambient")


def test_what_spec_writes_runs_as_it_is(box):
    bundle = box.bundle(busybox=True)
    os.unlink(os.path.join(bundle.path, "config.json"))
    box.must("spec", *(["--rootless"] if box.uid is not None else []), "-b", bundle.path)
    path = os.path.join(box.dir, "session")
    master, slave = pty.openpty()
    with open(path, "ab") as err:
        argv = box.runtime.argv("run", "--bundle", bundle.path, box.new_id())
        process = box.runtime.popen(argv, slave, err, stdin=slave)
        os.close(slave)
        os.write(master, b"id -u; exit 7\n")
        status = process.wait(20)
    os.close(master)
    assert status == 7, open(path, encoding="utf-8").read()


# ---- the log


def log_lines(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def test_a_json_log_has_exactly_one_line_for_an_error(box):
    path = os.path.join(box.dir, "log.json")
    result = box.fails("state", "unknown", options=["--log", path, "--log-format", "json"])
    lines = log_lines(path)
    assert len(lines) == 1
    entry = json.loads(lines[0])
    assert set(entry) == {"level", "msg", "time"}
    assert entry["level"] == "error" and "does not exist" in entry["msg"]
    assert "does not exist" in result.err
    datetime.datetime.fromisoformat(entry["time"].replace("Z", "+00:00")[:19] + "+00:00")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", entry["time"])


def test_a_failed_create_logs_exactly_one_json_line(box):
    bundle = box.bundle(edit=lambda config, _: config["process"].update(args=["/no/such"]))
    path = os.path.join(box.dir, "log.json")
    name = box.new_id()
    options = [f"--log={path}", "--log-format=json"]
    if box.call("create", "--bundle", bundle.path, name, options=options).rc == 0:
        box.fails("start", name, options=options)
    assert [json.loads(line)["level"] for line in log_lines(path)] == ["error"]


def test_success_logs_nothing(box):
    path = os.path.join(box.dir, "log.json")
    bundle = box.bundle("exit", "0")
    result = box.must("run", "--bundle", bundle.path, box.new_id(),
                      options=["--log", path, "--log-format", "json"])
    assert not os.path.exists(path) or log_lines(path) == []
    assert result.err == ""


@pytest.mark.modes("root")
def test_a_log_can_be_a_service_of_the_host(box):
    """The sockets are those of a mount namespace of the test's own."""
    for target, path, says in (("journald:box", "/run/systemd/journal/socket",
                                b"PRIORITY=3\nSYSLOG_IDENTIFIER=box\nMESSAGE=container does not"),
                               ("syslog:", "/dev/log", b"<27>coracle: container does not exist")):
        script = (f"mount -t tmpfs none {os.path.dirname(path)} 2>/dev/null || "
                  f"{{ mkdir -p {os.path.dirname(path)}; }}; exec \"$@\"")
        listener = os.path.join(box.dir, "service.py")
        with open(listener, "w", encoding="ascii") as file:
            file.write("import os, socket, subprocess, sys\n"
                       f"os.makedirs(os.path.dirname({path!r}), exist_ok=True)\n"
                       "one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
                       f"one.bind({path!r})\n"
                       "rc = subprocess.run(sys.argv[1:], check=False).returncode\n"
                       "one.settimeout(5)\n"
                       "sys.stdout.buffer.write(one.recv(4096))\n"
                       "sys.exit(rc)\n")
        result = box.call("state", "no-such", options=["--log", target],
                          wrap=["unshare", "-m", "--propagation", "private", "sh", "-c", script,
                                "sh", sys.executable, listener])
        assert result.rc == 1, result
        assert says in result.out.encode(), result


def test_a_log_service_that_is_not_there_is_an_error(box):
    for target, says in (("syslog:a b", "identifier"), ("journald:\n", "identifier")):
        box.fails("list", options=["--log", target], says=says)


@pytest.mark.modes("root")
def test_a_log_service_says_what_is_wrong_with_it(box):
    """Absent, as far as the mount namespace goes; and out of the caller's reach."""
    hide = ["unshare", "-m", "--propagation", "private", "sh", "-c"]
    absent = 'mount -t tmpfs none /run; exec "$@"'
    box.fails("list", options=["--log", "journald:"], wrap=[*hide, absent, "sh"],
              says=["no such file or directory", "systemd-journald does not run here"])
    closed = ('mount -t tmpfs -o mode=700 none /run; exec setpriv --reuid 47310 --regid 47310 '
              '--clear-groups "$@"')
    result = box.fails("list", options=["--log", "journald:"], wrap=[*hide, closed, "sh"],
                       says="permission denied")
    assert "does not run" not in result.err


def test_the_log_is_appended_to(box):
    path = os.path.join(box.dir, "log.json")
    for _ in range(2):
        box.fails("state", "unknown", options=["--log", path, "--log-format", "json"])
    assert len([json.loads(line) for line in log_lines(path)]) == 2


def test_a_text_log_has_the_sentence(box):
    path = os.path.join(box.dir, "log")
    box.fails("state", "unknown", options=["--log", path])
    assert "does not exist" in "\n".join(log_lines(path))


def test_the_error_on_stderr_is_what_the_kernel_says(box):
    bundle = box.bundle("exit", "0")
    shutil.rmtree(bundle.rootfs)
    box.fails("run", "--bundle", bundle.path, box.new_id(), says="no such file or directory")


# ---- standard streams


def test_the_container_reads_the_standard_input_of_run(box):
    bundle = box.bundle("cat", "/dev/stdin")
    with open(os.path.join(box.dir, "input"), "w+b") as file:
        file.write(b"given\n")
        file.flush()
        os.fchmod(file.fileno(), 0o666)
        file.seek(0)
        result = box.run(bundle, stdin=file)
    assert (result.rc, result.out) == (0, "given\n")


def test_the_container_can_open_its_standard_output_by_name(box):
    container = box.create("write", "/dev/stdout", "by name\n")
    box.must("start", container.id)
    assert eventually(lambda: "by name" in container.out)
