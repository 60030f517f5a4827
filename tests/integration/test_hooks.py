"""The hooks of the configuration: when, where and with what each kind runs, and what a failure
undoes."""

import json
import os
import signal
import time

import pytest

from harness import BUSYBOX, eventually
from residue import process_state

pytestmark = pytest.mark.machine("native", "systemd")

RUNTIME_KINDS = ("prestart", "createRuntime", "poststart", "poststop")
KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
STATUS = {"prestart": "creating", "createRuntime": "creating", "createContainer": "creating",
          "startContainer": "created", "poststart": "running", "poststop": "stopped"}
PATH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"


def shell(script, **more):
    return {"path": "/bin/sh", "args": ["sh", "-c", script], "env": [PATH], **more}


class Log:
    """A directory that hooks on both sides write to: the host's, and /log in the container."""

    def __init__(self, box):
        self.host = box.directory(f"log{len(box.bundles)}", 0o777)

    def place(self, kind):
        return "/log" if kind == "startContainer" else self.host

    def edit(self, hooks, then=None):
        def change(config, bundle):
            config["hooks"] = hooks
            config["mounts"].append({"destination": "/log", "type": "bind", "source": self.host,
                                     "options": ["bind"]})
            if then:
                then(config, bundle)
        return change

    def read(self, name):
        with open(os.path.join(self.host, name), encoding="utf-8") as file:
            return file.read()

    def exists(self, name):
        return os.path.exists(os.path.join(self.host, name))


@pytest.fixture
def log(box):
    return Log(box)


def bundle(box, log, hooks, *args, then=None):
    return box.bundle(*(args or ("exit", "0")), edit=log.edit(hooks, then), busybox=True)


def only(kind, *entries):
    return {kind: list(entries)}


# ---- when and with what


def test_all_six_kinds_run_in_the_order_of_the_specification(box, log):
    hooks = {kind: [shell(f"echo {kind}{i} >> {log.place(kind)}/order") for i in range(2)]
             for kind in KINDS}
    program = ["/bin/sh", "-c", "echo program >> /log/order; exit 3"]
    made = bundle(box, log, hooks,
                  then=lambda config, _: config["process"].update(args=program))
    assert box.run(made).rc == 3
    lines = log.read("order").split()
    expected = [f"{kind}{i}" for kind in KINDS for i in range(2)]
    assert [line for line in lines if line != "program"] == expected
    assert lines.index("program") > lines.index("startContainer1")


def test_each_verb_runs_the_hooks_of_its_part(box, log):
    hooks = {kind: [shell(f"echo {kind} >> {log.place(kind)}/order")] for kind in KINDS}
    container = box.create(bundle=bundle(box, log, hooks, "pause"))
    assert log.read("order").split() == list(KINDS[:3])
    box.must("start", container.id)
    assert log.read("order").split() == list(KINDS[:5])
    box.must("kill", container.id, "KILL")
    container.wait_stopped()
    assert log.read("order").split() == list(KINDS[:5])
    box.must("delete", container.id)
    assert log.read("order").split() == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_is_on_the_standard_input(box, log, kind):
    container = box.create(bundle=bundle(
        box, log, only(kind, shell(f"cat > {log.place(kind)}/state")), "pause",
        then=lambda config, _: config.update(annotations={"a.b": "c\n\"d"})))
    box.must("start", container.id)
    box.must("delete", "--force", container.id)
    state = json.loads(log.read("state"))
    inside = kind in ("createContainer", "startContainer")
    pid = 0 if kind == "poststop" else 1 if inside else container.pid
    assert (state["ociVersion"], state["id"], state["status"], state["pid"], state["bundle"]) == (
        "1.3.0", container.id, STATUS[kind], pid, container.bundle.path)
    assert state["annotations"] == {"a.b": "c\n\"d"}


