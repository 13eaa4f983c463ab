"""What every benchmark prints: a head that says how it was measured, then markdown tables."""

from __future__ import annotations

import argparse
import datetime
import math
import os
import platform
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

ROUNDING = 1e-13  # shares below this come from the last digits of a sum
CORE_LIBRARIES = ("optedge", "numpy", "scipy", "numba", "highspy", "pyomo")


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Return an argument parser with the two options that every script has.

    Parameters
    ----------
    doc
        The docstring of the script.
    """
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--smoke", action="store_true", help="tiny sizes and limits, for CI")
    made.add_argument("--out", type=Path, metavar="FILE", help="write the report here too")
    return made


def one_core(core: int | None = None) -> str:
    """Keep this process and its children on one core, and say so in a sentence.

    Pinning is the only limit that every library obeys; where the system cannot pin, the thread
    pools that can be reached are limited.

    Parameters
    ----------
    core
        Number of the core; the last one that the process may use if left out.
    """
    threadpool_limits(1)
    if not hasattr(os, "sched_setaffinity"):
        return "one thread a library (this system pins no process)"
    core = max(os.sched_getaffinity(0)) if core is None else core
    os.sched_setaffinity(0, {core})
    return f"one, all processes pinned to core {core}"


class Report:
    """A report that is printed as it grows, and written to a file at the end.

    Until then the file has ``.part`` behind its name and holds every finished row.

    Parameters
    ----------
    title
        Its first line.
    facts
        What was measured how: a name and a sentence each (seeds, limits, instances).
    out
        File to write; None for standard output only.
    libraries
        Packages whose versions are stated beside those that the package itself rests on.
    """

    def __init__(
        self,
        title: str,
        facts: Mapping[str, Any],
        *,
        out: Path | None = None,
        libraries: Sequence[str] = (),
    ) -> None:
        self._lines: list[str] = []
        self._out = out
        self.say(f"# {title}")
        self.say()
        for name, fact in {**_machine(libraries), **facts}.items():
            self.say(f"- {name}: {fact}")

    def say(self, text: str = "") -> None:
        """Add a line."""
        self._lines.append(text)
        print(text, flush=True)

    def note(self, text: str) -> None:
        """Add a paragraph."""
        self.say()
        self.say(text)

    def table(self, title: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add a table, a column a key of the first row; rows may still have to be measured."""
        self.note(f"## {title}")
        self.say()
        known = []
        for row in rows:
            known.append(row)
            self._write(markdown(known))
        for line in markdown(known) if known else ["Nothing: every run failed."]:
            self.say(line)

    def close(self, failed: Sequence[str] = ()) -> None:
        """Write the file, if one was asked for.

        Parameters
        ----------
        failed
            A sentence for each row that is missing. With any the script ends with exit code 1.
        """
        for sentence in failed:
            self.note(sentence)
        self._write([])
        if self._out is not None:
            self._unfinished(self._out).replace(self._out)
        if failed:
            sys.exit(1)

    def _write(self, more: Sequence[str]) -> None:
        """Write what there is, and the lines of a table that still grows."""
        if self._out is not None:
            self._out.parent.mkdir(parents=True, exist_ok=True)
            text = "\n".join([*self._lines, *more]) + "\n"
            self._unfinished(self._out).write_text(text, encoding="utf-8")

    @staticmethod
    def _unfinished(out: Path) -> Path:
        return out.with_name(out.name + ".part")


def progress(text: str) -> None:
    """Say on standard error what is being measured now."""
    print(f"... {text}", file=sys.stderr, flush=True)


def markdown(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines of a markdown table; columns of numbers stand to the right."""
    names = list(rows[0])
    cells = [[str(row.get(name, "")).replace("|", r"\|") for name in names] for row in rows]
    widths = [max(3, len(name), *(len(r[k]) for r in cells)) for k, name in enumerate(names)]
    right = [all(_numeric(r[k]) for r in cells) for k in range(len(names))]
    rule = ["-" * (w - 1) + ":" if r else "-" * w for w, r in zip(widths, right, strict=True)]
    lines = []
    for row in (names, rule, *cells):
        padded = [
            text.rjust(w) if r else text.ljust(w)
            for text, w, r in zip(row, widths, right, strict=True)
        ]
        lines.append("| " + " | ".join(padded) + " |")
    return lines


def _numeric(text: str) -> bool:
    return text in ("-", "") or text.removeprefix("-")[:1].isdigit()


# ------------------------------------------------------------------------------ numbers


def digits(value: float, places: int = 3) -> str:
    """Return a number with that many significant digits, never in powers of ten."""
    if not math.isfinite(value):
        return "-"
    if value == 0:
        return "0"
    decimals = places - 1 - math.floor(math.log10(abs(value)))
    return f"{value:.{max(0, decimals)}f}"


def percent(share: float) -> str:
    """Return a share as a percentage with two significant digits; rounding errors are 0."""
    if not math.isfinite(share):
        return "-"
    return "0 %" if abs(share) < ROUNDING else f"{digits(100 * share, 2)} %"


def count(number: float) -> str:
    """Return a number of things in thousands or millions where it is large."""
    if not math.isfinite(number):
        return "-"
    for unit, word in ((1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{digits(number / unit)} {word}"
    return f"{number:.0f}"


def excess(value: float, bound: float) -> float:
    """Return (value - bound) / bound, ``inf`` without either."""
    if not (math.isfinite(value) and math.isfinite(bound)) or bound <= 0:
        return math.inf
    return (value - bound) / bound


def gap(value: float, bound: float) -> float:
    """Return (value - bound) / value, ``inf`` without either."""
    if not (math.isfinite(value) and math.isfinite(bound)) or value <= 0:
        return math.inf
    return max(0.0, value - bound) / value


# ------------------------------------------------------------------------------ the machine


def _machine(libraries: Iterable[str]) -> dict[str, str]:
    """Return the facts about command, machine and versions."""
    command = shlex.join(["python", _short(sys.argv[0]), *sys.argv[1:]])
    now = datetime.datetime.now(datetime.UTC)
    load = f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "unknown"
    known = [f"{name} {_version(name)}" for name in (*CORE_LIBRARIES, *libraries)]
    return {
        "command": f"`{command}`",
        "date": f"{now:%Y-%m-%d %H:%M} UTC",
        "CPU": f"{_cpu()}, {os.cpu_count()} cores, {_memory()}; load average at the start {load}",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": ", ".join(known),
    }


def _short(path: str) -> str:
    """Return a path as seen from the root of the checkout."""
    root = Path(__file__).resolve().parent.parent
    full = Path(path).resolve()
    return full.relative_to(root).as_posix() if full.is_relative_to(root) else path


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "missing"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    facts = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    found = {name.strip(): value.strip() for name, value in facts.items()}
    name = found.get("model name", "unknown processor")
    parts = [f"{word} {found[key]}" for key, word in _CPU_PARTS.items() if key in found]
    return f"{name} ({', '.join(parts)})" if parts else name


_CPU_PARTS = {"cpu family": "family", "model": "model", "cpu MHz": "MHz"}


def _memory() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return "memory unknown"
    return f"{total / 2**30:.0f} GiB"
