"""linux.netDevices: devices of the host that become the container's. The host is a network
namespace of the test's own, with a pair of virtual devices ca0 and cb0."""

import json
import os
import shutil
import subprocess

import pytest

ADDRESS = "10.9.8.7/24"
SIX = "fd00:9::7/64"
SETUP = f"""ip link add ca0 type veth peer name cb0 && ip addr add {ADDRESS} dev ca0 &&
ip addr add {SIX} dev ca0 nodad && ip link set ca0 up && ip link set cb0 up"""


@pytest.fixture(autouse=True)
def has_veth():
    """A pair can be made here."""
    made = subprocess.run(["unshare", "-n", "sh", "-c", SETUP], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"machine: no virtual network devices: {made.stderr.decode()}")


def host(after="true"):
    """A wrapper: the runtime in a network of its own; then `after`, whose output comes last."""
    script = f'{SETUP}; "$@"; rc=$?; {after}; exit $rc'
    return ["unshare", "-n", "sh", "-c", script, "sh"]


def devices(**names):
    return lambda config, _: config["linux"].update(netDevices=names)


def tool(config, bundle):
    """A busybox with ip in the container."""
    shutil.copyfile("/bin/busybox", os.path.join(bundle.rootfs, "bin/busybox"))
    os.chmod(os.path.join(bundle.rootfs, "bin/busybox"), 0o755)
    config["process"]["args"] = ["/bin/busybox", "ip", "addr"]


def inside(box, edit, **kw):
    def change(config, bundle):
        tool(config, bundle)
        edit(config, bundle)

    return box.run(box.bundle(edit=change), wrap=host(**kw))


@pytest.mark.modes("root")
def test_net_devices_name_of_the_host_is_kept(box):
    result = inside(box, devices(ca0={}), after="ip link show ca0")
    assert result.rc == 0, result
    assert " ca0@" in result.out and ADDRESS in result.out and SIX in result.out, result
    assert "UP" in result.out.split(" ca0@")[1].split(">")[0], result
    assert "does not exist" in result.err, result  # gone from the host


@pytest.mark.modes("root")
def test_net_devices_name_inside_is_the_one_asked_for(box):
    result = inside(box, devices(ca0={"name": "inner0"}, cb0={"name": "inner1"}))
    assert result.rc == 0 and " inner0@" in result.out and " inner1@" in result.out, result
    assert ADDRESS in result.out.split(" inner0@")[1], result


@pytest.mark.modes("root")
def test_net_devices_name_with_a_number_left_open(box):
    result = inside(box, devices(ca0={"name": "in%d"}, cb0={"name": "in%d"}))
    assert result.rc == 0 and " in0@" in result.out and " in1@" in result.out, result


