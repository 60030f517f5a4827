"""NOTIFY_SOCKET: what a payload says to the caller's service manager, and what it cannot."""

import os
import socket
import stat

import pytest

import bundles
from harness import eventually
from manager import Manager


@pytest.fixture
def manager(box):
    made = Manager(box)
    yield made
    made.close()


def begin(box, *args, **kw):
    """A verb that is not waited for: (process, path of its stdout)."""
    path = os.path.join(box.dir, "verb-out")
    with open(path, "ab") as out:
        os.fchmod(out.fileno(), 0o666)
        return box.runtime.popen(box.runtime.argv(*args), out, out, **kw), path


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def notifying(box, *words, **kw):
    return box.bundle("notify", *words, **kw)


def test_a_run_in_the_foreground_passes_on_what_its_payload_says(box, manager):
    bundle = notifying(box, "STATUS=half way", "READY=1\nSTATUS=there", "sleep", "STOPPING=1")
    process, _ = begin(box, "run", "--bundle", bundle.path, box.new_id())
    assert manager.serve(process) == 0
    assert manager.messages == ["STATUS=half way\n", "READY=1\nSTATUS=there\n", "STOPPING=1\n"]


def test_a_run_in_the_foreground_stays_the_main_process(box, manager):
    process, _ = begin(box, "run", "--bundle", notifying(box, "READY=1").path, box.new_id())
    manager.serve(process)
    assert manager.lines() == ["READY=1"]


def test_a_detached_run_returns_when_its_payload_is_ready(box, manager):
    bundle = notifying(box, "sleep", "STATUS=soon", "READY=1", "pause")
    name = box.new_id()
    pid_file = box.pid_file()
    process, _ = begin(box, "run", "--detach", "--pid-file", pid_file, "--bundle", bundle.path, name)
    assert manager.serve(process) == 0
    pid = int(open(pid_file, encoding="ascii").read())
    assert manager.lines() == ["STATUS=soon", "READY=1", f"MAINPID={pid}", "BARRIER=1"]
    assert manager.fds == [("BARRIER=1", 1)]
    assert box.state(name)["status"] == "running"


def test_start_returns_when_the_payload_is_ready(box, manager):
    container = box.create(bundle=notifying(box, "sleep", "READY=1", "pause"))
    process, _ = begin(box, "start", container.id)
    assert manager.serve(process) == 0
    assert manager.lines() == ["READY=1", f"MAINPID={container.pid}", "BARRIER=1"]
    assert container.status() == "running"


def test_start_returns_when_the_payload_ends_without_a_word(box, manager):
    container = box.create(bundle=notifying(box, "STATUS=in vain"))
    process, _ = begin(box, "start", container.id)
    assert manager.serve(process) == 0
    assert manager.lines() == ["STATUS=in vain"]
    container.wait_stopped()


def test_a_payload_that_is_ready_and_gone_was_ready(box, manager):
    container = box.create(bundle=notifying(box, "READY=1"))
    process, _ = begin(box, "start", container.id)
    assert manager.serve(process) == 0
    assert "READY=1" in manager.lines()


def test_a_barrier_of_the_payload_comes_after_what_it_said(box, manager):
    bundle = notifying(box, "STATUS=before", "barrier", "STATUS=after")
    process, out = begin(box, "run", "--bundle", bundle.path, box.new_id())
    assert manager.serve(process) == 0
    assert "barrier passed" in text_of(out)
    assert manager.lines() == ["STATUS=before", "BARRIER=1", "STATUS=after"]


def test_without_a_manager_there_is_no_socket(box):
    assert box.output("notify", "READY=1") == "no NOTIFY_SOCKET\n"


def test_what_the_configuration_says_of_it_stands(box, manager):
    """podman --sdnotify=container binds a socket of conmon's by the configuration."""
    theirs = Manager(box, "conmon.sock")
    os.chmod(theirs.path, 0o777)
    box.runtime.env["NOTIFY_SOCKET"] = manager.path

    def edit(config, _):
        config["process"]["env"].append("NOTIFY_SOCKET=/run/theirs.sock")
        config["mounts"].append({"destination": "/run/theirs.sock", "type": "bind",
                                 "source": theirs.path, "options": ["bind"]})

    bundle = notifying(box, "READY=1\nMAINPID=1", edit=edit)
    process, _ = begin(box, "run", "--bundle", bundle.path, box.new_id())
    manager.serve(process)
    assert os.listdir(f"{bundle.rootfs}/run") == ["theirs.sock"]
    theirs.wait_for("MAINPID=1")
    assert manager.messages == []
    theirs.close()


