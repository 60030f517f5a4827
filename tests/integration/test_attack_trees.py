"""Each path that the runtime touches in a root file system, and each thing that may be there."""

import os

import pytest

import attack_trees
import modes


@pytest.mark.parametrize("path", attack_trees.PATHS)
def test_nothing_in_the_way_of_a_path_harms_the_host_or_hangs(box, path):
    """Each mode takes its third of the things, with CORACLE_ALL=1 all of them."""
    kinds = list(attack_trees.KINDS)
    if os.environ.get("CORACLE_ALL") != "1" and box.kind == "coracle":
        kinds = kinds[modes.ALL.index(box.mode)::3]
    harm = [text for kind in kinds for text in attack_trees.hostile_path(box, path, kind)]
    assert harm == [], "\n".join(harm)
