"""Every benchmark once, with tiny sizes: ``pytest -m '' benchmarks/test_smoke.py``, as CI does.

Each process of ``pytest -n 2`` keeps what it starts to a core of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Those that take longest come first, lest one of them be left for the end.
SCRIPTS = (
    "exact",
    "offloading",
    "balance",
    "pipeline",
    "uploads",
    "learning",
    "studies",
    "windows",
    "collaborative",
    "peers",
    "published",
    "rcmax",
    "scaling",
    "model_build",
    "cuts",
    "evaluations",
)


@pytest.fixture(autouse=True)
def own_core() -> Iterator[None]:
    """Give each process of the suite a core, where the system can pin."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    usable = os.sched_getaffinity(0)
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    os.sched_setaffinity(0, {sorted(usable)[worker % len(usable)]})
    yield
    os.sched_setaffinity(0, usable)


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_smoke(script: str) -> None:
    """It runs to its end, where it checks its own claims."""
    command = [sys.executable, str(HERE / f"{script}.py"), "--smoke"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
