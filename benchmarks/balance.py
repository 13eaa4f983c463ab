"""Node balance Z proved: ``offset-dp`` (running) and ``count-master`` (final).

One, four and twelve tasks of each measured network under the published weights (``papers.ddpqn``),
no pools. Two tables, chosen by ``--tables``:

* ``base``: the 24 cases of the specification: value, bound, gap and seconds to the proof, and the
  certificate recomputed in plain NumPy.
* ``variants``: sizes in Mb, and H of benefits (root 3), ``--seconds`` each: the gap reached.

Every row is measured in a process of its own on one core; with ``--jobs 2`` two at a time, each on
its own core. With ``--out FILE`` the rows stand in FILE.part as soon as they are measured.

The committed table: ``python benchmarks/balance.py --jobs 2 --tables base --out
benchmarks/results/balance.md``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import Any

import processes
import reporting
from reporting import Report, count, digits, percent

import optedge as oe
from optedge.papers import ddpqn

TABLES = ("base", "variants")
SOLVERS = {"running": "offset-dp", "final": "count-master"}
LIMITS = {"running": 10.0, "final": 40.0}  # seconds aimed at
SIZES = (1, 4, 12)
PROVED = 1e-9  # gap at which a run may stop
COMPILING = 900.0  # seconds that a process may take beside its run
BENEFIT = {"h_indicators": "benefit", "coupling_root": 3}


def main() -> None:
    """Measure and print; or measure one row, if started by this script itself."""
    options = _arguments()
    if processes.measured_row(options.row, {"balance": _solved}):
        return
    chosen = processes.cores(options.jobs)
    report = Report(
        "Node balance: proved optima",
        {
            "cores used": processes.cores_used(chosen),
            "instances": "ddpqn.instance(network, tasks), weights as published, z_mode as stated",
            "seeds": "0",
            "limits": f"gap {PROVED:g}; variants {options.seconds:g} s, compilation outside",
        },
        out=options.out,
    )
    failed: list[str] = []
    for table in options.tables:
        cases = _base(options) if table == "base" else _variants(options)
        report.table(TITLES[table], _rows(cases, chosen, failed))
    report.note(
        "Gap is |value - bound| over the larger of both in size. Certified is the bound that NumPy "
        "recomputes from the certificate, without the solver; where it is lower, the rest was "
        "proved by search (the integer master of several tasks). Within: seconds to the end of the "
        f"run at most {LIMITS['running']:g} (running) and {LIMITS['final']:g} (final), and proved."
    )
    report.close(failed)


TITLES = {"base": "The base cases", "variants": "Other sizes and indicators"}


def _arguments() -> argparse.Namespace:
    parser = reporting.parser(__doc__)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--seconds", type=float, default=60.0, help="limit of a variant")
    parser.add_argument("--jobs", type=int, default=1, help="rows measured side by side")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.networks, options.sizes = ddpqn.NETWORKS, SIZES
    if options.smoke:
        options.networks, options.sizes, options.seconds = ddpqn.NETWORKS[:1], (1,), 1.0
    return options


def _base(options: argparse.Namespace) -> list[dict[str, Any]]:
    return [
        {"network": network, "n_tasks": n, "mode": mode, "variant": "published", "seconds": 120.0}
        for mode in SOLVERS
        for n in options.sizes
        for network in options.networks
    ]


def _variants(options: argparse.Namespace) -> list[dict[str, Any]]:
    return [
        {
            "network": network,
            "n_tasks": n,
            "mode": mode,
            "variant": variant,
            "seconds": options.seconds,
        }
        for variant in ("Mb", "benefit")
        for mode in SOLVERS
        for n in options.sizes
        for network in options.networks
    ]


def _rows(
    cases: list[dict[str, Any]], chosen: list[int | None], failed: list[str]
) -> Iterator[dict[str, Any]]:
    labelled = [
        (
            f"{c['n_tasks']} tasks of {c['network']}, {c['mode']}, {c['variant']}",
            {"measure": "balance", **c},
        )
        for c in cases
    ]
    for case, found in processes.finished(__file__, labelled, chosen, COMPILING, failed):
        proved = found["gap"] <= 1e-7
        yield {
            "Z": case["mode"],
            "tasks": str(case["n_tasks"]),
            "network": case["network"],
            **({} if case["variant"] == "published" else {"variant": case["variant"]}),
            "value": f"{found['value']:.6f}",
            "bound": f"{found['bound']:.6f}",
            "gap": percent(found["gap"] if found["gap"] > 1e-8 else 0.0),
            "sum of Z": str(found["apart"]),
            "seconds": digits(found["seconds"]),
            **(
                {"within": "yes" if proved and found["seconds"] <= LIMITS[case["mode"]] else "no"}
                if case["variant"] == "published"
                else {"proved": "yes" if proved else "no"}
            ),
            "certified": f"{found['certified']:.6f}",
            "verified in, s": digits(found["verified"]),
            "peak MB": count(found["peak"]),
        }


def _solved(network: str, n_tasks: int, mode: str, variant: str, seconds: float) -> dict[str, Any]:
    """Solve one case, and recompute its certificate."""
    weights = {"z_mode": mode, **(BENEFIT if variant == "benefit" else {})}
    unit = "Mb" if variant == "Mb" else "MB"
    for tiny in (1, 2):  # imports and kernels
        p = ddpqn.instance("alexnet", tiny, weights=weights)
        oe.verify(oe.solve(p, SOLVERS[mode], time_limit=1.0))
    problem = ddpqn.instance(network, n_tasks, weights=weights, data_unit=unit)
    result = oe.solve(problem, SOLVERS[mode], time_limit=seconds, target_gap=PROVED)
    if result.stop_reason == "interrupted":
        raise KeyboardInterrupt
    began = time.perf_counter()
    check = oe.verify(result)
    verified = time.perf_counter() - began
    if not check:
        raise AssertionError(check.message)
    balance = problem.data.weights.balance
    spread = problem.objective(result.solution) - problem.replace(
        weights=oe.Weighting(**{**weights, "xi": 0.0})
    ).objective(result.solution)
    return {
        "value": result.objective,
        "bound": result.bound,
        "gap": result.gap,
        "apart": round(spread / balance),
        "seconds": result.runtime,
        "certified": check.certified_bound,
        "verified": verified,
        "peak": processes.peak_memory(),
    }


if __name__ == "__main__":
    main()
