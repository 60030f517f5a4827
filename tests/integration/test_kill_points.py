"""A sample of the kill points of each verb; kill_points.py tries all of them."""

import os

import pytest

import kill_points

SAMPLE = int(os.environ.get("CORACLE_KILL_SAMPLE", "12"))
SEED = int(os.environ.get("CORACLE_SEED", "1"))


@pytest.mark.parametrize("verb", kill_points.VERBS)
def test_a_verb_killed_at_any_system_call_leaves_nothing_after_delete(box, verb):
    bad, count, missed = kill_points.study_verb(box, verb, SAMPLE, SEED)
    assert count > 0 and missed <= count // 4
    assert bad == [], "\n".join(f"{point}: {harm}" for point, harm in bad)


@pytest.mark.parametrize("verb", ("create", "start", "run", "delete"))
def test_a_verb_killed_around_its_hooks_leaves_nothing_after_delete(box, verb):
    bad, count, missed = kill_points.study_verb(box, verb, SAMPLE, SEED,
                                                edit=kill_points.with_hooks)
    assert count > 0 and missed <= count // 4
    assert bad == [], "\n".join(f"{point}: {harm}" for point, harm in bad)