def test_a_container_created_without_a_manager_has_nothing_to_wait_for(box):
    container = box.create("pause")
    manager = Manager(box)
    box.must("start", container.id)
    manager.close()


def test_a_manager_that_is_not_there_at_the_start_does_not_hear(box):
    manager = Manager(box)
    container = box.create(bundle=notifying(box, "READY=1", "STATUS=x"))
    manager.close()
    del box.runtime.env["NOTIFY_SOCKET"]
    box.must("start", container.id)
    container.wait_stopped()


@pytest.mark.parametrize("value", ["relative", "vsock:2:1234", "/", "@"])
def test_an_address_that_is_none_is_an_error(box, value):
    bundle = box.bundle("exit", "0")
    box.runtime.env["NOTIFY_SOCKET"] = value
    box.fails("run", "--bundle", bundle.path, box.new_id(), says=("NOTIFY_SOCKET",))
    assert box.leavings() == []


def test_a_manager_that_is_gone_keeps_nothing_from_running(box, manager):
    manager.close()
    assert box.run(box.bundle("exit", "7")).rc == 7
    assert box.leavings() == []


def test_a_manager_that_goes_meanwhile_does_not_stop_the_payload(box, manager):
    bundle = notifying(box, "READY=1", "sleep", "STATUS=x", "STATUS=y")
    process, _ = begin(box, "run", "--bundle", bundle.path, box.new_id())
    manager.wait_for("READY=1")
    manager.close()
    assert process.wait(10) == 0


def test_an_abstract_address_works(box):
    name = f"\0{box.mark}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(10)
        box.runtime.env["NOTIFY_SOCKET"] = "@" + name[1:]
        box.must("run", "--bundle", notifying(box, "READY=1").path, box.new_id())
        assert manager.recv(4096) == b"READY=1\n"


def test_the_payload_of_another_user_may_notify(box, manager):
    def edit(config, _):
        config["process"]["user"] = {"uid": 1000, "gid": 1000}
        if box.mode == "user":
            for key in ("uidMappings", "gidMappings"):
                config["linux"][key][0]["containerID"] = 1000

    process, out = begin(box, "run", "--bundle", notifying(box, "READY=1", edit=edit).path,
                         box.new_id())
    assert manager.serve(process) == 0, text_of(out)
    assert manager.lines() == ["READY=1"]


def test_an_exec_has_nothing_of_it(box, manager):
    container = box.create(bundle=notifying(box, "READY=1", "pause"))
    process, _ = begin(box, "start", container.id)
    manager.serve(process)
    assert box.must("exec", container.id, "/bin/guest", "notify", "STATUS=x").out \
        == "no NOTIFY_SOCKET\n"


def test_it_is_gone_with_the_container(box, manager):
    container = box.create(bundle=notifying(box, "READY=1", "pause"))
    path = f"{box.runtime.root}/{container.id}/notify.sock"
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    box.must("delete", "--force", container.id)
    assert not os.path.exists(path)


# ---- what a hostile payload may not


HOSTILE = ("MAINPID=1", "MAINPIDFDID=1", "NOTIFYACCESS=all", "FDSTORE=1\nFDNAME=evil", "FDPOLL=0",
           "FDSTOREREMOVE=1", "WATCHDOG_USEC=1", "VARLINKERROR=x", "EXIT_STATUS=0", "X_MADE=up",
           "READY=0", "ready=1", " READY=1", "READY=1 ", "WATCHDOG=trigger")


def test_a_payload_can_say_how_it_is_and_nothing_else(box, manager):
    bundle = notifying(box, *HOSTILE, "STATUS=last\nMAINPID=1\nFDSTORE=1")
    process, _ = begin(box, "run", "--bundle", bundle.path, box.new_id())
    assert manager.serve(process) == 0
    assert manager.messages == ["STATUS=last\n"]


