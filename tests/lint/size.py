#!/usr/bin/env python3
"""Sizes that fit a head: files, functions and parameter lists."""

import re
import sys
from pathlib import Path

from exceptions import Exceptions
from source import cxx_files, line_of, relative, without_comments

FILE_LINES = 400
FUNCTION_LINES = 60
PARAMETERS = 5

SCOPE = re.compile(r"\b(?:namespace|class|struct|union|enum|extern)\b")
INITIALISER = re.compile(r"\)\s*(?:noexcept\s*)?:[^;]*[\w>]\s*$", re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.MULTILINE)
# Catch2 makes functions out of these; a test case may be a long table.
TEST_MACRO = re.compile(r"^\s*(?:TEST_CASE|SCENARIO|TEMPLATE_TEST_CASE)\b")


def parameters(head):
    """The parameter list of a function head: what stands in its first outer parentheses."""
    start = head.find("(")
    depth, angle, count, seen = 0, 0, 1, False
    for char in head[start:]:
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
            if depth == 0:
                break
        elif char == "<":
            angle += 1
        elif char == ">":
            angle -= 1
        elif char == "," and depth == 1 and angle == 0:
            count += 1
        elif not char.isspace():
            seen = True
    return count if seen else 0


def is_function(head):
    """Whether what stands before a brace is a function's head, not a type or a table of values."""
    if "(" not in head or re.match(r"\s*(?:enum|namespace)\b", head):
        return False
    before = head.split("(")[0]
    if "=" in before and "operator" not in before:
        return False
    return "alignas" not in before


def functions(code):
    """(head, first line, last line) of each function body at namespace or class scope."""
    code = DIRECTIVE.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), code)
    found, stack, chunk_start, i = [], [], 0, 0
    while i < len(code):
        char = code[i]
        if char == "{":
            head = code[chunk_start:i]
            inside = any(kind == "body" for kind, _, _ in stack)
            if inside or INITIALISER.search(head):
                stack.append(("body" if inside else "value", None, None))
            elif is_function(head):
                first = chunk_start + len(head) - len(head.lstrip())
                stack.append(("body", head.strip(), first))
            else:
                stack.append(("scope" if SCOPE.search(head) else "value", None, None))
            if stack[-1][0] != "value":
                chunk_start = i + 1
        elif char == "}" and stack:
            kind, head, first = stack.pop()
            if head is not None:
                found.append((head, line_of(code, first), line_of(code, i)))
            if kind != "value":
                chunk_start = i + 1
        elif char == ";" and not any(kind == "value" for kind, _, _ in stack):
            chunk_start = i + 1
        i += 1
    return found


def check(root):
    root = Path(root).resolve()
    exceptions = Exceptions(root)
    problems = []
    for file in cxx_files(root, "include", "src", "tests"):
        path = relative(root, file)
        text = file.read_text(encoding="utf-8")
        lines = text.count("\n")
        if lines > FILE_LINES and not exceptions.allows("file-size", path):
            problems.append(f"{path}: {lines} lines, more than {FILE_LINES}: split it by subject")
        for head, first, last in functions(without_comments(text)):
            name = re.sub(r"\s+", " ", head)[:70]
            if TEST_MACRO.match(head):
                continue
            if last - first + 1 > FUNCTION_LINES and not exceptions.allows("function-size", path):
                problems.append(f"{path}:{first}: {last - first + 1} lines, more than "
                                f"{FUNCTION_LINES}: {name}")
            count = parameters(head)
            if count > PARAMETERS and not exceptions.allows("parameters", path):
                problems.append(f"{path}:{first}: {count} parameters, more than {PARAMETERS}: pass "
                                f"a struct: {name}")
    return problems + exceptions.unused({"file-size", "function-size", "parameters"})


if __name__ == "__main__":
    faults = check(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2])
    print("\n".join(faults))
    sys.exit(bool(faults))
