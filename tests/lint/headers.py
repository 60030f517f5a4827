#!/usr/bin/env python3
"""Compiles each header alone: a header brings what it needs."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from source import cxx_files, relative

FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE",
         "-D_FILE_OFFSET_BITS=64", "-DFMT_HEADER_ONLY", "-x", "c++"]


def compiles(root, header):
    compiler = os.environ.get("CXX") or shutil.which("g++") or "c++"
    command = [*compiler.split(), *FLAGS, "-I", str(root / "include"), "-I", str(root / "src"), "-"]
    result = subprocess.run(command, input=f'#include "{header}"\n', text=True,
                            capture_output=True, check=False)
    if result.returncode == 0:
        return None
    lines = [line for line in result.stderr.splitlines() if "error" in line]
    return f"{relative(root, header)}: does not compile alone: {(lines or [result.stderr])[0]}"


def check(root):
    root = Path(root).resolve()
    headers = [file for file in cxx_files(root, "include", "src") if file.suffix == ".h"]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return [fault for fault in pool.map(lambda h: compiles(root, h), headers) if fault]


if __name__ == "__main__":
    faults = check(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2])
    print("\n".join(faults))
    sys.exit(bool(faults))
