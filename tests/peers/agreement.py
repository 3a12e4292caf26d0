"""What the scripts beside it share: how values are compared, how kept values are read, and how a script ends.

A script is one peer. Its last line on stdout is a JSON object with `agrees` and `said`; it ends with 0 where the values
agree and with 1 where they differ. Without that line it did not run, whatever its exit status.
"""

import json
import math
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Agreement:
    """Counts values, and remembers those that differ and the largest difference."""

    def __init__(self):
        self.count, self.largest, self.place, self.differing = 0, 0.0, "", []
        self.notes = []

    def near(self, name, found, kept, tolerance):
        """Two numbers; their difference counts in units of max(1, |kept|)."""
        self.count += 1
        if math.isnan(kept) or math.isnan(found):
            gap = 0.0 if math.isnan(kept) and math.isnan(found) else math.inf
        else:
            gap = 0.0 if found == kept else abs(found - kept) / max(1.0, abs(kept))
        if gap > self.largest:
            self.largest, self.place = gap, name
        if not gap <= tolerance:
            self.differing.append((gap, f"{name}: {found!r} instead of {kept!r}"))

    def same(self, name, found, kept):
        """Anything that is equal or not."""
        self.count += 1
        if found != kept:
            self.differing.append((math.inf, f"{name}: {found!r} instead of {kept!r}"))

    def document(self, name, found, kept, tolerance):
        """JSON documents, value by value. `tolerance` is a number, or a function of the place that gives one."""
        if isinstance(kept, dict) and isinstance(found, dict):
            self.same(f"{name}, names", sorted(found), sorted(kept))
            for key in sorted(found.keys() & kept.keys()):
                self.document(f"{name}.{key}", found[key], kept[key], tolerance)
        elif isinstance(kept, (list, tuple)) and isinstance(found, (list, tuple)):
            self.same(f"{name}, length", len(found), len(kept))
            for index, (one, other) in enumerate(zip(found, kept)):
                self.document(f"{name}[{index}]", one, other, tolerance)
        elif isinstance(kept, float) and isinstance(found, (int, float)):
            self.near(name, float(found), kept, tolerance(name) if callable(tolerance) else tolerance)
        else:
            self.same(name, found, kept)

    def end(self):
        """Says how it went, and ends the program."""
        if self.count == 0:
            sys.exit("nothing was compared")
        if self.differing:
            # The first of the largest.
            gap, worst = max(self.differing, key=lambda one: one[0])
            # What is no number has no distance.
            by = f", by up to {gap:.1e}" if math.isfinite(gap) else ""
            said = f"{len(self.differing)} of {self.count} values{by}: {worst}"
        else:
            where = f" ({self.place})" if self.place else ""
            said = f"{self.count} values, largest difference {self.largest:.1e}{where}"
        said = "; ".join([said, *self.notes])
        print(json.dumps({"agrees": not self.differing, "said": said}))
        sys.exit(1 if self.differing else 0)


def kept_json(path):
    """A kept file of the repository."""
    return json.loads((ROOT / path).read_text(encoding="utf-8"))


def regenerated(script, names, folder, stdout=None):
    """Runs a copy of a generator of kept files in `folder`, and reads what it wrote there: the copy writes beside itself or
    into the current directory, so the kept files stay as they are. `stdout` names the file that takes what it prints."""
    shutil.copy(ROOT / script, folder)
    command = [sys.executable, pathlib.Path(script).name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{script} failed: {(done.stderr.strip().splitlines() or ['without a word'])[-1]}")
    if stdout is not None:
        (pathlib.Path(folder) / stdout).write_text(done.stdout, encoding="utf-8")
    return [json.loads((pathlib.Path(folder) / name).read_text(encoding="utf-8")) for name in names]


def rust_function(path, name):
    """The text of one function of a Rust file, formatted as rustfmt does."""
    text = (ROOT / path).read_text(encoding="utf-8")
    found = re.search(rf"^( *)(pub )?fn {name}\b.*?^\1\}}$", text, re.DOTALL | re.MULTILINE)
    if found is None:
        sys.exit(f"{path} has no function {name}")
    return found.group(0)


def rust_value(text, after, nth=0):
    """The nth bracketed value that follows a marker in Rust text, as Python's: numbers, lists and tuples."""
    begin = -1
    for _ in range(nth + 1):
        begin = text.find(after, begin + 1)
        if begin < 0:
            sys.exit(f"no `{after}` among the kept values")
    rest = re.search(r"[\[(]", text[begin + len(after) :])
    start = begin + len(after) + rest.start()
    depth = 0
    for end in range(start, len(text)):
        depth += (text[end] in "[(") - (text[end] in "])")
        if depth == 0:
            break
    literal = re.sub(r"//[^\n]*", "", text[start : end + 1]).replace("vec!", "").replace("&", "")
    literal = re.sub(r"(?<=\d)_?(f32|f64|i64|u8)\b", "", literal)
    # Numbers, brackets and the arithmetic of fractions only.
    if not re.fullmatch(r"[\s\d\[\]().,e_+*/-]*", literal):
        sys.exit(f"the value after `{after}` is not made of numbers alone: {literal[:60]}")
    return eval(literal, {"__builtins__": {}})


def flat(values):
    """Nested lists and tuples as one list."""
    if isinstance(values, (list, tuple)):
        return [one for value in values for one in flat(value)]
    return [values]
