#!/usr/bin/env python3
"""clang-tidy on the sources of a build: tidy.py BUILD_DIR [FILE...]; without files, all of src/, or
with CORACLE_SHARE=N/SEED what the last commits have changed there, and of the rest one in N."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIDY = "clang-tidy-14"
UNITY = re.compile(r"-unity\d+\.cpp$")
GCC_ONLY = re.compile(r" -(?:ftrivial-auto-var-init=zero|Wno-restrict|fsanitize=\S+)")
BAD_EXAMPLE = '#include <fcntl.h>\nint BadName() { return open("/", O_RDONLY); }\n'
LATELY = 12  # commits
BAD_CHECKS = ("android-cloexec-open", "readability-identifier-naming")


def expand(entry):
    """An entry of several files that are compiled as one: one for each of them."""
    if not UNITY.search(entry["file"]):
        return [entry]
    text = (Path(entry["directory"]) / entry["file"]).read_text(encoding="utf-8")
    files = [os.path.normpath(file) for file in re.findall(r'#include ?[<"](.*)[>"]', text)]
    return [{**entry, "file": file, "command": entry["command"].replace(entry["file"], file)}
            for file in files]


def write_database(build, folder):
    """The compilation database of `build` without the flags that are g++'s alone."""
    database = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    database = [one for entry in database for one in expand(entry)]
    for entry in database:
        entry["command"] = GCC_ONLY.sub("", entry["command"])
    text = json.dumps(database)
    (Path(folder) / "compile_commands.json").write_text(text, encoding="utf-8")
    return database


def sources(database):
    """The C++ files of src/ in the compilation database."""
    files = {Path(os.path.normpath(Path(entry["directory"]) / entry["file"])) for entry in database}
    return sorted(file for file in files if file.suffix == ".cpp" and ROOT / "src" in file.parents)


def changed_lately():
    """Paths from the root; of a copy without a history none."""
    done = subprocess.run(["git", "-c", "safe.directory=*", "-C", str(ROOT), "log", f"-{LATELY}",
                           "--name-only", "--format=", "--", "src", "include"], text=True, check=False,
                          capture_output=True)
    return set(done.stdout.split())


def includes(file):
    return re.findall(r'^#include "([^"]+)"', file.read_text(encoding="utf-8"), re.MULTILINE)


def share_of(files):
    if "CORACLE_SHARE" not in os.environ:
        return files
    one_in, seed = os.environ["CORACLE_SHARE"].split("/")
    fresh = changed_lately()
    names = {file: str(file.relative_to(ROOT)) for file in files}
    chosen = {file for file in files if names[file] in fresh
              or zlib.crc32(f"{seed} {names[file]}".encode()) % int(one_in) == 0}
    included = {file: includes(file) for file in files}
    for header in (path for path in sorted(fresh) if path.endswith(".h")):
        users = [file for file in files if any(header.endswith(f"/{name}") for name in included[file])]
        if users and not chosen.intersection(users):
            chosen.add(users[0])
    return sorted(chosen)


def check_file(database, file):
    result = subprocess.run([TIDY, "--quiet", f"-p={database}", str(file)], text=True,
                            capture_output=True, check=False)
    if result.returncode == 0:
        return []
    lines = [line for line in result.stdout.splitlines() if re.search(r": (?:error|warning): ", line)]
    return lines or [f"{file}: {TIDY} failed: {(result.stdout + result.stderr).strip()[-400:]}"]


def check_bad_example(folder):
    """What the bad example does not get, which it must: .clang-tidy is read and the checks are on."""
    file = Path(folder) / "bad.cpp"
    file.write_text(BAD_EXAMPLE, encoding="utf-8")
    shutil.copy(ROOT / ".clang-tidy", folder)
    result = subprocess.run([TIDY, "--quiet", str(file), "--", "-std=c++20"], text=True,
                            capture_output=True, check=False)
    return [f".clang-tidy: {name} does not see its bad example" for name in BAD_CHECKS
            if name not in result.stdout or result.returncode == 0]


def main():
    build = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()
    if not shutil.which(TIDY):
        print(f"{TIDY} is not installed")
        return 1
    with tempfile.TemporaryDirectory(prefix="coracle-tidy-") as folder:
        database = write_database(build, folder)
        files = [Path(name).resolve() for name in sys.argv[2:]] or share_of(sources(database))
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            found = list(pool.map(lambda file: check_file(folder, file), files))
        found.append(check_bad_example(folder))
    faults = sorted({re.sub(r"^[^:]*/\.\./", "", line).replace(f"{ROOT}/", "")
                     for lines in found for line in lines})
    if not files:
        faults.append("no source file in the compilation database")
    print("\n".join(faults))
    print(f"{TIDY}: {len(files)} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
