"""A sample of the fault points of each verb, another one each time; fault_points.py tries all."""

import argparse
import os
import random

import pytest

import fault_points

SAMPLE = int(os.environ.get("CORACLE_FAULT_SAMPLE", "5"))
SEED = int(os.environ.get("CORACLE_SEED", str(random.randrange(10**6))))


@pytest.mark.modes("user", "root")
@pytest.mark.parametrize("verb", fault_points.VERBS)
def test_a_verb_notices_each_system_call_that_fails(box, verb):
    if "ranges" in verb and os.geteuid() != 0:
        pytest.skip("not started as root")
    options = argparse.Namespace(errno=None, call=None, repeat=False, sample=SAMPLE, seed=SEED)
    _, bad, count = fault_points.study_verb(box, verb, options)
    assert count == SAMPLE
    assert bad == [], f"seed {SEED}:\n" + "\n".join(f"{fault}: {harm}" for fault, harm in bad)
