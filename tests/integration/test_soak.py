"""The short form of soak.py: many containers at once, on one id, one after the other."""

import os
import random

import pytest

import soak

pytestmark = pytest.mark.modes("user", "root")

SEED = int(os.environ.get("CORACLE_SEED", str(random.randrange(10**6))))


def test_fifty_processes_on_one_id(box):
    storm = soak.Storm(box, 3, SEED)
    wrong = storm.run()
    assert not wrong, f"seed {SEED}: " + "\n".join(wrong)
    assert storm.counts["create", "won"] > 0


def test_thirty_containers_at_once(box):
    wrong, _ = soak.load(box, 30)
    assert not wrong, "\n".join(wrong)


def test_a_hundred_cycles_leave_nothing(box):
    wrong, _, before, after = soak.cycles(box, 100)
    assert not wrong, "\n".join(wrong)
    assert not soak.grown(before, after)
