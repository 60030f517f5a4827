"""SCMP_ACT_NOTIFY: the listener of the filter and the container process state reach an agent."""

import errno
import os
import socket
import threading

import pytest

from agent import Agent
from harness import eventually
from residue import process_state

X86_64 = {"write": 1, "getpid": 39, "sendmsg": 46, "execve": 59, "wait4": 61, "getcpu": 309}


def let_go_on(number, args):
    return 0


def refuse_getcpu(number, args):
    return errno.EACCES if number == X86_64["getcpu"] else 0


@pytest.fixture
def agents(box):
    """Makes agents at paths of their own."""
    made = []

    def make(answer, directory="agent"):
        path = os.path.join(box.directory(f"{directory}{len(made)}"), "agent.sock")
        made.append(Agent(path, answer))
        made[-1].path = path
        return made[-1]
    yield make
    for agent in made:
        agent.close()


def profile(path, *names, then=None, default="SCMP_ACT_ALLOW", **more):
    def edit(config, bundle):
        calls = [{"names": list(names), "action": "SCMP_ACT_NOTIFY"}] if names else []
        config["linux"]["seccomp"] = {"defaultAction": default, "syscalls": calls,
                                      **({"listenerPath": path} if path else {}), **more}
        if then:
            then(config, bundle)
    return edit


CALL = ("try-syscall", "getcpu", "0", "0", "0")


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_an_agent_decides(box, agents, no_new_privileges):
    def then(config, _):
        config["process"]["noNewPrivileges"] = no_new_privileges
    agent = agents(refuse_getcpu)
    assert box.output(*CALL, edit=profile(agent.path, "getcpu", then=then)) == "EACCES\n"
    agent = agents(let_go_on)
    assert box.output(*CALL, edit=profile(agent.path, "getcpu", then=then)) == "ok\n"
    assert agent.numbers == [X86_64["getcpu"]]


def test_the_agent_gets_one_container_process_state(box, agents):
    agent = agents(refuse_getcpu)
    edit = profile(agent.path, "getcpu", listenerMetadata="the \"meta\" data",
                   then=lambda config, _: config.update(annotations={"a": "b"}))
    container = box.create(*CALL, edit=edit)
    assert agent.states == []
    box.must("start", container.id)
    assert eventually(lambda: container.out == "EACCES\n")
    assert len(agent.states) == 1
    state = agent.states[0]
    assert (state["fds"], state["pid"], state["metadata"]) == (
        ["seccompFd"], container.pid, "the \"meta\" data")
    inner = state["state"]
    assert (inner["id"], inner["status"], inner["pid"], inner["bundle"], inner["annotations"]) == (
        container.id, "created", container.pid, container.bundle.path, {"a": "b"})
    assert state["ociVersion"] == inner["ociVersion"] == "1.3.0"


@pytest.mark.parametrize("name", ["write", "sendmsg", "execve", "wait4", "close_range", "exit_group"])
def test_calls_that_init_makes_itself_can_be_notified(box, agents, name):
    agent = agents(let_go_on)
    assert box.output("echo", "words", edit=profile(agent.path, name)) == "words\n"


def test_every_call_can_be_notified(box, agents):
    agent = agents(refuse_getcpu)
    assert box.output(*CALL, edit=profile(agent.path, default="SCMP_ACT_NOTIFY")) == "EACCES\n"
    assert X86_64["execve"] in agent.numbers


def test_a_filter_that_refuses_wait4_and_sendmsg_still_has_its_listener(box, agents):
    def then(config, _):
        config["linux"]["seccomp"]["syscalls"].append(
            {"names": ["wait4", "sendmsg", "write"], "action": "SCMP_ACT_ERRNO"})
    agent = agents(refuse_getcpu)
    result = box.run(box.bundle("exit", "4", edit=profile(agent.path, "getcpu", then=then)))
    assert result.rc == 4 and eventually(lambda: len(agent.states) == 1), result


def test_the_program_has_no_child_and_no_fd_of_the_sending(box, agents):
    agent = agents(let_go_on)
    program = ["/bin/sh", "-c", "cat /proc/[0-9]*/stat; /bin/busybox ls /proc/self/fd; echo end"]

    def then(config, _):
        config["process"]["args"] = program
    out = box.output(edit=profile(agent.path, "getcpu", then=then), busybox=True)
    assert ") Z " not in out and "init:" not in out and out.split()[-5:] == ["0", "1", "2", "3", "end"]


@pytest.mark.parametrize("flags", [["SECCOMP_FILTER_FLAG_TSYNC"], ["SECCOMP_FILTER_FLAG_LOG"],
                                   ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"],
                                   ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
                                   ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
                                    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                                    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]])
def test_every_flag_goes_with_a_listener(box, agents, flags):
    agent = agents(refuse_getcpu)
    assert box.output(*CALL, edit=profile(agent.path, "getcpu", flags=flags)) == "EACCES\n"


def test_without_a_notified_call_the_listener_path_is_ignored(box):
    edit = profile("/nonexistent/agent.sock", listenerMetadata="x")
    assert box.output("echo", "x", edit=edit) == "x\n"


