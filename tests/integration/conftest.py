"""Fixtures of the integration tests.

Environment: CORACLE_RUNTIME (the runtime; default BUILD/src/coracle), CORACLE_BUILD (default
build), CORACLE_GUEST, CORACLE_TEST_UID, CORACLE_TEST_TIMEOUT, CORACLE_WRAPPER (words of a command
that runs the runtime, and it alone, such as "build/tests/guest/coracle-refuse linux-5.10 --"),
CORACLE_MACHINE (the test machine this is; set by tests/machines/run),
CORACLE_TEST_TMP (where the tests make their directories; default /tmp),
CORACLE_MUST_RUN=1 (a skip is a failure unless its reason starts with "machine:"), CORACLE_RACES
(starts in each race; default 25), CORACLE_ALL=1 (each hostile root file system in each mode),
CORACLE_SHARE (N/SEED: of the cases of each test one in N, at least one, by the seed).
"""

import fnmatch
import os
import shutil
import tempfile
import zlib

import pytest

import harness
import machines
import modes
import peers
import residue


def pytest_configure(config):
    config.addinivalue_line("markers", "modes(*names): only these modes")
    config.addinivalue_line("markers", "fallback: where system calls are refused")
    config.addinivalue_line("markers", "machine(*names): where it runs: systemd, uml, vm, native; "
                            "without this marker native only")
    config.addinivalue_line("markers", "place(name): on a machine, the cgroup that a user's runtime "
                            "is started in: session (default), manager, service")
    harness.become_subreaper()
    if not os.access(harness.RUNTIME, os.X_OK):
        raise pytest.UsageError(f"no runtime at {harness.RUNTIME}: build it or set CORACLE_RUNTIME")
    if not os.access(harness.GUEST, os.X_OK):
        raise pytest.UsageError(f"no guest at {harness.GUEST}: build it or set CORACLE_GUEST")


def pytest_generate_tests(metafunc):
    if "box" in metafunc.fixturenames and not hasattr(metafunc.module, "pytest_generate_tests"):
        marker = metafunc.definition.get_closest_marker("modes")
        metafunc.parametrize("mode", marker.args if marker else modes.ALL)


def share_of(items):
    """The names of those that CORACLE_SHARE chooses."""
    one_in, seed = os.environ["CORACLE_SHARE"].split("/")
    tests = {}
    for item in items:
        tests.setdefault(item.nodeid.split("[")[0], []).append(item.nodeid)
    chosen = set()
    for cases in tests.values():
        cases.sort(key=lambda name: zlib.crc32(f"{seed} {name}".encode()))
        chosen.update(cases[:-(-len(cases) // int(one_in))])
    return chosen


def keep_only(config, items, is_wanted):
    dropped = [item for item in items if not is_wanted(item)]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if is_wanted(item)]


@pytest.hookimpl(trylast=True)  # after -k and -m: the share is of what they leave
def pytest_collection_modifyitems(config, items):
    keep_only(config, items, machines.is_for_here)
    if "CORACLE_SHARE" in os.environ:
        chosen = share_of(items)
        keep_only(config, items, lambda item: item.nodeid in chosen)
    kind = os.path.basename(harness.RUNTIME)
    known = peers.DIFFERENCES.get(kind, {})
    for item in items:
        if kind in harness.KINDS and item.path.name in peers.NOT_ASKED:
            reason = peers.NOT_ASKED[item.path.name]
            item.add_marker(pytest.mark.xfail(reason=reason, run=False))
        if kind in harness.KINDS and "[userns-root" in item.name:
            item.add_marker(pytest.mark.xfail(reason="the peers are asked as root and as a user",
                                              run=False))
        for pattern, reason in known.items():
            if fnmatch.fnmatchcase(item.name, pattern):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=False))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CORACLE_MUST_RUN") == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.replace("Skipped: ", "").startswith("machine:"):
            report.outcome = "failed"
            report.longrepr = f"CORACLE_MUST_RUN is set and the test was skipped: {reason}"


@pytest.fixture(scope="session")
def session_dir():
    path = tempfile.mkdtemp(prefix="coracle-it-", dir=os.environ.get("CORACLE_TEST_TMP", "/tmp"))
    os.chmod(path, 0o755)
    yield path
    modes.end_holder()
    machines.end_places()
    harness.remover.begin()
    harness.remover.wait()
    # Once more and of all that ran here, also who is older than the test that he belongs to.
    left = residue.wait_for_none(
        lambda: residue.find_processes(f"cit{os.getpid()}x", path, 0), 20)
    shutil.rmtree(path, ignore_errors=True)
    assert not left, "left behind:\n" + "\n".join(text for _, text in left)


@pytest.fixture(scope="session")
def runtime_path(session_dir):
    return harness.reachable(harness.RUNTIME, session_dir)


@pytest.fixture
def make_box(session_dir, runtime_path):
    """Makes boxes; each must be left clean."""
    made = []
    def make(mode, runtime=None, **kw):
        if mode != "user" and os.geteuid() != 0:
            pytest.skip("not started as root")
        made.append(harness.Box(mode, session_dir, runtime or runtime_path, **kw))
        return made[-1]

    yield make
    left = [text for box in made for text in box.close()]
    assert not left, "left behind:\n" + "\n".join(left)


@pytest.fixture
def box(make_box, mode, request):
    marker = request.node.get_closest_marker("place")
    return make_box(mode, place=marker.args[0] if marker and mode != "root" else None)
