"""Hostile images, annotations and surroundings around hooks and seccomp agents."""

import os

import pytest

from harness import eventually
from manager import Manager
from residue import process_state
from test_hooks import KINDS, RUNTIME_KINDS, bundle, log, only, outputs, shell  # noqa: F401

ESCAPES = ("absolute", "upwards")


def escape(box, name, kind):
    inside = os.path.join(box.canary.path, name)
    return inside if kind == "absolute" else "../" * 12 + inside.lstrip("/")


# ---- where output goes


@pytest.mark.parametrize("target", ("secret", "new"))
@pytest.mark.parametrize("key", ("out", "err"))
def test_output_is_not_written_through_a_planted_link(box, log, key, target):
    os.symlink(os.path.join(box.canary.path, target), os.path.join(log.host, key))
    made = outputs(box, log, "createRuntime", "out", "err")
    box.fails("create", "--bundle", made.path, box.new_id(), says="a symbolic link is refused")
    assert box.canary.changes() == []
    assert box.leavings() == []


def test_output_to_a_fifo_does_not_hang(box, log):
    os.mkfifo(os.path.join(log.host, "out"))
    made = outputs(box, log, "createRuntime", "out", None)
    box.fails("create", "--bundle", made.path, box.new_id(), says="out", timeout=20)


@pytest.mark.parametrize("path", ("/dev/null", "/proc/self/comm", "/proc/self/coredump_filter", "/dev"))
def test_output_goes_to_regular_files_only(box, log, path):
    made = bundle(box, log, only("prestart", shell("true")), then=lambda config, _: config.update(
        annotations={"run.oci.hooks.stdout": path}))
    result = box.fails("create", "--bundle", made.path, box.new_id(), says=path)
    assert "regular file" in result.err or "is a directory" in result.err


def test_output_needs_the_rights_of_the_caller(box, log):
    path = "/sys/coracle-hooks" if box.mode == "root" else "/etc/coracle-hooks"
    made = bundle(box, log, only("prestart", shell("true")), then=lambda config, _: config.update(
        annotations={"run.oci.hooks.stdout": path}))
    box.fails("create", "--bundle", made.path, box.new_id(), says=("output of the hooks", path))
    assert not os.path.exists(path)


@pytest.mark.parametrize("kind", ESCAPES)
def test_output_files_are_never_looked_up_in_the_container(box, log, kind):
    def then(config, image):
        image.symlink(os.path.join(log.host, "out"), escape(box, "secret", kind))
        config["annotations"] = {"run.oci.hooks.stdout": os.path.join(log.host, "out")}
    made = bundle(box, log, only("startContainer", shell("echo from inside")), then=then)
    assert box.run(made).rc == 0
    assert log.read("out") == "from inside\n"
    assert box.canary.changes() == []


# ---- what the image can do