def test_the_pid_in_the_container_is_the_hosts_without_a_pid_namespace(box, log):
    def then(config, _):
        spaces = config["linux"]["namespaces"]
        config["linux"]["namespaces"] = [n for n in spaces if n["type"] != "pid"]
        config["mounts"] = [m for m in config["mounts"] if m["destination"] != "/proc"]
        config["linux"]["maskedPaths"] = config["linux"]["readonlyPaths"] = []
    container = box.create(bundle=bundle(
        box, log, only("createContainer", shell(f"cat > {log.host}/state")), "pause", then=then))
    pid = json.loads(log.read("state"))["pid"]
    if box.mode == "userns-root":
        assert pid > 1
    else:
        assert pid == container.pid


@pytest.mark.parametrize("kind", KINDS)
def test_arguments_and_environment_are_exactly_those_of_the_configuration(box, log, kind):
    place = log.place(kind)
    script = f"(echo \"$0\"; tr '\\0' '\\n' < /proc/self/environ; echo \"$@\") > {place}/seen"
    name = "sh" if kind == "startContainer" else "other name"  # a name of busybox
    entry = {"path": "/bin/sh", "args": [name, "-c", script, "zero", "one", "two  x"],
             "env": [PATH, "A=b c"]}
    made = bundle(box, log, only(kind, entry))
    assert box.run(made).rc == 0
    assert log.read("seen").splitlines() == ["zero", PATH, "A=b c", "one two  x"]


@pytest.mark.parametrize("kind", RUNTIME_KINDS)
def test_without_arguments_the_path_is_the_only_one_and_the_environment_is_empty(box, log, kind):
    program = os.path.join(box.dir, "hook.sh")
    with open(program, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\necho \"$0 $#\" > {log.host}/seen\n"
                   f"/usr/bin/tr '\\0' '\\n' < /proc/self/environ >> {log.host}/seen\n")
    os.chmod(program, 0o755)
    assert box.run(bundle(box, log, only(kind, {"path": program}))).rc == 0
    assert [line for line in log.read("seen").splitlines() if not line.startswith("PWD=")] == [
        f"{program} 0"]


@pytest.mark.parametrize("kind", RUNTIME_KINDS)
def test_hooks_of_the_runtime_are_in_its_namespaces_and_in_the_bundle(box, log, kind):
    script = (f"for n in mnt net uts ipc pid user; do readlink /proc/self/ns/$n; done > {log.host}/ns;"
              f"pwd > {log.host}/cwd")
    made = bundle(box, log, only(kind, shell(script)))
    assert box.run(made).rc == 0
    assert log.read("cwd").strip() == os.path.realpath(made.path)
    if box.mode != "userns-root":
        ours = [os.readlink(f"/proc/self/ns/{n}") for n in ("mnt", "net", "uts", "ipc", "pid", "user")]
        assert log.read("ns").split() == ours


def test_prestart_and_create_runtime_see_the_namespaces_of_init_before_pivot(box, log):
    script = ("pid=$(sed -n 's/.*\"pid\": \\([0-9]*\\),/\\1/p');"
              f"readlink /proc/$pid/ns/net > {log.host}/$0.net;"
              f"readlink /proc/$pid/root > {log.host}/$0.root; cat /proc/$pid/comm > {log.host}/$0.comm;"
              f"grep -c ' {os.path.realpath(box.dir)}.*/rootfs/proc ' /proc/$pid/mountinfo > {log.host}/$0.proc")
    hooks = {kind: [{**shell(script), "args": ["sh", "-c", script, kind]}]
             for kind in ("prestart", "createRuntime")}
    container = box.create(bundle=bundle(box, log, hooks, "pause"))
    for kind in hooks:
        assert log.read(f"{kind}.net").strip() == os.readlink(f"/proc/{container.pid}/ns/net")
        assert log.read(f"{kind}.root").strip() == "/"
        assert log.read(f"{kind}.comm").strip() == "init:hooks"
        assert log.read(f"{kind}.proc").strip() == "1", "the mounts are not there yet"


