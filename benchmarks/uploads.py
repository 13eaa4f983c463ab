"""Upload plans: seconds and memory of the exact methods, and what heuristics lose to the optimum.

Three tables, chosen by ``--tables``:

* ``exact``: ``interval-dp`` with and without its proof and ``subset-dp`` on the four measured
  networks (one edge server of 10 GHz, both units) and on synthetic chains: seconds, peak memory
  beyond that of the warm process, seconds to verify the certificate up to ``--verify`` layers.
  *Network-like* chains have data that fall and sizes that grow, on two edges and a cloud in runs;
  in *saving-heavy* ones most layers are worth nothing without their neighbours.
* ``cases``: the 32 published settings (``papers.eosdnn.upload_cases``): the optimum, how much
  dearer each baseline is, how far the envelope is below, whether the optimum is proved a second
  time, by all subsets of each of Sidney's blocks; and what was printed before.

* ``searches``: searches of equal seconds, five seeds each, beside the proved optimum.

Every row is measured in a process of its own on one core; with ``--jobs 2`` two at a time.

The committed table: ``python benchmarks/uploads.py --jobs 2 --out benchmarks/results/uploads.md``.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import processes
import reporting
from reporting import Report, digits

import optedge as oe
from optedge.formulations.upload import bounds
from optedge.formulations.upload.exact import estimates, intervals, subsets
from optedge.formulations.upload.heuristics import blocks
from optedge.papers import eosdnn
from optedge.papers.local_edge_cloud import NETWORKS

TABLES = ("exact", "cases", "searches")
SEED = 3
SEEDS = 5  # of each search
KINDS = ("network-like", "saving-heavy")
SIZES = (100, 200, 300)
FLOATS, PROOF, SUBSETS = "interval-dp, no proof", "interval-dp", "subset-dp"
COMPILING = 300.0  # seconds that a process may take beside its run
MOST_IN_BLOCK = 20  # layers of a block for which all subsets are tried

#: Per cent by which a method is dearer than the optimum: how its plan is priced, solver, options.
METHODS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "none": ("forced", "whole-upload", {}),
    "IONN": ("forced", "ionn", {}),
    "rec.eff*": ("best", "recursive-efficiency", {}),
    "LMU": ("forced", "lmu", {"zero_rule": "alone"}),
    "LMU*": ("best", "lmu", {}),
    "Sidney": ("best", "sidney", {}),
    "LMU safe": ("forced", "lmu", {"zero_rule": "safe"}),
}
#: What was computed before the package, with other code: the first of ``COLUMNS``.
PRINTED: dict[str, tuple[float, ...]] = {
    "googlenet 2; edge 10; Mb": (0.2012, 67.27, 20.76, 30.46, 17.01, 0.01, 0.00, 6.9),
    "googlenet 2; edge 4.2, edge 18.3; Mb": (0.2432, 38.38, 9.21, 3.51, 7.43, 0.08, 0.00, 8.1),
    "resnet101 2; edge 10; Mb": (4.7789, 99.68, 32.47, 4.49, 14.06, 0.00, 0.00, 2.8),
    "resnet101 2; edge 10; MB": (7.7638, 22.91, 19.59, 6.05, 5.10, 0.00, 2.66, 14.9),
    "resnet101 1.1; edge 18.3; Mb": (6.5888, 163.32, 30.57, 5.59, 21.54, 0.00, 0.01, 3.9),
    "resnet101 2; edge 18.3, cloud 120; Mb": (80.3822, 77.20, 3.35, 4.33, 3.12, 0.00, 0.00, 32.4),
    "resnet101 1.1; 2 stay, edge 4.2, edge 18.3, cloud 120; MB": (
        (174.5986, 15.18, 0.98, 0.00, 0.06, 0.00, 0.00, 6.1)
    ),
    "alexnet 2; edge 10; Mb": (42.1428,),
    "alexnet 2; edge 10; MB": (44.7909,),
    "alexnet 2.3; edge 4.2; MB": (54.5227,),
    "alexnet 1.1; edge 18.3; Mb": (63.5168,),
    "vgg19 2; edge 10; Mb": (34.7964,),
    "vgg19 2; edge 10; MB": (42.6908,),
    "vgg19 2.3; edge 4.2; MB": (53.8361,),
}


def main() -> None:
    """Measure and print; or measure one row, if started by this script itself."""
    options = _arguments()
    if processes.measured_row(options.row, MEASURES):
        return
    chosen = processes.cores(options.jobs)
    report = Report(
        "Upload plans: exact orders, and what heuristics lose",
        {
            "cores used": processes.cores_used(chosen),
            "instances": "papers.eosdnn.upload_cases; synthetic chains of this script",
            "seeds": f"{SEED} of the synthetic chains; 0 to {SEEDS - 1} of searches, the other "
            "methods are deterministic",
            "limits": f"{options.seconds:g} s a run, {options.search_seconds:g} s a search; "
            "compilation outside",
        },
        out=options.out,
    )
    failed: list[str] = []
    for table in options.tables:
        report.table(TITLES[table], ROWS[table](options, chosen, failed))
        report.note(NOTES[table])
    report.close(failed)


def _arguments() -> argparse.Namespace:
    parser = reporting.parser(__doc__)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--seconds", type=float, default=120.0, help="limit of a run")
    parser.add_argument("--search-seconds", type=float, default=3.0, help="limit of a search")
    parser.add_argument("--verify", type=int, default=100, help="layers that are verified")
    parser.add_argument("--jobs", type=int, default=1, help="rows measured side by side")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.sizes, options.networks, options.searched = SIZES, NETWORKS, SEARCHED
    if options.smoke:
        options.sizes, options.networks = (45,), ("alexnet", "googlenet")
        options.seconds, options.search_seconds = 5.0, 0.1
        options.searched = ("network-like 45",)
    return options


# ------------------------------------------------------------------------------ exact methods


def _exact(
    options: argparse.Namespace, chosen: list[int | None], failed: list[str]
) -> Iterator[dict[str, Any]]:
    cases = [f"{network} 2; edge 10; {unit}" for network in options.networks for unit in _UNITS]
    cases += [f"{kind} {n}" for kind in KINDS for n in options.sizes]
    tasks = []
    for case in cases:
        for method in (FLOATS, PROOF, SUBSETS):
            if method != SUBSETS or subsets.why_not(instance(case)) is None:
                task = {"measure": "exact", "case": case, "method": method}
                limits = {"seconds": options.seconds, "verify": options.verify}
                tasks.append((f"{case}, {method}", {**task, **limits}))
    allowed = COMPILING + 2 * options.seconds
    for task, found in processes.finished(__file__, tasks, chosen, allowed, failed):
        yield {
            "instance": task["case"],
            "m": found["m"],
            "method": task["method"],
            "seconds": digits(found["seconds"]),
            "MB": digits(found["mb"], 2),
            "MB at most": digits(found["most_mb"], 2),
            "sum, s^2": f"{found['value']:.10g}",
            "gap": f"{found['gap']:.0e}" if math.isfinite(found["gap"]) else "-",
            "verified in, s": digits(found["verified"]),
        }


_UNITS = ("Mb", "MB")


def _measure_exact(case: str, method: str, seconds: float, verify: int) -> dict[str, Any]:
    """Run one method on one instance; certify what it proves."""
    solver, _, rest = method.partition(",")
    choice = {"proof": not rest} if solver == PROOF else {}
    small = instance("saving-heavy 45" if solver == PROOF else "alexnet 2; edge 10; Mb")
    oe.solve(small, solver, bound=False, **choice)  # imports and kernels
    problem = instance(case)
    before = processes.peak_memory()
    result = oe.solve(problem, solver, time_limit=seconds, bound=False, **choice)
    used = processes.peak_memory() - before
    m = intervals.longest(problem)
    verified = math.nan
    if result.certificate is not None and m <= verify:
        began = time.perf_counter()
        check = oe.verify(result)
        verified = time.perf_counter() - began
        if check.verdict != "certified":
            raise AssertionError(check.message)
    most = estimates.needed_mb(m) if solver == PROOF else 8 * 2.0**problem.layers.size / 1e6
    return {
        "m": problem.layers.size,
        "seconds": result.runtime,
        "mb": used,
        "most_mb": most,
        "value": result.objective,
        "gap": result.gap,
        "verified": verified,
    }


def instance(case: str) -> oe.UploadProblem:
    """Return the instance of a row: a published setting, or a synthetic chain."""
    kind, _, size = case.rpartition(" ")
    if kind in KINDS:
        rng = np.random.default_rng(SEED)
        return (network_like if kind == KINDS[0] else saving_heavy)(rng, int(size))
    return eosdnn.upload_cases()[case]


def network_like(rng: np.random.Generator, n: int) -> oe.UploadProblem:
    """Return a chain on two edges and a cloud, in runs: data fall by 64, sizes grow by four."""
    place = np.arange(n) / n
    data = 0.5 * 64.0 ** -np.append(place, 1.0) * rng.uniform(0.3, 1.7, n + 1)  # MB
    server = np.sort(rng.integers(0, 3, n))
    rate, clock = np.array([10.0, 10.0, 0.5])[server], np.array([4.2, 18.3, 120.0])[server]
    work = rng.lognormal(-4, 0.6, n)  # Gcycles
    same = np.append(True, server[1:] == server[:-1])
    return oe.UploadProblem(
        client_times=work / 1.5,
        server_times=work / clock,
        sends_in=data[:-1] / rate,
        sends_out=data[1:] / rate,
        hops=np.where(same, 0.0, data[:-1] / 10.0),
        upload_times=rng.lognormal(0, 1.5, n) * 4.0**place / rate,
        name=f"network-like {n}",
    )


def saving_heavy(rng: np.random.Generator, n: int) -> oe.UploadProblem:
    """Return a chain whose savings are larger than its values, two thirds of which are negative."""
    values, times = rng.uniform(-2, 1, n), rng.lognormal(0, 1.5, n)
    savings = np.append(rng.exponential(2, n - 1), 0.0)
    slow = np.full(n, 2.0)
    zero = np.zeros(n)
    return oe.UploadProblem(
        client_times=values + slow + savings,
        server_times=slow,
        sends_in=zero,
        sends_out=savings,
        hops=zero,
        upload_times=times,
        name=f"saving-heavy {n}",
    )


# ------------------------------------------------------------------------------ 32 cases


def _cases(
    options: argparse.Namespace, chosen: list[int | None], failed: list[str]
) -> Iterator[dict[str, Any]]:
    names = [name for name in eosdnn.upload_cases() if name.split()[0] in options.networks]
    names = names[: 2 if options.smoke else None]
    tasks = [
        (name, {"measure": "cases", "case": name, "seconds": options.seconds}) for name in names
    ]
    for task, found in processes.finished(__file__, tasks, chosen, COMPILING, failed):
        printed = PRINTED.get(task["case"], ())
        differs = [
            f"{name} {other:g}"
            for name, own, other in zip(COLUMNS, found["numbers"], printed, strict=False)
            if abs(own - other) > TOLERANCE[name]
        ]
        numbers = dict(zip(COLUMNS, found["numbers"], strict=True))
        yield {
            "case": task["case"],
            "m": found["m"],
            **{name: f"{value:.{_PLACES[name]}f}" for name, value in numbers.items()},
            "subsets": found["subsets"],
            "proved in, ms": digits(1e3 * found["seconds"], 2),
            "as printed": (", ".join(differs) + " differ" if differs else "yes")
            if printed
            else "-",
        }


COLUMNS = ("OPT", "none", "IONN", "rec.eff*", "LMU", "LMU*", "Sidney", "B1 below", "LMU safe")
_PLACES = {name: 2 for name in METHODS} | {"OPT": 4, "B1 below": 1}
#: Optimum and envelope are independent of the code; heuristics hang on rules for ties: 0.1 %.
TOLERANCE = {name: 0.1 for name in METHODS} | {"none": 0.0051, "OPT": 6e-5, "B1 below": 0.051}


def _measure_cases(case: str, seconds: float) -> dict[str, Any]:
    """Prove the optimum of a case, twice where possible, and price all baselines."""
    problem = eosdnn.upload_cases()[case]
    oe.solve(eosdnn.upload_instance(), PROOF, bound=False)  # imports and kernels
    exact = oe.solve(problem, PROOF, time_limit=seconds, bound=False)
    if exact.status != "OPTIMAL" or oe.verify(exact).verdict != "certified":
        raise AssertionError(f"{case} is not proved: {exact!r}")
    least = exact.objective
    numbers = {"OPT": least}
    for name, (use, solver, choice) in METHODS.items():
        same = problem.replace(use=use)
        plan = oe.solve(same, solver, bound=False, **choice).solution
        if use == "best":  # the order of its layers, one by one
            plan = problem.decode(problem.encode(plan))
        share = same.objective(plan) / least - 1
        if share < -1e-9:
            raise AssertionError(f"{solver} on {case} is cheaper than the optimum by {-share}.")
        numbers[name] = 100 * max(0.0, share)
    numbers["B1 below"] = 100 * max(0.0, 1 - float(bounds.envelope(problem)) / least)
    return {
        "m": problem.layers.size,
        "numbers": [numbers[name] for name in COLUMNS],
        "subsets": _second_proof(problem, least),
        "seconds": exact.runtime,
    }


def _second_proof(problem: oe.UploadProblem, least: float) -> str:
    """Return whether all subsets of each of Sidney's blocks, in turn, lead to the same optimum."""
    found = blocks.blocks(problem)
    if problem.layers.size <= MOST_IN_BLOCK:
        found = [problem.layers.tolist()]
    if (most := max(map(len, found))) > MOST_IN_BLOCK:
        return f"no, block of {most}"
    total, sent = 0.0, np.zeros(problem.n_layers, dtype=bool)
    for block in found:
        now = np.zeros_like(sent)
        now[block] = True
        later = ~problem.stays & ~problem.is_free & ~sent & ~now
        part = problem.replace(
            upload_times=np.where(sent, 0.0, problem.upload_times), stays=problem.stays | later
        )
        total += subsets.best_order(part)[0]
        sent |= now
    if abs(total - least) > 1e-9 * least:
        raise AssertionError(f"all subsets lead to {total!r}, intervals to {least!r}.")
    return "yes"