def test_an_agent_that_is_not_there_is_an_error_and_start_can_be_repeated(box, agents):
    directory = box.directory("late")
    path = os.path.join(directory, "agent.sock")
    container = box.create(*CALL, edit=profile(path, "getcpu"))
    box.fails("start", container.id, says=("listenerPath", path, "no such file or directory"))
    assert container.status() == "created"
    agent = Agent(path, refuse_getcpu)
    box.must("start", container.id)
    assert eventually(lambda: container.out == "EACCES\n")
    agent.close()


def test_run_without_an_agent_leaves_nothing(box):
    made = box.bundle(*CALL, edit=profile("/nonexistent/agent.sock", "getcpu"))
    box.fails("run", "--bundle", made.path, box.new_id(), says="listenerPath")
    assert box.leavings() == []


def test_a_socket_that_nobody_listens_at_is_an_error(box):
    path = os.path.join(box.directory("deaf"), "agent.sock")
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    os.chmod(path, 0o777)
    server.listen(1)
    container = box.create("pause", edit=profile(path, "getcpu"))
    server.close()
    box.fails("start", container.id, says=("listenerPath", "connection refused"))
    assert container.status() == "created"


def test_an_agent_that_hangs_up_ends_the_program(box):
    path = os.path.join(box.directory("rude"), "agent.sock")
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    os.chmod(path, 0o777)
    server.listen(1)
    hang_up = threading.Thread(target=lambda: server.accept()[0].close())
    hang_up.start()
    wait = {"path": "/bin/sh", "args": ["sh", "-c", "sleep 0.5"], "env": ["PATH=/bin"]}
    made = box.bundle("pause", edit=profile(path, "getcpu", then=lambda config, _: config.update(
        hooks={"startContainer": [wait]})), busybox=True)
    container = box.create(bundle=made)
    box.fails("start", container.id, says=("listenerPath", "send the container process state"))
    hang_up.join()
    server.close()
    assert eventually(lambda: process_state(container.pid) in ("", "Z"))


def test_a_path_longer_than_an_address_works(box, agents):
    agent = agents(refuse_getcpu, "a" * 100)
    assert len(agent.path) > 108
    assert box.output(*CALL, edit=profile(agent.path, "getcpu")) == "EACCES\n"


def test_the_path_is_resolved_on_the_host_and_never_in_the_container(box, agents):
    agent = agents(refuse_getcpu)
    link = os.path.join(box.dir, "link.sock")
    os.symlink(agent.path, link)

    def then(_, bundle):
        bundle.symlink("run", "/etc")
        bundle.file(link, "not a socket")
    assert box.output(*CALL, edit=profile(link, "getcpu", then=then)) == "EACCES\n"


def test_the_annotation_names_the_agent_where_the_profile_does_not(box, agents):
    agent = agents(refuse_getcpu)
    edit = profile(None, "getcpu", then=lambda config, _: config.update(
        annotations={"run.oci.seccomp.receiver": agent.path}))
    assert box.output(*CALL, edit=edit) == "EACCES\n"
    env = {**box.runtime.env, "RUN_OCI_SECCOMP_RECEIVER": agent.path}
    assert box.output(*CALL, edit=profile(None, "getcpu"), env=env) == "EACCES\n"
    assert box.output(*CALL, edit=edit, env={**env, "RUN_OCI_SECCOMP_RECEIVER": "/no"}) == "EACCES\n"
    other = agents(let_go_on)
    edit = profile(other.path, "getcpu", then=lambda config, _: config.update(
        annotations={"run.oci.seccomp.receiver": agent.path}))
    assert box.output(*CALL, edit=edit) == "ok\n"


@pytest.mark.parametrize("path, more, says", [
    (None, {}, ("/linux/seccomp/listenerPath", "absolute")),
    ("agent.sock", {}, ("/linux/seccomp/listenerPath", "absolute")),
    (None, {"listenerMetadata": "x"}, ("/linux/seccomp/listenerMetadata", "without listenerPath")),
    (7, {}, "listenerPath"),
    ("/a", {"listenerMetadata": []}, "listenerMetadata")])
def test_a_bad_listener_is_refused(box, path, more, says):
    made = box.bundle(*CALL, edit=profile(path, "getcpu", **more))
    box.fails("create", "--bundle", made.path, box.new_id(), says=says)


def test_wait_killable_without_a_notified_call_is_refused(box):
    made = box.bundle(*CALL, edit=profile(None, flags=["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]))
    box.fails("create", "--bundle", made.path, box.new_id(), says="WAIT_KILLABLE_RECV")


def test_a_program_that_cannot_be_executed_is_told_through_a_notified_write(box, agents):
    agent = agents(let_go_on)

    def then(config, _):
        config["process"]["args"] = ["/bin/missing-loader"]
    container = box.bundle(edit=profile(agent.path, "write", then=then))
    container.file("bin/missing-loader", "#!/nonexistent\n", 0o755)
    box.fails("run", "--bundle", container.path, box.new_id(), says="no such file or directory")
