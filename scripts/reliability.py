"""Write ``docs/reliability.md`` from the results of the tests of faults: ``make reliability``.

Each row is a test: its name says what happens; its cases are listed where they have names of
their own. Time is that of its slowest case, or what it measured itself
(``record_property("seconds", ...)``); memory is the most that the app, or the process that
reads, took above what it had (``record_property("megabytes", ...)``).
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree

from landslide_zoo.tables import markdown_table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"
PARTS = {
    "Files that people have": ("tests/data/readers", "tests/data/test_checks.py"),
    "Hostile files, cards and crowds": ("tests/web/test_hostile.py", "tests/web/test_turns.py"),
    "Weights and the Hub": (
        "tests/models/test_weights.py",
        "tests/models/test_damaged_cache.py",
        "tests/hub/test_waiting.py",
        "tests/web/test_slow_hub.py",
    ),
    "Interfaces": ("tests/web/test_api.py", "tests/web/test_clients.py"),
    "Training": ("tests/training/test_run.py",),
    "The end of the app": ("tests/web/test_housekeeping.py",),
}
"""Test files by the heading of their table."""
HEADER = ("what happens", "cases", "seconds", "MB")
_NAME = re.compile(r"[A-Za-z][A-Za-z_ .-]*")
"""A case that somebody named; others have the numbers that pytest gives them."""
INTRODUCTION = """# Reliability

What was tried against Landslide Zoo, and what happens: each row is a test that passed. Made by
`make reliability` on {machine}; the tests run in `make test`, the slow ones in `make test-load`.
Seconds are those of the slowest case; MB is memory above what the process had, where the test
measures it.
"""


def main() -> None:
    """Run the tests and write the page."""
    with tempfile.TemporaryDirectory() as temporary:
        report = Path(temporary) / "report.xml"
        files = [path for paths in PARTS.values() for path in paths]
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-m",
            "",
            "-o",
            "junit_family=xunit1",
            f"--junitxml={report}",
            *files,
        ]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            sys.exit("A test failed: mend it first.")
        cases = list(ElementTree.parse(report).iter("testcase"))
    text = INTRODUCTION.format(
        machine=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    )
    for title, paths in PARTS.items():
        modules = tuple(path.removesuffix(".py").replace("/", ".") for path in paths)
        passed = [
            case
            for case in cases
            if case.attrib["classname"].startswith(modules) and case.find("skipped") is None
        ]
        rows = [_row(name, alike) for name, alike in groupby(passed, key=_test)]
        text += f"\n## {title}\n\n{markdown_table(HEADER, rows)}\n"
    PAGE.write_text(text, encoding="utf-8")


def _test(case: ElementTree.Element) -> str:
    """The sentence that a test's name is."""
    return case.attrib["name"].partition("[")[0].removeprefix("test_").replace("_", " ")


def _row(test: str, cases: Iterable[ElementTree.Element]) -> tuple[str, ...]:
    named, count, seconds, megabytes = [], 0, 0.0, []
    for case in cases:
        known = {one.attrib["name"]: one.attrib["value"] for one in case.iter("property")}
        parameters = case.attrib["name"].partition("[")[2].removesuffix("]")
        name = known.get("fault", parameters)
        if _NAME.fullmatch(name):
            named.append(name.replace("_", " "))
        count += bool(parameters)
        seconds = max(seconds, float(known.get("seconds", case.attrib["time"])))
        if "megabytes" in known:
            megabytes.append(float(known["megabytes"]))
    listed = ", ".join(dict.fromkeys(named)) if len(named) == count else f"{count} cases"
    return test, listed, f"{seconds:.1f}", f"{max(megabytes):g}" if megabytes else ""


if __name__ == "__main__":
    main()