def test_the_main_process_is_not_the_payloads_to_name(box, manager):
    container = box.create(bundle=notifying(box, "READY=1\nMAINPID=1", "pause"))
    process, _ = begin(box, "start", container.id)
    manager.serve(process)
    assert [line for line in manager.lines() if "MAINPID" in line] == [f"MAINPID={container.pid}"]


def test_descriptors_never_pass(box, manager):
    bundle = notifying(box, "fd:STATUS=one", "fds:STATUS=many", "fd:FDSTORE=1", "fds:BARRIER=1",
                       "fd:BARRIER=1", "STATUS=last")
    process, _ = begin(box, "run", "--bundle", bundle.path, box.new_id())
    assert manager.serve(process) == 0
    assert "STATUS=last" in manager.lines() and "STATUS=one" in manager.lines()
    # A barrier of the payload is asked again with a pipe of the runtime's own.
    assert all(fds == ("BARRIER=1", 1) for fds in manager.fds), manager.fds
    assert len(manager.fds) == 1


def test_a_message_that_is_too_long_is_dropped(box, manager):
    bundle = notifying(box, "STATUS=" + "x" * 5000, "STATUS=short")
    process, _ = begin(box, "run", "--bundle", bundle.path, box.new_id())
    assert manager.serve(process) == 0
    assert manager.messages == ["STATUS=short\n"]


def test_a_payload_that_never_stops_talking_can_be_ended(box, manager):
    bundle = box.bundle(edit=lambda config, _: config["process"].update(
        args=["/bin/busybox", "sh", "-c",
              "echo ready; while :; do /bin/guest notify STATUS=a STATUS=b STATUS=c STATUS=d; done"]),
        busybox=True)
    name = box.new_id()
    process, out = begin(box, "run", "--bundle", bundle.path, name)
    assert eventually(lambda: "ready" in text_of(out))
    manager.wait_for("STATUS=d")
    box.must("kill", name, "KILL")
    assert manager.serve(process) == 128 + 9


def test_nothing_of_the_host_but_the_socket_is_in_reach(box, manager):
    """Even for a payload that may mount: there is one file, and no directory of the host's."""
    def edit(config, _):
        for kind in ("bounding", "effective", "permitted"):
            config["process"]["capabilities"][kind].append("CAP_SYS_ADMIN")
        bundles.mount_at(config, "/proc")
        config["process"]["args"] = ["/bin/busybox", "sh", "-c", """
            s=/run/notify/notify.sock
            /bin/busybox mount -o remount,rw,bind $s
            /bin/busybox rm -f $s && echo removed
            /bin/busybox mv $s /tmp/x && echo moved
            /bin/busybox umount $s && echo unmounted
            /bin/busybox ln -s /etc/passwd /run/notify/evil
            /bin/busybox chmod 0 $s; echo done"""]

    bundle = box.bundle(edit=edit, busybox=True)
    state = box.runtime.root
    name = box.new_id()
    process, out = begin(box, "run", "--keep", "--bundle", bundle.path, name)
    assert manager.serve(process) == 0, text_of(out)
    assert "removed" not in text_of(out).split() and "moved" not in text_of(out).split()
    assert sorted(os.listdir(f"{state}/{name}")) == ["config.json", "notify.sock", "record.copy",
                                                         "record.json"]
    assert stat.S_ISSOCK(os.lstat(f"{state}/{name}/notify.sock").st_mode)
    box.must("delete", name)


@pytest.mark.parametrize("planted", ["link", "directory", "link to the socket"])
def test_what_an_image_puts_in_its_place_leads_nowhere(box, manager, planted):
    victim = os.path.join(box.dir, "victim")
    with open(victim, "w", encoding="ascii") as file:
        file.write("untouched")
    box.give(victim)

    def edit(_, bundle):
        bundle.directory("run")
        if planted == "directory":
            bundle.directory("run/notify/notify.sock")
        elif planted == "link":
            bundle.symlink("run/notify", "../../../../../../" + box.dir)
        else:
            bundle.symlink("run/notify/notify.sock", victim)

    process, out = begin(box, "run", "--bundle",
                         notifying(box, "STATUS=x", edit=edit).path, box.new_id())
    manager.serve(process)
    assert text_of(victim) == "untouched"
    assert not os.path.exists(os.path.join(box.dir, "notify.sock")), text_of(out)
    assert set(manager.lines()) <= {"STATUS=x"}
