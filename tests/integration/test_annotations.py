"""The annotations that change what is done."""

import array
import os
import socket

import pytest


def annotate(then=None, **annotations):
    def edit(config, bundle):
        config["annotations"] = {key.replace("__", "."): value
                                 for key, value in annotations.items()}
        if then:
            then(config, bundle)
    return edit


class Receiver:
    """A unix socket that takes one message with one fd."""

    def __init__(self, box):
        self.path = os.path.join(box.directory("receiver"), "pidfd.sock")
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.server.bind(self.path)
        os.chmod(self.path, 0o777)
        self.server.listen(1)
        self.server.settimeout(10)

    def take(self):
        connection, _ = self.server.accept()
        with connection:
            _, control, _, _ = connection.recvmsg(100, socket.CMSG_LEN(4))
        fds = array.array("i")
        for _, _, data in control:
            fds.frombytes(data)
        assert len(fds) == 1
        return fds[0]


def pid_of(fd):
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("Pid:")).split()[1])


def test_pidfd_receiver_gets_the_pidfd_of_init(box):
    receiver = Receiver(box)
    edit = annotate(**{"run.oci.pidfd_receiver": receiver.path})
    container = box.create("pause", edit=edit)
    fd = receiver.take()
    assert pid_of(fd) == container.pid
    os.close(fd)


def test_pidfd_receiver_and_the_option_both_get_one(box):
    first, second = Receiver(box), None
    os.rename(os.path.dirname(first.path), os.path.dirname(first.path) + "1")
    first.path = first.path.replace("receiver/", "receiver1/")
    second = Receiver(box)
    edit = annotate(**{"run.oci.pidfd_receiver": first.path})
    container = box.create("pause", edit=edit, options=("--pidfd-socket", second.path))
    for receiver in (first, second):
        fd = receiver.take()
        assert pid_of(fd) == container.pid
        os.close(fd)


def test_a_pidfd_receiver_that_is_not_there_is_an_error_and_leaves_nothing(box):
    made = box.bundle("pause", edit=annotate(**{"run.oci.pidfd_receiver": "/nonexistent/sock"}))
    box.fails("create", "--bundle", made.path, box.new_id(),
              says=("run.oci.pidfd_receiver", "/nonexistent/sock"))
    assert box.leavings() == []


def strict(value, *names):
    def then(config, _):
        config["linux"]["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": list(names), "action": "SCMP_ACT_ERRNO"}]}
    return annotate(then, **{"run.oci.seccomp_fail_unknown_syscall": value})


def test_unknown_system_calls_are_passed_over_unless_the_annotation_says_so(box):
    assert box.output("echo", "x", edit=strict("0", "getcpu", "no_such_call")) == "x\n"
    assert box.output("echo", "x", edit=strict("1", "getcpu")) == "x\n"
    made = box.bundle("echo", "x", edit=strict("1", "getcpu", "no_such_call"))
    box.fails("run", "--bundle", made.path, box.new_id(), says=("syscalls[0]", "no_such_call"))


@pytest.mark.parametrize("name", ["run.oci.systemd.subgroup", "run.oci.delegate-cgroup"])
def test_a_sub_cgroup_without_a_cgroup_is_a_degradation(box, name):
    container = box.create("pause", edit=annotate(**{name: "payload"}),
                           before=("--cgroup-manager=disabled",))
    assert any(f"/annotations/{name}" in text for text in box.state(container.id)["degradations"])
    made = box.bundle("pause", edit=annotate(**{name: "payload"}))
    box.fails("create", "--bundle", made.path, box.new_id(), says=name,
              options=("--strict", "--cgroup-manager=disabled"))


@pytest.mark.parametrize("name", ["run.oci.handler", "run.oci.seccomp.plugins",
                                  "run.oci.seccomp_bpf_data"])
def test_an_annotation_of_crun_that_would_confine_more_is_refused(box, name):
    made = box.bundle("exit", "0", edit=annotate(**{name: "x"}))
    box.fails("run", "--bundle", made.path, box.new_id(),
              says=[f"/annotations/{name}", "or remove the annotation"])
    assert box.run(box.bundle("exit", "0", edit=annotate(**{name: ""}))).rc == 0


@pytest.mark.parametrize("name", ["run.oci.mount_context_type", "run.oci.systemd.force_cgroup_v1"])
def test_an_annotation_of_crun_that_changes_nothing_is_a_degradation(box, name):
    container = box.create("pause", edit=annotate(**{name: "x"}))
    assert any(f"/annotations/{name}: has no effect" in text
               for text in box.state(container.id)["degradations"])
    made = box.bundle("pause", edit=annotate(**{name: "x"}))
    box.fails("create", "--bundle", made.path, box.new_id(), says=name, options=("--strict",))


def test_other_annotations_are_only_kept(box):
    edit = annotate(**{"org.example": "x", "run.oci.unknown": "y"})
    container = box.create("pause", edit=edit)
    assert box.state(container.id)["annotations"] == {"org.example": "x", "run.oci.unknown": "y"}
