"""Wrong bundles, configurations and identifiers: refused with a reason, nothing left or changed."""

import json
import os

import pytest

import bundles
from canary import snapshot_tree, tree_changes

LIMIT = 16 * 1024 * 1024


def refused(box, bundle, says=(), verb="create", untouched=True):
    """`verb` must fail saying `says`; neither the bundle nor the state root may change."""
    before = snapshot_tree(bundle.path)
    name, path = box.new_id(), box.pid_file()
    result = box.fails(verb, "--pid-file", path, "--bundle", bundle.path, name, says=says)
    if untouched:
        assert tree_changes(before, snapshot_tree(bundle.path)) == []
    assert not os.path.exists(path)
    assert os.listdir(box.runtime.root) == []
    assert box.processes() == []
    return result


def changed(box, change, **kw):
    return box.bundle("exit", "0", edit=lambda config, bundle: change(config), **kw)


# ---- the text of config.json

GOOD = json.dumps({"ociVersion": "1.0.2"})
TEXTS = {
    "empty": "",
    "blank": " \n",
    "half": '{"ociVersion": "1.0.2", "process": {"args": ["/bin/gu',
    "not JSON": "ociVersion: 1.0.2\n",
    "a list": "[]",
    "a number": "1",
    "null": "null",
    "more after the end": GOOD + "{}",
    "a comma too many": '{"ociVersion": "1.0.2",}',
    "a comment": '{"ociVersion": "1.0.2" /* new */}',
    "a wrong escape": '{"ociVersion": "\\q"}',
    "a byte that is not UTF-8": b'{"ociVersion": "\xff"}',
    "a null byte": b'{"ociVersion": "1.0.2"}\0',
    "a null byte in a string": '{"ociVersion": "1.0.2\\u0000"}',
}


@pytest.mark.parametrize("kind", TEXTS)
def test_a_config_that_is_not_json_is_refused(box, kind):
    refused(box, box.bundle().write(TEXTS[kind]))