# ------------------------------------------------------------------------------ searches


SEARCHED = (
    "vgg19 2; edge 10; MB",
    "resnet101 2; edge 10; MB",
    *(f"{kind} {n}" for kind in KINDS for n in (100, 300)),
)
SEARCHES = ("local-search", "annealing", "genetic", "pso-ga", "particle-swarm", "ant-colony")


def _searches(
    options: argparse.Namespace, chosen: list[int | None], failed: list[str]
) -> Iterator[dict[str, Any]]:
    tasks = [
        (
            f"{case}, {solver}",
            {
                "measure": "searches",
                "case": case,
                "solver": solver,
                "seconds": options.search_seconds,
            },
        )
        for case in options.searched
        for solver in SEARCHES
    ]
    for task, found in processes.finished(__file__, tasks, chosen, COMPILING, failed):
        excess = found["excess"]
        yield {
            "instance": task["case"],
            "m": found["m"],
            "search": task["solver"],
            "median": f"{np.median(excess):.3g} %",
            "worst": f"{max(excess):.3g} %",
            "optimal": f"{sum(e < OPTIMAL for e in excess)} of {len(excess)}",
            "orders priced a second": digits(found["priced"], 2),
        }


OPTIMAL = 1e-7  # per cent


def _measure_searches(case: str, solver: str, seconds: float) -> dict[str, Any]:
    """Run one search with all seeds from random starts; return per cent above the optimum."""
    problem = instance(case)
    least = oe.solve(problem, PROOF, bound=False).objective
    oe.solve(problem, solver, max_evaluations=2000, bound=False)  # imports and kernels
    every = [
        oe.solve(problem, solver, seed=k, time_limit=seconds, bound=False) for k in range(SEEDS)
    ]
    spent = sum(r.runtime for r in every)
    return {
        "m": problem.layers.size,
        "excess": [100 * max(0.0, r.objective / least - 1) for r in every],
        "priced": sum(r.evaluations for r in every) / spent,
    }


