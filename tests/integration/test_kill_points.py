"""A sample of the kill points of each verb; kill_points.py tries all of them."""

import os

import pytest

import cgroups
import kill_points
import machines

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
