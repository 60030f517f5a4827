"""exceptions.txt: "RULE PATH REASON" lines, and which of them were needed."""


class Exceptions:
    def __init__(self, root):
        self.entries, self.problems, self.used = {}, [], set()
        file = root / "tests/lint/exceptions.txt"
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            parts = line.split(None, 2)
            if len(parts) < 3:
                self.problems.append(f"tests/lint/exceptions.txt:{number}: "
                                     "RULE PATH REASON expected")
                continue
            self.entries[(parts[0], parts[1])] = number

    def allows(self, rule, path):
        if (rule, path) in self.entries:
            self.used.add((rule, path))
            return True
        return False

    def unused(self, rules):
        """The lines for `rules` that nothing needs any more: the list only shrinks."""
        return [f"tests/lint/exceptions.txt:{number}: no longer needed: {rule} {path}"
                for (rule, path), number in self.entries.items()
                if rule in rules and (rule, path) not in self.used]

    def unknown(self, rules):
        return [f"tests/lint/exceptions.txt:{number}: no rule is called '{rule}'"
                for (rule, _), number in self.entries.items() if rule not in rules]