TITLES = {
    "exact": "Exact methods",
    "cases": "Four networks in eight settings: per cent above the optimum",
    "searches": "Searches of equal seconds: per cent above the proved optimum",
}
NOTES = {
    "exact": "MB: growth of the peak of a warm process; at most: the estimate made before it "
    "starts. Gap: to the bound that the method itself proves, here 0 but for the last digit of "
    "the floats in which the plan is priced.",
    "cases": "OPT in s^2, proved and certified. None: all layers in one partition. IONN, LMU: use "
    "of what was sent is forced; LMU safe holds layers of size 0 back while they slow queries. "
    "With a star, and Sidney: the client makes the best of what was sent. B1 below: by how many "
    "per cent the envelope is below the optimum. Subsets: a second proof by all subsets of each of "
    "Sidney's blocks. As printed: whether the numbers are those of an independent script, to their "
    "last digit (those of heuristics, which hang on rules for ties, to 0.1); else what it had.",
    "searches": "Over the seeds. Moves of local-search and annealing are priced by what they "
    "change, populations whole: equal numbers of orders are not equal work.",
}
ROWS = {"exact": _exact, "cases": _cases, "searches": _searches}
MEASURES = {
    "exact": _measure_exact,
    "cases": _measure_cases,
    "searches": _measure_searches,
}


if __name__ == "__main__":
    main()