@pytest.mark.modes("root")
def test_net_devices_of_a_user_namespace(box):
    """The container's network belongs to a user namespace of its own."""
    def edit(config, _):
        config["linux"]["namespaces"].append({"type": "user"})
        config["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]
        config["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]
        config["linux"]["netDevices"] = {"ca0": {}}

    result = inside(box, edit)
    assert result.rc == 0 and " ca0@" in result.out and ADDRESS in result.out, result


@pytest.mark.modes("root")
def test_net_devices_come_back_if_the_container_cannot_be_made(box):
    def edit(config, _):
        config["linux"]["netDevices"] = {"ca0": {"name": "x"}, "cb0": {"name": "y"}}
        config["mounts"].append({"destination": "/m", "type": "bind", "source": "/no/such",
                                 "options": ["bind"]})

    result = inside(box, edit, after="ip addr show dev ca0; ip link show cb0")
    assert result.rc != 0 and "/no/such" in result.err, result
    assert ADDRESS in result.out and SIX in result.out and " cb0@" in result.out, result
    assert "UP" in result.out.split(" ca0@")[1].split(">")[0], result


def no_program(config, bundle):
    """What only execve finds out."""
    bundle.file("program", "\x01\x02 no format that is known", mode=0o755)
    config["process"]["args"] = ["/program"]


def failing(kind):
    path = "/bin/guest" if kind == "startContainer" else "/bin/false"
    hook = {"path": path, "args": [path, "exit", "1"]}
    return lambda config, _: config.update(hooks={kind: [hook]})


@pytest.mark.modes("root")
@pytest.mark.parametrize("detach", [[], ["--detach"]], ids=["foreground", "detached"])
@pytest.mark.parametrize("fault", [no_program, failing("startContainer"), failing("poststart")],
                         ids=["program", "startContainer", "poststart"])
def test_net_devices_come_back_if_the_program_of_a_run_cannot_be_started(box, fault, detach):
    def edit(config, bundle):
        tool(config, bundle)
        config["linux"]["netDevices"] = {"ca0": {"name": "x"}, "cb0": {"name": "y"}}
        fault(config, bundle)

    result = box.run(box.bundle(edit=edit), *detach,
                     wrap=host("ip addr show dev ca0; ip link show cb0"))
    assert result.rc != 0, result
    assert ADDRESS in result.out and SIX in result.out and " cb0@" in result.out, result
    assert "UP" in result.out.split(" ca0@")[-1].split(">")[0], result


@pytest.mark.modes("root")
def test_net_devices_one_that_is_missing_brings_the_others_back(box):
    result = inside(box, devices(ca0={}, no0={}), after="ip addr show dev ca0")
    assert result.rc != 0 and "/linux/netDevices/no0" in result.err, result
    assert "no such device" in result.err.lower() and ADDRESS in result.out, result


@pytest.mark.modes("root")
def test_net_devices_name_that_is_taken_is_refused(box):
    result = inside(box, devices(ca0={"name": "lo"}), after="ip addr show dev ca0")
    assert result.rc != 0 and "/linux/netDevices/ca0" in result.err, result
    assert "file exists" in result.err.lower() and "%d" in result.err and ADDRESS in result.out


@pytest.mark.modes("root")
def test_net_devices_that_cannot_move_are_refused(box):
    result = inside(box, devices(lo={"name": "lo2"}))
    assert result.rc != 0 and "/linux/netDevices/lo" in result.err, result
    assert "cannot leave its network namespace" in result.err, result


@pytest.mark.modes("root")
def test_net_devices_of_the_callers_own_network_are_refused(box):
    def edit(config, _):
        config["linux"]["netDevices"] = {"ca0": {}}
        next(n for n in config["linux"]["namespaces"] if n["type"] == "network").update(
            path="/proc/self/ns/net")

    result = inside(box, edit)
    assert result.rc != 0 and "/linux/netDevices: the container shares" in result.err, result


@pytest.mark.modes("user")
def test_net_devices_of_a_plain_user_are_refused_with_the_reason(box):
    bundle = box.bundle("exit", "0", edit=devices(lo={"name": "lo2"}))
    box.fails("create", "--bundle", bundle.path, box.new_id(),
              says=["/linux/netDevices", "not supported for rootless containers", "CAP_NET_ADMIN"])


@pytest.mark.modes("userns-root")
def test_net_devices_of_another_owner_are_refused_with_the_reason(box):
    result = inside(box, devices(ca0={}), after="ip addr show dev ca0")
    assert result.rc != 0 and "/linux/netDevices" in result.err, result
    assert "operation not permitted" in result.err.lower() and "CAP_NET_ADMIN" in result.err, result
    assert ADDRESS in result.out, result


@pytest.mark.parametrize("value, says", [
    ({"a b": {}}, "/linux/netDevices"),
    ({"a23456789012345678": {}}, "/linux/netDevices"),
    ({"e0": {"name": "a/b"}}, "/linux/netDevices/e0/name"),
    ({"e0": {"name": 1}}, "/linux/netDevices/e0/name"),
    ({"e0": {"name": "x"}, "e1": {"name": "x"}}, "/linux/netDevices/e1/name"),
    ({"e0": "e1"}, "/linux/netDevices/e0"),
    ([], "/linux/netDevices"),
])
def test_net_devices_wrong_values_are_refused(box, value, says):
    bundle = box.bundle("exit", "0", edit=lambda c, _: c["linux"].update(netDevices=value))
    box.fails("create", "--bundle", bundle.path, box.new_id(), says=says)


def test_net_devices_without_a_network_namespace_are_refused(box):
    def edit(config, _):
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"]
                                         if n["type"] != "network"]
        config["linux"]["netDevices"] = {"ca0": {}}

    box.fails("create", "--bundle", box.bundle("exit", "0", edit=edit).path, box.new_id(),
              says=["/linux/netDevices", "network namespace"])


@pytest.mark.modes("root")
def test_net_devices_are_shown_by_dry_run_and_stay(box):
    bundle = box.bundle("exit", "0", edit=devices(ca0={"name": "in%d"}))
    result = box.call("create", "--dry-run", "--bundle", bundle.path, "dry",
                      wrap=host(after="ip addr show dev ca0"))
    assert result.rc == 0 and "network device ca0: moved, in%d inside" in result.out, result
    assert ADDRESS in result.out


def test_net_devices_empty_is_nothing_to_do(box):
    result = box.run(box.bundle("exit", "0", edit=devices()))
    assert result.rc == 0, result
    assert json.loads(box.must("features", root=False).out)["linux"]["netDevices"]["enabled"]
