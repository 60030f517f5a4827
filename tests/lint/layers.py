#!/usr/bin/env python3
"""Checks every #include against the tables of layers and libraries in src/ARCHITECTURE.md."""

import re
import sys
from pathlib import Path

from source import cxx_files, line_of, relative, without_comments

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
# Folders of the C library and the kernel's headers; any other folder in <> is a library.
SYSTEM_FOLDERS = {"sys", "linux", "asm", "net", "netinet", "arpa", "bits"}


def table(document, name):
    """The rows of the Markdown table between the markers of `name`, without its head."""
    match = re.search(rf"<!-- {name}: begin -->(.*?)<!-- {name}: end -->", document, re.DOTALL)
    if not match:
        raise SystemExit(f"src/ARCHITECTURE.md: no table between the markers of '{name}'")
    rows = [line for line in match.group(1).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def names(cell):
    return [part.strip() for part in cell.split(",") if part.strip()]


def load(root):
    document = (root / "src/ARCHITECTURE.md").read_text(encoding="utf-8")
    allowed = {row[0]: names(row[1]) for row in table(document, "layers")}
    libraries = [(row[0], row[1], names(row[2])) for row in table(document, "libraries")]
    return allowed, libraries


def layer_of(path):
    """The layer of a file of include/ or src/, by its relative path."""
    parts = path.split("/")
    if parts[:2] == ["include", "coracle"] and len(parts) > 3:
        return parts[2]
    if parts[0] == "src":
        return parts[1] if len(parts) > 2 else "main"
    return None


def check_own(layer, allowed, target):
    """What is wrong with an include of coracle/`target`, or nothing."""
    other = target.split("/")[0]
    if other == layer or other in allowed[layer] or target in allowed[layer]:
        return None
    may = ", ".join(allowed[layer]) or "nothing"
    return f"layer '{layer}' may include {may}, not coracle/{target}"


def check_private(root, path, layer, target):
    """A quoted include that is not coracle/...: only a header of the same layer."""
    sibling = root / Path(path).parent / target
    if sibling.is_file() and layer_of(relative(root, sibling.resolve())) == layer:
        return None
    if (root / "src" / target).is_file() and target.split("/")[0] == layer:
        return None
    if not sibling.is_file() and not (root / "src" / target).is_file():
        if "/" not in target and not target.endswith("_private.h"):
            return None  # made by the build: it is not in the tree
    return f'"{target}" is not a private header of layer \'{layer}\''


def check_library(path, layer, libraries, target):
    for name, prefix, layers in libraries:
        if target == prefix or (prefix.endswith("/") and target.startswith(prefix)):
            if path.startswith("include/"):
                return f"<{target}>: no type of {name} may cross a layer header"
            if layer not in layers:
                return f"<{target}>: {name} belongs in {', '.join(layers)}, not in '{layer}'"
            return None
    folder = target.split("/")[0]
    if "/" in target and folder not in SYSTEM_FOLDERS:
        return f"<{target}>: a library that src/ARCHITECTURE.md does not list"
    return None


def check(root):
    root = Path(root).resolve()
    allowed, libraries = load(root)
    problems = []
    for file in cxx_files(root, "include", "src"):
        path = relative(root, file)
        layer = layer_of(path)
        if layer not in allowed:
            problems.append(f"{path}: '{layer}' is no layer of src/ARCHITECTURE.md")
            continue
        text = without_comments(file.read_text(encoding="utf-8"), keep_strings=True)
        for match in INCLUDE.finditer(text):
            target = match.group(2)
            if target.startswith("coracle/"):
                fault = check_own(layer, allowed, target[len("coracle/"):])
            elif match.group(1) == '"':
                fault = check_private(root, path, layer, target)
            else:
                fault = check_library(path, layer, libraries, target)
            if fault:
                problems.append(f"{path}:{line_of(text, match.start())}: {fault}")
    return problems


if __name__ == "__main__":
    found = check(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2])
    print("\n".join(found))
    sys.exit(bool(found))
