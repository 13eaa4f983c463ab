"""One line of progress in a terminal or a notebook: time, incumbent, bound, gap."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from optedge.solvers.run import Run

EVERY = 0.2  # seconds between two refreshes


@contextlib.contextmanager
def progress_line(label: str) -> Iterator[Callable[[Run], None]]:
    """Show a line for ``label`` while the context lasts; yields the hook that refreshes it."""
    from rich.console import Console
    from rich.status import Status

    last = 0.0
    with Status(label, console=Console(stderr=True)) as line:

        def show(run: Run) -> None:
            nonlocal last
            now = time.perf_counter()
            if now - last >= EVERY:
                last = now
                line.update(
                    f"{label}  {run.seconds:6.1f} s  objective {run.objective:.6g}  "
                    f"bound {run.bound:.6g}  gap {run.gap:.3%}"
                )

        yield show