def test_create_container_is_in_the_namespaces_of_the_container_with_the_paths_of_the_host(box, log):
    script = (f"for n in mnt net uts ipc pid; do readlink /proc/self/ns/$n; done > {log.host}/ns;"
              f"pwd > {log.host}/cwd; ls -d /proc/1/exe proc/1 > {log.host}/procs; id -u > {log.host}/uid;"
              f"mkdir -p tmp/made && mount -t tmpfs tmpfs tmp/made && umask > {log.host}/umask")
    made = bundle(box, log, only("createContainer", shell(script)), "pause")
    container = box.create(bundle=made)
    ours = [os.readlink(f"/proc/{container.pid}/ns/{n}") for n in ("mnt", "net", "uts", "ipc", "pid")]
    assert log.read("ns").split() == ours
    assert log.read("cwd").strip() == os.path.realpath(made.rootfs)
    assert log.read("uid").strip() == "0"
    assert log.read("umask").strip() == "0022"
    with open(f"/proc/{container.pid}/mountinfo", encoding="ascii") as file:
        assert " /tmp/made " in file.read(), "what the hook mounts is in the container"
    with open("/proc/self/mountinfo", encoding="ascii") as file:
        assert "tmp/made" not in file.read(), "and nowhere else"


def test_start_container_is_what_the_program_will_be(box, log):
    script = ("grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:)' /proc/self/status > /log/$0;"
              "pwd >> /log/$0; umask >> /log/$0; ls /proc/self/ns >> /log/$0;"
              "readlink /proc/self/root >> /log/$0; cat /proc/self/limits >> /log/$0")

    def then(config, _):
        config["process"].update(args=["/bin/sh", "-c", script, "program"], cwd="/tmp")
        config["process"]["user"]["umask"] = 0o27
    hooks = only("startContainer", {"path": "/bin/sh", "args": ["sh", "-c", script, "hook"],
                                    "env": ["PATH=/bin"]})
    assert box.run(bundle(box, log, hooks, then=then)).rc == 0
    assert log.read("hook") == log.read("program")
    assert "NoNewPrivs:\t1" in log.read("hook") and "\n/tmp\n" in log.read("hook")


def test_start_container_is_not_under_the_filter_of_the_program(box, log):
    def then(config, _):
        config["linux"]["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}
        config["process"]["args"] = ["/bin/sh", "-c", "mkdir /log/program"]
    made = bundle(box, log, only("startContainer", shell("mkdir /log/hook")), then=then)
    box.call("run", "--bundle", made.path, box.new_id())
    assert log.exists("hook") and not log.exists("program")


@pytest.mark.parametrize("kind", KINDS)
def test_a_hook_gets_no_fd_and_no_signal_setting_of_the_runtime(box, log, kind):
    # Without a shell between, which has fds open and signals ignored by itself.
    program = "/bin/busybox" if kind == "startContainer" else BUSYBOX
    hooks = only(kind, {"path": program, "args": ["ls", "/proc/self/fd"]},
                 {"path": program, "args": ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]})
    made = bundle(box, log, hooks, then=lambda config, _: config.update(
        annotations={"run.oci.hooks.stdout": os.path.join(log.host, "out")}))
    read, write = os.pipe()
    os.set_inheritable(write, True)
    with open("/dev/null", "rb") as passed:
        result = box.call("run", "--preserve-fds", "1", "--bundle", made.path, box.new_id(),
                          pass_fds=(write,),
                          wrap=["sh", "-c", "exec 3< /etc/passwd; trap '' USR1 TERM; exec \"$@\"", "sh"],
                          stdin=passed)
    os.close(read)
    os.close(write)
    assert result.rc == 0, result
    words = log.read("out").split()
    assert words[:4] == ["0", "1", "2", "3"], "more than the streams and the listing"
    assert words[4:] == ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16]


