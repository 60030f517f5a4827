"""A sample of the kill points of each verb; kill_points.py tries all of them."""

import contextlib
import os
import threading

import pytest

import cgroups
import kill_points
import machines
from manager import Manager

# Under systemd each container is a scope: natively it has a directory at most. How often a process
# polls the bus differs from time to time, and with it the number of its calls.
MISSED = 4 if machines.NATIVE else 2
pytestmark = pytest.mark.machine("native", "systemd")

SAMPLE = int(os.environ.get("CORACLE_KILL_SAMPLE", "12"))
SEED = int(os.environ.get("CORACLE_SEED", "1"))


@pytest.mark.parametrize("verb", kill_points.VERBS)
def test_a_verb_killed_at_any_system_call_leaves_nothing_after_delete(box, verb):
    bad, count, missed = kill_points.study_verb(box, verb, SAMPLE, SEED)
    assert count > 0 and missed <= count // MISSED
    assert bad == [], "\n".join(f"{point}: {harm}" for point, harm in bad)
    assert machines.NATIVE or cgroups.units(box) == []


@pytest.mark.parametrize("verb", ("create", "start", "run", "delete"))
def test_a_verb_killed_around_its_hooks_leaves_nothing_after_delete(box, verb):
    bad, count, missed = kill_points.study_verb(box, verb, SAMPLE, SEED,
                                                edit=kill_points.with_hooks)
    assert count > 0 and missed <= count // MISSED
    assert bad == [], "\n".join(f"{point}: {harm}" for point, harm in bad)
    assert machines.NATIVE or cgroups.units(box) == []


@contextlib.contextmanager
def service_manager(box):
    """One that answers meanwhile."""
    manager, ended = Manager(box), threading.Event()

    def serve():
        while not ended.is_set():
            manager.poll()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield manager
    finally:
        ended.set()
        thread.join()
        manager.close()


def with_notifications(config, _):
    config["process"]["args"] = ["/bin/guest", "notify", "READY=1", "barrier"]


@pytest.mark.parametrize("verb", ("create", "start", "run"))
def test_a_verb_killed_while_it_speaks_to_a_service_manager_leaves_nothing_after_delete(box, verb):
    with service_manager(box) as manager:
        bad, count, missed = kill_points.study_verb(box, verb, SAMPLE, SEED,
                                                    edit=with_notifications)
    assert count > 0 and missed <= count // MISSED
    assert bad == [], "\n".join(f"{point}: {harm}" for point, harm in bad)
    assert set(manager.lines()) <= {"READY=1", "BARRIER=1", *(
        line for line in manager.lines() if line.startswith("MAINPID="))}
    assert "READY=1" in manager.lines() or verb == "create"
    assert machines.NATIVE or cgroups.units(box) == []