@pytest.mark.parametrize("part", range(1, 20))
def test_a_truncated_config_is_refused(box, part):
    bundle = box.bundle("exit", "0")
    text = json.dumps(bundle.config)
    refused(box, bundle.write(text[:len(text) * part // 20]), says="config.json")


@pytest.mark.parametrize("text", [
    '"ociVersion": "1.0.2", "ociVersion": "1.0.2"',
    '"ociVersion": "1.0.2", "hostname": "a", "hostname": "b"',
    '"ociVersion": "1.0.2", "annotations": {"k": "1", "k": "2"}',
])
def test_a_duplicate_key_is_refused(box, text):
    bundle = box.bundle("exit", "0")
    rest = json.dumps({key: value for key, value in bundle.config.items()
                       if key not in ("ociVersion", "hostname")})
    refused(box, bundle.write("{" + text + ", " + rest[1:]), says="twice")


def test_a_config_above_16_mib_is_refused(box):
    bundle = box.bundle("exit", "0")
    text = json.dumps(bundle.config)
    refused(box, bundle.write(text + " " * (LIMIT + 1 - len(text))), says="config.json")


def test_a_config_of_exactly_16_mib_is_taken(box):
    bundle = box.bundle("exit", "0")
    text = json.dumps(bundle.config)
    assert box.run(bundle.write(text + " " * (LIMIT - len(text)))).rc == 0


@pytest.mark.parametrize("depth", [65, 1000, 1000000])
@pytest.mark.parametrize("pair", ["[]", '{"a":}'])
def test_a_deeply_nested_config_is_refused(box, depth, pair):
    opening = pair[:-1]
    text = '{"ociVersion": "1.0.2", "x": ' + opening * depth + "0" + pair[-1] * depth + "}"
    refused(box, box.bundle().write(text))


# ---- the file config.json itself


def replace_config(bundle, make):
    path = os.path.join(bundle.path, "config.json")
    os.unlink(path)
    make(path)
    return bundle


def test_a_missing_config_is_refused(box):
    bundle = replace_config(box.bundle(), lambda path: None)
    refused(box, bundle, says=["config.json", "no such file or directory"])


def test_a_fifo_for_a_config_is_refused_at_once(box):
    def make(path):
        os.mkfifo(path)
        box.give(path)

    refused(box, replace_config(box.bundle(), make), says="config.json")


def test_a_directory_for_a_config_is_refused(box):
    refused(box, replace_config(box.bundle(), os.mkdir), says="config.json")


def test_a_device_for_a_config_is_refused(box):
    bundle = replace_config(box.bundle(), lambda path: os.symlink("/dev/zero", path))
    refused(box, bundle, says="config.json")


@pytest.mark.modes("user")
def test_a_config_that_cannot_be_read_is_refused(box):
    bundle = box.bundle()
    os.chmod(os.path.join(bundle.path, "config.json"), 0)
    refused(box, bundle, says=["config.json", "permission denied"])


def test_a_missing_bundle_is_refused(box):
    box.fails("create", "--bundle", os.path.join(box.dir, "no-such"), box.new_id(),
              says="no such file or directory")


def test_a_file_for_a_bundle_is_refused(box):
    path = os.path.join(box.dir, "file")
    open(path, "w", encoding="ascii").close()
    box.fails("create", "--bundle", path, box.new_id(), says="not a directory")


# ---- fields, each named by its JSON pointer

FIELDS = {
    "ociVersion 2": (lambda c: c.update(ociVersion="2.0.0"), "ociVersion"),
    "ociVersion abc": (lambda c: c.update(ociVersion="abc"), "ociVersion"),
    "ociVersion empty": (lambda c: c.update(ociVersion=""), "ociVersion"),
    "ociVersion missing": (lambda c: c.pop("ociVersion"), "ociVersion"),
    "ociVersion a number": (lambda c: c.update(ociVersion=1), "ociVersion"),
    "root missing": (lambda c: c.pop("root"), "root"),
    "root.path missing": (lambda c: c["root"].pop("path"), "root"),
    "root.path a number": (lambda c: c["root"].update(path=1), "/root/path"),
    "cwd relative": (lambda c: c["process"].update(cwd="tmp"), "/process/cwd"),
    "cwd missing": (lambda c: c["process"].pop("cwd"), ["/process", "cwd"]),
    "args empty": (lambda c: c["process"].update(args=[]), "/process/args"),
    "args a string": (lambda c: c["process"].update(args="sh"), "/process/args"),
    "args[0] empty": (lambda c: c["process"].update(args=[""]), "/process/args"),
    "env without =": (lambda c: c["process"].update(env=["A=1", "PATH"]), "/process/env/1"),
    "env without name": (lambda c: c["process"].update(env=["=x"]), "/process/env/0"),
    "uid negative": (lambda c: c["process"]["user"].update(uid=-1), "/process/user/uid"),
    "uid 4294967295": (lambda c: c["process"]["user"].update(uid=2**32 - 1), "/process/user/uid"),
    "uid 4294967296": (lambda c: c["process"]["user"].update(uid=2**32), "/process/user/uid"),
    "uid a string": (lambda c: c["process"]["user"].update(uid="0"), "/process/user/uid"),
    "uid with a fraction": (lambda c: c["process"]["user"].update(uid=0.5), "/process/user/uid"),
    "rlimit unknown": (lambda c: c["process"].update(
        rlimits=[{"type": "RLIMIT_NO", "soft": 1, "hard": 1}]), "/process/rlimits/0"),
    "rlimit twice": (lambda c: c["process"].update(
        rlimits=[{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}] * 2), "/process/rlimits/1"),
    "rlimit soft above hard": (lambda c: c["process"].update(
        rlimits=[{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}]), "rlimits"),
    "namespace unknown": (lambda c: c["linux"]["namespaces"].append({"type": "moon"}),
                          "/linux/namespaces"),
    "namespace twice": (lambda c: c["linux"]["namespaces"].append({"type": "pid"}),
                        "/linux/namespaces"),
    "mount without destination": (lambda c: c["mounts"].append({"type": "tmpfs"}), "/mounts/7"),
    "mounts an object": (lambda c: c.update(mounts={}), "/mounts"),
    "hostname with a null": (lambda c: c.update(hostname="a\0b"), "NUL"),
    "hostname too long": (lambda c: c.update(hostname="x" * 65), "hostname"),
}


@pytest.mark.parametrize("kind", FIELDS)
def test_a_wrong_field_is_refused_by_name(box, kind):
    change, name = FIELDS[kind]
    if box.kind != "coracle":
        name = ""
    refused(box, changed(box, change), says=name)


UNSUPPORTED = {
    "memory limit": (lambda c: c["linux"].update(resources={"memory": {"limit": 1 << 20}}),
                     "/linux/resources"),
    "pids limit": (lambda c: c["linux"].update(resources={"pids": {"limit": 10}}),
                   "/linux/resources"),
    "intelRdt": (lambda c: c["linux"].update(intelRdt={"closID": "x"}), "/linux/intelRdt"),
    "apparmor": (lambda c: c["process"].update(apparmorProfile="box"), "apparmor"),
    "selinux": (lambda c: c["process"].update(selinuxLabel="u:r:t:s0"), "selinux"),
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_what_is_not_supported_is_refused_by_name_and_never_dropped(box, kind):
    change, name = UNSUPPORTED[kind]
    if box.kind != "coracle":
        pytest.xfail("the peers support other things")
    refused(box, changed(box, change), says=name)


def test_empty_sections_of_what_is_not_supported_are_no_error(box):
    def edit(config, _):
        config["hooks"] = {}
        config["linux"]["resources"] = {}

    assert box.run(box.bundle("exit", "0", edit=edit)).rc == 0


def test_an_unknown_key_is_passed_over(box):
    def edit(config, _):
        config["org.example.new"] = {"deep": [1, None, True]}
        config["process"]["new"] = "x"

    assert box.run(box.bundle("exit", "0", edit=edit)).rc == 0


@pytest.mark.parametrize("version", ["1.0.0", "1.0.2-dev", "1.1.0+build", "1.3.0", "1.99.0"])
def test_every_version_1_is_taken(box, version):
    bundle = changed(box, lambda config: config.update(ociVersion=version))
    assert box.run(bundle).rc == 0


# ---- what the configuration points to


@pytest.mark.parametrize("version, newer", [("1.3.0", False), ("1.3.99", False), ("1.0.0-rc5", False),
                                            ("1.4.0", True), ("1.4.0-rc.1", True), ("1.10.0", True)])
def test_a_version_that_is_newer_is_a_degradation(box, version, newer):
    container = box.create("pause", edit=lambda config, _: config.update(ociVersion=version))
    said = [text for text in box.state(container.id).get("degradations", [])
            if text.startswith("/ociVersion: newer than 1.3")]
    assert bool(said) == newer


def test_a_missing_root_filesystem_is_refused(box):
    refused(box, changed(box, lambda config: config["root"].update(path="no-such")),
            says="no such file or directory")


def test_a_file_for_a_root_filesystem_is_refused(box):
    refused(box, changed(box, lambda config: config["root"].update(path="rootfs/etc/passwd")),
            says="not a directory")


@pytest.mark.modes("user")
@pytest.mark.parametrize("field", ["uid", "gid"])
def test_an_id_without_a_mapping_is_refused(box, field):
    bundle = changed(box, lambda config: config["process"]["user"].update({field: 1000}))
    refused(box, bundle, says="1000", untouched=False)


@pytest.mark.modes("user")
def test_a_mapping_of_an_id_that_is_not_the_users_is_refused(box):
    def change(config):
        config["linux"]["uidMappings"][0]["hostID"] = 0

    refused(box, changed(box, change), untouched=False)


@pytest.mark.modes("user")
def test_a_user_without_a_user_namespace_is_told_what_to_add(box):
    def change(config):
        bundles.drop_namespace(config, "user")
        del config["linux"]["uidMappings"], config["linux"]["gidMappings"]

    refused(box, changed(box, change), says="user namespace")


def run_refused(box, args, says, edit=None):
    def change(config, bundle):
        config["process"]["args"] = args
        if edit:
            edit(config, bundle)

    refused(box, box.bundle(edit=change), says=says, verb="run", untouched=False)


def test_a_program_that_is_not_in_the_path_is_named(box):
    run_refused(box, ["no-such-program"],
                ["no-such-program", "executable file not found in $PATH"])


def test_a_missing_program_with_a_slash_is_named(box):
    run_refused(box, ["/no/such/program"], ["/no/such/program", "no such file or directory"])


def test_a_program_that_may_not_be_executed_is_named(box):
    run_refused(box, ["/bin/data"], ["/bin/data", "permission denied"],
                lambda _, bundle: bundle.file("bin/data", "data", 0o644))


def test_a_directory_for_a_program_is_named(box):
    run_refused(box, ["/etc"], ["/etc", "permission denied"])


def test_a_program_of_an_unknown_format_is_named(box):
    run_refused(box, ["/bin/data"], ["/bin/data", "exec format error"],
                lambda _, bundle: bundle.file("bin/data", "data", 0o755))


def test_a_program_whose_interpreter_is_missing_is_named(box):
    run_refused(box, ["/bin/script"], ["/bin/script", "no such file or directory"],
                lambda _, bundle: bundle.file("bin/script", "#!/no/such\n", 0o755))


def test_a_working_directory_that_is_a_file_is_refused(box):
    run_refused(box, ["/bin/guest", "exit", "0"], "not a directory",
                lambda config, _: config["process"].update(cwd="/etc/passwd"))


def test_a_filesystem_type_that_does_not_exist_is_named(box):
    def edit(config, _):
        config["mounts"].append({"destination": "/x", "type": "nosuchfs", "source": "x"})

    run_refused(box, ["/bin/guest"], ["nosuchfs", "no such device"], edit)


def test_a_mount_option_that_the_filesystem_does_not_know_is_refused(box):
    def edit(config, _):
        config["mounts"].append({"destination": "/x", "type": "tmpfs", "source": "x",
                                 "options": ["nosuchoption=1"]})

    run_refused(box, ["/bin/guest"], "/x", edit)


def test_a_failure_after_mounts_leaves_no_mount_or_process(box):
    def edit(config, _):
        config["mounts"].append({"destination": "/x", "type": "bind", "source": "/no/such",
                                 "options": ["bind"]})

    run_refused(box, ["/bin/guest"], "/no/such", edit)