def test_a_large_state_reaches_a_hook_that_reads_late_or_never(box, log):
    big = {f"key{i}": "v" * 1000 for i in range(400)}
    hooks = {"createRuntime": [shell("true"), shell(f"sleep 0.1; wc -c > {log.host}/size")],
             "createContainer": [shell("true"), shell(f"wc -c > {log.host}/size2")]}
    made = bundle(box, log, hooks, then=lambda config, _: config.update(annotations=big))
    assert box.run(made).rc == 0
    assert int(log.read("size")) > 400000 and int(log.read("size2")) > 400000


def test_what_a_hook_leaves_in_the_background_is_not_waited_for(box, log):
    late = f"while [ ! -e {log.host}/go ]; do sleep 0.05; done; echo late >> {log.host}/late"
    script = f"({late}) > /dev/null 2>&1 & echo $! > {log.host}/pid"
    container = box.create(bundle=bundle(box, log, only("createRuntime", shell(script)), "pause"))
    assert process_state(int(log.read("pid"))) not in ("", "Z")
    assert container.status() == "created"
    with open(f"{log.host}/go", "w", encoding="ascii"):
        pass
    assert eventually(lambda: log.exists("late"))


@pytest.mark.parametrize("kind", ("createContainer", "startContainer"))
def test_processes_that_hooks_leave_are_not_zombies_of_the_program(box, log, kind):
    hooks = only(kind, shell("(sleep 0.05 &) ; sleep 0.3"))
    program = ["/bin/sh", "-c", "cat /proc/[0-9]*/stat; echo end"]
    result = box.run(bundle(box, log, hooks,
                            then=lambda config, _: config["process"].update(args=program)))
    assert "end" in result.out and "(sh)" in result.out and ") Z " not in result.out, result.out


# ---- failures


CREATE_KINDS = ("prestart", "createRuntime", "createContainer")


@pytest.mark.parametrize("kind", CREATE_KINDS)
def test_a_failed_hook_of_create_undoes_the_container(box, log, kind):
    hooks = {kind: [shell("true"), shell("echo first; echo its words >&2; exit 7"),
                    shell(f"touch {log.host}/third")],
             "poststop": [shell(f"cat > {log.host}/stopped")]}
    made = bundle(box, log, hooks, "pause")
    name = box.new_id()
    result = box.fails("create", "--bundle", made.path, name,
                       says=(f"/hooks/{kind}/1 /bin/sh", "exited with status 7", "its words"))
    assert "internal" not in result.err
    assert not log.exists("third")
    assert json.loads(log.read("stopped"))["status"] == "stopped"
    box.fails("state", name, says="does not exist")
    assert box.leavings() == []


def test_a_failed_start_container_hook_destroys_the_container(box, log):
    hooks = {"startContainer": [shell("echo inner words >&2; exit 9")],
             "poststart": [shell(f"touch {log.host}/started")],
             "poststop": [shell(f"touch {log.host}/stopped")]}
    container = box.create(bundle=bundle(box, log, hooks, "touch", "/log/program"))
    box.fails("start", container.id,
              says=("/hooks/startContainer/0", "exited with status 9", "inner words"))
    assert not log.exists("program") and not log.exists("started")
    assert log.exists("stopped")
    box.fails("state", container.id, says="does not exist")


def test_a_failed_poststart_hook_destroys_the_container(box, log):
    hooks = {"poststart": [shell("kill -9 $$"), shell(f"touch {log.host}/second")],
             "poststop": [shell(f"touch {log.host}/stopped")]}
    container = box.create(bundle=bundle(box, log, hooks, "pause"))
    box.fails("start", container.id, says=("/hooks/poststart/0", "SIGKILL"))
    assert eventually(lambda: process_state(container.pid) in ("", "Z"))
    assert log.exists("stopped") and not log.exists("second")
    box.fails("state", container.id, says="does not exist")


@pytest.mark.parametrize("kind", ("prestart", "createContainer", "startContainer", "poststart"))
def test_a_failed_hook_of_run_undoes_everything(box, log, kind):
    hooks = {kind: [shell("exit 1")], "poststop": [shell(f"touch {log.host}/stopped")]}
    made = bundle(box, log, hooks, "pause")
    box.fails("run", "--bundle", made.path, box.new_id(), says=f"/hooks/{kind}/0")
    assert log.exists("stopped")
    assert box.leavings() == []