@pytest.mark.parametrize("kind", ESCAPES)
def test_the_image_cannot_put_itself_in_place_of_a_hook_of_the_runtime(box, log, kind):
    """The image has its own program at the hook's path; the host's is what runs."""
    program = os.path.join(box.dir, "hook.sh")
    with open(program, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\necho host >> {log.host}/who\n")
    os.chmod(program, 0o755)

    def then(_, image):
        image.file(program, f"#!/bin/sh\necho image >> {log.host}/who\n", 0o755)
        image.symlink("hook", escape(box, "secret", kind))
    hooks = {name: [{"path": program, "env": ["PATH=/bin"]}]
             for name in (*RUNTIME_KINDS, "createContainer")}
    assert box.run(bundle(box, log, hooks, then=then)).rc == 0
    assert log.read("who").split() == ["host"] * 5


@pytest.mark.parametrize("target", ("/bin/sh", "/usr/bin/touch"))
def test_a_start_container_hook_is_never_the_hosts_program(box, log, target):
    def then(_, image):
        image.symlink("hook", "../" * 12 + target.lstrip("/"))
    hooks = only("startContainer", {"path": "/usr/bin/env", "args": ["env", "true"]})
    made = bundle(box, log, hooks, then=then)
    box.fails("run", "--bundle", made.path, box.new_id(), says="no such file or directory")


@pytest.mark.parametrize("name", ("state.json", "record.json", "deleted.json", "start.sock",
                                  "config.json", "hooks"))
def test_nothing_that_the_image_has_planted_is_written(box, log, name):
    def then(_, image):
        for place in (name, f"log/{name}", f"tmp/{name}"):
            image.symlink(place, escape(box, "secret", "absolute"))
    hooks = {kind: [shell("cat > /dev/null")] for kind in KINDS}
    box.run(bundle(box, log, hooks, then=then))
    assert box.canary.changes() == []


# ---- what reaches whom


@pytest.mark.parametrize("kind", KINDS)
def test_the_environment_of_a_hook_reaches_nobody_else(box, log, kind):
    library = os.path.join(log.host, "evil.so")
    place = log.place(kind)
    entry = shell(f"echo $LD_PRELOAD > {place}/seen", env=["PATH=/usr/bin:/bin"])
    entry["env"] += [f"LD_PRELOAD={library}", f"LD_LIBRARY_PATH={log.host}", "GCONV_PATH=/x"]
    made = bundle(box, log, only(kind, entry), then=lambda config, _: config["process"].update(
        args=["/bin/busybox", "env"], env=["PATH=/bin", "HOME=/"]))
    result = box.run(made)
    assert result.rc == 0 and log.read("seen").strip() == library
    assert sorted(result.out.split()) == ["HOME=/", "PATH=/bin"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_environment_of_the_caller_reaches_no_hook(box, log, kind):
    place = log.place(kind)
    listing = "/bin/busybox env" if kind == "startContainer" else "env"
    entry = {**shell(f"{listing} > {place}/seen"), "env": ["PATH=/usr/bin:/bin"]}
    manager = Manager(box)
    env = {**box.runtime.env, "SECRET_OF_CALLER": "1", "LD_DEBUG_OUTPUT": "/tmp/x",
           "NOTIFY_SOCKET": manager.path, "LISTEN_FDNAMES": "n"}
    assert box.run(bundle(box, log, only(kind, entry)), env=env).rc == 0
    manager.close()
    names = {line.split("=")[0] for line in log.read("seen").splitlines()}
    assert names <= {"PATH", "PWD", "_", "SHLVL", "OLDPWD"}


def test_a_hook_that_kills_its_parent_leaves_what_delete_can_clean(box, log):
    made = bundle(box, log, only("createRuntime", shell("kill -9 $PPID; exec sleep 60")), "pause")
    name = box.new_id()
    assert box.call("create", "--bundle", made.path, name).rc != 0
    box.must("delete", "--force", name)
    assert box.leavings() == []


def test_a_hook_that_deletes_the_container_is_an_error_and_leaves_nothing(box, log):
    argv = box.runtime.argv("delete", "--force", "NAME")
    if box.mode != "root":
        argv = argv[len(box.runtime.prefix) - 1:]
    name = box.new_id()
    script = f"timeout 1 {' '.join(argv).replace('NAME', name)}; true"
    made = bundle(box, log, only("createRuntime", shell(script)), "pause")
    box.call("create", "--bundle", made.path, name)  # the other waits for the lock
    box.must("delete", "--force", name)


def test_what_create_container_leaves_has_the_root_of_the_container(box, log):
    script = f"(sleep 0.5; test -e {log.host} || echo gone > /log/seen) > /dev/null 2>&1 &"
    container = box.create(bundle=bundle(box, log, only("createContainer", shell(script)), "pause"))
    assert container.status() == "created"
    assert eventually(lambda: log.exists("seen")), "it still sees the host's paths"


@pytest.mark.parametrize("kind", ("createContainer", "startContainer"))
def test_a_hook_in_the_container_cannot_outlive_it(box, log, kind):
    sleep = "/bin/busybox sleep" if kind == "startContainer" else "sleep"
    # A moment to be executed: what createContainer leaves gets the root of the container by pivot.
    hooks = only(kind, shell(f"(exec {sleep} 77777) > /dev/null 2>&1 & {sleep} 0.3"))
    container = box.create(bundle=bundle(box, log, hooks, "pause"))
    box.must("start", container.id)

    def sleepers():
        return [text for _, text in box.processes() if "77777" in text]
    assert eventually(sleepers)
    box.must("delete", "--force", container.id)
    assert eventually(lambda: not sleepers())
    assert process_state(container.pid) in ("", "Z")
