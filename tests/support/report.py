"""Counts of test results, read from JUnit reports as Catch2 and pytest write them."""

import xml.etree.ElementTree as xml
from dataclasses import dataclass, field


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list = field(default_factory=list)  # (name, text)
    skips: list = field(default_factory=list)     # names with reasons

    def add_failure(self, name, text):
        self.failed += 1
        self.failures.append((name, text))

    def add_skip(self, reason):
        self.skipped += 1
        self.skips.append(reason)

    def __iadd__(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures
        self.skips += other.skips
        return self

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def text_of(element):
    return "\n".join(part for part in (element.get("message"), element.text) if part)


def read_junit(path, prefix, exit_code, output):
    """What a test program's report says; `exit_code` and the report must agree.

    No report, a broken one, an empty one, or a program that failed although no case did: each is
    one failure more.
    """
    counts = Counts()
    tail = f"exit code {exit_code}\n{output[-3000:]}"
    try:
        cases = list(xml.parse(path).getroot().iter("testcase"))
    except (OSError, xml.ParseError) as error:
        counts.add_failure(prefix, f"no usable report ({error}); {tail}")
        return counts
    for case in cases:
        name = f"{prefix}: {case.get('classname', '')} {case.get('name', '')}"
        faults = case.findall("failure") + case.findall("error")
        skip = case.find("skipped")
        if faults:
            counts.add_failure(name, "\n".join(text_of(fault) for fault in faults))
        elif skip is not None:
            counts.add_skip(f"{name}: {skip.get('message') or 'no reason'}")
        else:
            counts.passed += 1
    if not cases:
        counts.add_failure(prefix, f"the report names no test; {tail}")
    elif exit_code != 0 and not counts.failed:
        counts.add_failure(prefix, f"every case passed, but the program failed; {tail}")
    return counts