def test_a_failed_poststop_hook_is_a_warning_and_the_others_run(box, log):
    hooks = only("poststop", shell("exit 5"), {"path": "/nonexistent/hook"},
                 shell(f"touch {log.host}/third"))
    container = box.create(bundle=bundle(box, log, hooks, "pause"))
    result = box.must("delete", "--force", container.id)
    assert "/hooks/poststop/0 /bin/sh: the hook exited with status 5" in result.err
    assert "/hooks/poststop/1 /nonexistent/hook" in result.err
    assert "no such file or directory" in result.err
    assert log.exists("third")
    box.fails("state", container.id, says="does not exist")


def test_poststop_hooks_run_when_the_container_is_no_more(box, log):
    runtime = " ".join(box.runtime.argv("state", "$0"))
    script = f"{runtime} > {log.host}/answer 2>&1; echo $? >> {log.host}/answer"
    name = box.new_id()
    hooks = only("poststop", {**shell(script), "args": ["sh", "-c", script, name]})
    if box.mode != "root":  # the prefix cannot become the user a second time
        hooks["poststop"][0]["args"][2] = script.replace(" ".join(box.runtime.prefix),
                                                         box.runtime.path)
    made = bundle(box, log, hooks, "pause")
    box.must("create", "--bundle", made.path, name)
    box.must("delete", name)
    assert "does not exist" in log.read("answer") and log.read("answer").split()[-1] != "0"


@pytest.mark.parametrize("kind", KINDS)
def test_a_timeout_is_enforced(box, log, kind):
    place = log.place(kind)
    script = f"echo words; sleep 60 & echo $! > {place}/pid; wait"
    hooks = only(kind, shell(script, timeout=1))
    begin = time.monotonic()
    result = box.run(bundle(box, log, hooks))
    assert 0.9 < time.monotonic() - begin < 50
    assert "timeout of 1 seconds" in result.err and "words" in result.err
    assert (result.rc == 0) == (kind == "poststop")
    if kind in RUNTIME_KINDS:
        assert eventually(lambda: process_state(int(log.read("pid"))) in ("", "Z"))


def test_a_hook_without_a_timeout_may_take_its_time(box, log):
    assert box.run(bundle(box, log, {kind: [shell("sleep 0.3")] for kind in KINDS})).rc == 0


def test_a_hook_that_cannot_be_executed_says_why(box, log):
    for path, words in (("/nonexistent", "no such file or directory"),
                        ("/etc/passwd", "permission denied"), ("/etc", "permission denied")):
        made = bundle(box, log, only("createRuntime", {"path": path}))
        box.fails("create", "--bundle", made.path, box.new_id(),
                  says=(f"/hooks/createRuntime/0 {path}: execute the hook", words))


@pytest.mark.parametrize("change, words", [
    ({"path": "bin/sh"}, "absolute"), ({"path": ""}, "absolute"), ({"timeout": 0}, "greater than 0"),
    ({"timeout": -1}, "greater than 0"), ({"timeout": "1"}, "timeout"), ({"timeout": 1 << 40}, "timeout"),
    ({"args": "x"}, "args"), ({"env": ["novalue"]}, "env"), ({"path": 7}, "path")])
@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_hook_is_refused(box, log, kind, change, words):
    made = bundle(box, log, only(kind, {**shell("true"), **change}))
    box.fails("create", "--bundle", made.path, box.new_id(), says=(f"/hooks/{kind}/0", words))


def test_a_hook_without_a_path_is_refused(box, log):
    made = bundle(box, log, only("prestart", {"args": ["x"]}))
    box.fails("create", "--bundle", made.path, box.new_id(), says=("/hooks/prestart/0", "path"))


# ---- a runtime that is killed


