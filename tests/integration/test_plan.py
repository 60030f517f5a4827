"""`plan`: each step of `run` and how it would go here."""

import json
import os

import pytest

import bundles
from surroundings import CLONE_NEWNS, around, no_unshare, user_namespace
from test_restrictions import with_user_namespace

pytestmark = pytest.mark.machine("native", "systemd")


def plan(box, bundle, *args, rc=0, before=()):
    result = box.call("plan", "--json", "--bundle", bundle.path, *args, options=before)
    assert result.rc == rc and result.err == "", result
    assert box.leavings() == []
    return json.loads(result.out)


def bad(report):
    """{step: why} of what is not ok, with the outlook before the step."""
    return {f"{step['outlook']}: {step['part']}: {step['step']}": step["why"]
            for step in report["steps"] if step["outlook"] != "ok"}


def only(report, outlook, part):
    [(step, why)] = [(step, why) for step, why in bad(report).items()
                     if step.startswith(f"{outlook}: {part}: ")]
    return step, why


def test_a_plan_that_works_is_that_of_the_dry_run(box):
    bundle = box.bundle()
    report = plan(box, bundle)
    dry = box.must("run", "--dry-run", "--bundle", bundle.path, "plan").out
    assert report["outlook"] == "ok" and bad(report) == {}, report
    assert report["bundle"] == bundle.path
    for step in report["steps"]:
        assert step["step"] in dry, step
    assert {"namespaces", "mounts", "devices", "process", "capabilities"} <= {
        step["part"] for step in report["steps"]}
    text = box.must("plan", "--bundle", bundle.path).out
    assert text.endswith("plan: ok\n") and "\n  ok        args: " in text


def test_what_the_plan_foresees_does_happen(box):
    """Each on its own is said to fail, and does."""
    def missing_source(config, _):
        config["mounts"].append({"destination": "/x", "type": "bind", "source": "/no/such",
                                 "options": ["bind"]})

    def missing_program(config, _):
        config["process"]["args"] = ["/bin/nope"]

    def no_x(config, bundle):
        bundle.file("bin/plain", "#!/bin/guest\n")
        config["process"]["args"] = ["plain"]
        config["process"]["env"] = ["PATH=/bin"]

    def bad_option(config, _):
        bundles.mount_at(config, "/dev/shm")["options"].append("size=many")

    def missing_hook(config, _):
        config["hooks"] = {"createRuntime": [{"path": "/no/such/hook"}]}

    def missing_namespace(config, _):
        next(n for n in config["linux"]["namespaces"] if n["type"] == "uts")["path"] = "/no/such"

    for edit, part, words in [(missing_source, "mounts", "/no/such: no such file or directory"),
                              (missing_program, "process", "no such file or directory"),
                              (no_x, "process", "permission denied"),
                              (bad_option, "mounts", "invalid"),
                              (missing_hook, "hooks", "no such file or directory"),
                              (missing_namespace, "namespaces", "no such file or directory")]:
        bundle = box.bundle(edit=edit)
        step, why = only(plan(box, bundle, rc=1), "will fail", part)
        assert words in why.lower(), (step, why)
        assert box.run(bundle).rc != 0, step


def test_what_cannot_be_planned_is_the_step_that_fails(box):
    bundle = box.bundle(edit=lambda config, _: config["linux"]["namespaces"].append(
        {"type": "flat"}))
    report = plan(box, bundle, rc=1)
    assert [step["part"] for step in report["steps"]] == ["configuration"]
    assert "flat" in only(report, "will fail", "configuration")[1]
    assert "\n            " in box.call("plan", "--bundle", bundle.path).out


def test_an_id_that_exists_already_fails(box):
    container = box.create("pause")
    report = json.loads(box.call("plan", "--json", "--bundle", container.bundle.path,
                                 container.id).out)
    assert "already exists" in only(report, "will fail", "container")[1]
    assert report["id"] == container.id


def test_a_degradation_is_with_its_step_and_fails_only_with_strict(box):
    def edit(config, _):
        config["process"]["capabilities"]["bounding"].append("CAP_FROM_THE_FUTURE")

    bundle = box.bundle(edit=edit)
    step, why = only(plan(box, bundle), "degraded", "capabilities")
    assert "bounding:" in step and "CAP_FROM_THE_FUTURE" in why
    assert plan(box, bundle, rc=1, before=["--strict"])["outlook"] == "degraded"


@pytest.mark.modes("user", "userns-root")
def test_a_sysfs_that_has_to_be_bound_is_degraded(box):
    def edit(config, _):
        bundles.drop_namespace(config, "network")

    report = plan(box, box.bundle(edit=edit))
    step, why = only(report, "degraded", "mounts")
    assert '"/sys"' in step and "the host's /sys is bound instead" in why


@pytest.mark.modes("user", "root")
def test_a_limit_of_namespaces_is_the_step_that_fails(box):
    bundle = box.bundle(edit=with_user_namespace)
    with around(box, *user_namespace("echo 0 >/proc/sys/user/max_ipc_namespaces")):
        step, why = only(plan(box, bundle, rc=1), "will fail", "namespaces")
    assert "user.max_ipc_namespaces is 0" in why, step


@pytest.mark.modes("user", "root")
def test_a_filter_of_an_outer_container_is_the_step_that_fails(box):
    bundle = box.bundle()
    with around(box, *no_unshare(CLONE_NEWNS)):
        step, why = only(plan(box, bundle, rc=1), "will fail", "namespaces")
    assert "mount:" in step and "a seccomp filter is on this process" in why


@pytest.mark.modes("user")
def test_a_helper_that_refuses_is_the_step_that_fails(box):
    """With ranges of another's: newuidmap is one that always refuses."""
    if os.geteuid() != 0:
        pytest.skip("machine: needs another user's directory")
    directory = box.directory("helpers")
    for name in ("newuidmap", "newgidmap"):
        with open(f"{directory}/{name}", "w", encoding="ascii") as file:
            file.write("#!/bin/sh\necho refused by the test >&2; exit 1\n")
        os.chmod(f"{directory}/{name}", 0o755)

    def edit(config, _):
        for key in ("uidMappings", "gidMappings"):
            config["linux"][key].append({"containerID": 1, "hostID": 700000, "size": 10})

    bundle = box.bundle(edit=edit)
    box.runtime.env["PATH"] = f"{directory}:{box.runtime.env['PATH']}"
    step, why = only(plan(box, bundle, rc=1), "will fail", "id map")
    assert "refused by the test" in why, step


def test_hostile_text_is_shown_on_its_own_line_only(box):
    def edit(config, _):
        config["process"]["args"] = ["/bin/x\nplan: ok\x1b[2J"]
        config["mounts"].append({"destination": "/y", "type": "bind", "source": "/no\n\x1b[31m",
                                 "options": ["bind"]})

    bundle = box.bundle(edit=edit)
    out = box.call("plan", "--bundle", bundle.path).out
    assert "\x1b" not in out and out.count("\nplan: ") == 1 and out.endswith("plan: will fail\n")
