"""What the lint scripts share: the list of source files, and C++ text without comments."""

import re
from pathlib import Path

CXX_SUFFIXES = {".h", ".cpp", ".c"}


def cxx_files(root, *folders):
    """The C and C++ files below `folders` of `root`, sorted."""
    found = []
    for folder in folders:
        base = Path(root) / folder
        if base.is_dir():
            found += [p for p in base.rglob("*") if p.suffix in CXX_SUFFIXES and p.is_file()]
    return sorted(found)


def relative(root, path):
    return path.relative_to(root).as_posix()


_TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"([^\s()\\]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![\w])'(?:\\.|[^'\\\n])*'""",
    re.DOTALL,
)


def without_comments(text, keep_strings=False):
    """`text` with comments blanked, and the inside of literals too; line numbers stay."""

    def blank(match):
        token = match.group(0)
        if token.startswith(("//", "/*")):
            return re.sub(r"[^\n]", " ", token)
        if keep_strings:
            return token
        return token[0] + re.sub(r"[^\n]", " ", token[1:-1]) + token[-1]

    return _TOKEN.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1