@pytest.mark.parametrize("kind", CREATE_KINDS)
def test_a_create_that_is_killed_during_a_hook_is_cleaned_up_by_delete(box, log, kind):
    hooks = {kind: [shell(f"echo $$ > {log.host}/pid; exec sleep 60")],
             "poststop": [shell(f"touch {log.host}/stopped")]}
    made = bundle(box, log, hooks, "pause")
    name = box.new_id()
    process = box.runtime.popen(box.runtime.argv("create", "--bundle", made.path, name), None, None)
    assert eventually(lambda: log.exists("pid") and log.read("pid"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    if kind != "createContainer":  # its pid is the container's
        assert eventually(lambda: process_state(int(log.read("pid"))) in ("", "Z"))
    assert box.state(name)["status"] == "stopped"
    box.must("delete", "--force", name)
    assert log.exists("stopped")


def test_a_delete_that_is_killed_during_poststop_can_be_repeated(box, log):
    script = f"echo run >> {log.host}/runs; test -e {log.host}/quick || exec sleep 60"
    container = box.create(bundle=bundle(box, log, only("poststop", shell(script)), "pause"))
    argv = box.runtime.argv("delete", container.id)
    process = box.runtime.popen(argv, None, None)
    assert eventually(lambda: log.exists("runs"))
    box.fails("state", container.id, says="does not exist")
    assert json.loads(box.must("list", "--format", "json").out or "[]") in ([], None)
    process.send_signal(signal.SIGKILL)
    process.wait()
    open(os.path.join(log.host, "quick"), "w", encoding="ascii").close()
    box.must("delete", container.id)
    assert log.read("runs").split() == ["run", "run"]
    box.fails("delete", container.id, says="does not exist")


# ---- output


def outputs(box, log, kind, output="out", errors="err"):
    def then(config, _):
        config["annotations"] = {}
        for key, name in (("stdout", output), ("stderr", errors)):
            if name:
                config["annotations"][f"run.oci.hooks.{key}"] = os.path.join(log.host, name)
    script = "echo to stdout; echo to stderr >&2; echo more"
    return bundle(box, log, only(kind, shell(script)), then=then)


@pytest.mark.parametrize("kind", KINDS)
def test_output_goes_to_the_files_of_the_annotations(box, log, kind):
    result = box.run(outputs(box, log, kind))
    assert result.rc == 0
    assert log.read("out") == "to stdout\nmore\n"
    assert log.read("err") == "to stderr\n"
    assert "to std" not in result.out + result.err
    assert os.stat(os.path.join(log.host, "out")).st_mode & 0o777 == 0o600


def test_output_is_appended(box, log):
    for _ in range(2):
        assert box.run(outputs(box, log, "prestart", "both", "both")).rc == 0
    assert log.read("both") == "to stdout\nto stderr\nmore\n" * 2


@pytest.mark.parametrize("kind", KINDS)
def test_without_annotations_output_stays_out_of_the_containers_streams(box, log, kind):
    result = box.run(outputs(box, log, kind, None, None))
    assert (result.rc, result.out, result.err) == (0, "", "")


@pytest.mark.parametrize("key", ("stdout", "stderr"))
def test_an_output_file_must_have_an_absolute_path(box, log, key):
    made = bundle(box, log, only("prestart", shell("true")),
                  then=lambda config, _: config.update(annotations={f"run.oci.hooks.{key}": "x"}))
    box.fails("create", "--bundle", made.path, box.new_id(),
              says=(f"/annotations/run.oci.hooks.{key}", "absolute"))


def test_the_plan_shows_the_hooks_and_hides_values(box, log):
    hooks = only("createRuntime", {"path": "/bin/h", "args": ["h", "a b"], "env": ["SECRET=x1y2"],
                                   "timeout": 4})
    made = bundle(box, log, hooks)
    text = box.must("create", "--dry-run", "--bundle", made.path, box.new_id()).out
    assert "/hooks/createRuntime/0" in text and '"h" "a b"' in text
    assert "SECRET" in text and "x1y2" not in text and "timeout 4 s" in text
