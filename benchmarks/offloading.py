"""Offloading with parallel pools at the published size: certified gap after seconds.

Twelve tasks of each of the four measured networks (``papers.eosdnn``), first layer free or at the
client: ``lagrangian`` for ``--seconds``, its schedule, its certified bound, the seconds after which
the gap was below 1, 0.5 and 0.1 %, and the certificate recomputed. Beside it the bound of paths
without pools and the best of ``pso-ga``, ``genetic`` and ``local-search`` (in order of arrival)
in the same seconds.

The committed table: ``python benchmarks/offloading.py --out benchmarks/results/offloading.md``.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import reporting
from reporting import Report, digits, percent

import optedge as oe
from optedge.papers import eosdnn

LEVELS = (1e-2, 5e-3, 1e-3)
SEARCHES = ("pso-ga", "genetic", "local-search")


def main() -> None:
    """Measure and print."""
    options = _arguments()
    core = reporting.one_core()
    report = Report(
        "Offloading: certified gaps at the published size",
        {
            "cores used": core,
            "instances": "eosdnn.instance(network, 12, first_layer=...)",
            "seeds": "0",
            "limits": f"{options.seconds:g} s a run, target_gap 0; compilation outside",
        },
        out=options.out,
    )
    names = eosdnn.NETWORKS[:1] if options.smoke else eosdnn.NETWORKS
    tiny = eosdnn.instance("alexnet", 2)
    for solver in ("lagrangian", *SEARCHES):  # imports and kernels
        oe.solve(tiny, solver, time_limit=1.0)
    rows = [_row(name, rule, options.seconds) for rule in ("free", "client") for name in names]
    report.table("Twelve tasks", rows)
    report.note("Gap is (schedule - bound) / schedule, with the bound that the certificate proves.")
    report.close()


def _arguments() -> argparse.Namespace:
    parser = reporting.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=15.0, help="limit of each run")
    options = parser.parse_args()
    if options.smoke:
        options.seconds = 2.0
    return options


def _row(network: str, rule: str, seconds: float) -> dict[str, Any]:
    reporting.progress(f"{network}, first layer {rule}")
    problem = eosdnn.instance(network, first_layer=rule)
    result = oe.solve(problem, "lagrangian", time_limit=seconds, target_gap=0.0)
    began = time.perf_counter()
    check = oe.verify(result)
    checked = time.perf_counter() - began
    if not check or check.verdict != "certified":
        raise AssertionError(check.message)
    others = {
        name: oe.solve(problem, name, time_limit=seconds, target_gap=0.0).objective
        for name in SEARCHES
    }
    best = min(others, key=lambda name: others[name])
    history = result.history
    gaps = (history["objective"] - history["bound"]) / np.abs(history["objective"])
    reached = {level: history["seconds"][gaps <= level] for level in LEVELS}
    return {
        "network": network,
        "first layer": rule,
        "DP bound, s": f"{problem.bounds()['DP']:.6g}",
        "certified bound, s": f"{result.bound:.6g}",
        "schedule, s": f"{result.objective:.6g}",
        "gap": percent(result.gap),
        **{
            f"s to {percent(level)}": digits(float(when.min())) if when.size else "-"
            for level, when in reached.items()
        },
        "verified in, s": digits(checked),
        "certificate, kB": f"{_kilobytes(result.certificate):.0f}",
        "best search": f"{best} {others[best]:.6g}",
    }


def _kilobytes(certificate: oe.Certificate | None) -> float:
    arrays = {} if certificate is None else certificate.arrays
    return sum(array.nbytes for array in arrays.values()) / 1e3


if __name__ == "__main__":
    main()
