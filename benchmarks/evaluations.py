"""Evaluations a second of offloading: our simulator and searches beside general packages.

Twelve tasks of each measured network (``papers.eosdnn``), servers with pools, in order of arrival;
a candidate is the server of each layer, its value the simulated sum of flow times. Three tables:

* ``pso-ga`` with the published budget: 100 particles, 50 generations of the genetic algorithm and
  600 iterations, 65 000 evaluations.
* The simulators alone, on random codes: ``problem.costs``, compiled, a whole batch a call; and the
  same objective in plain Python and NumPy (``plain_simulation.py``), whose values are compared with
  ours on 200 codes first.
* For ``--seconds`` each: mealpy (PSO, GA), pymoo (GA) and PyGAD on the plain objective, the same
  packages on our compiled one (a whole population a call where the package asks for one), and our
  ``pso-ga`` and ``genetic``. So what the search costs and what the simulator costs are told apart.
  The gap is that to the bound which ``lagrangian`` certifies in ``--bound-seconds``.

One core; imports and compilation are outside all clocks.

The committed table:
``python benchmarks/evaluations.py --seconds 5 --bound-seconds 10 --out
benchmarks/results/evaluations.md``.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import reporting
from peer_solvers import PEERS, Codes, run_peer
from plain_simulation import PlainSimulation
from reporting import Report, count, digits, percent

import optedge as oe
from optedge.papers import eosdnn

PEER_NAMES = ("mealpy PSO", "mealpy GA", "pymoo GA", "pygad GA")
OURS = ("pso-ga", "genetic")
PLAIN, COMPILED = "plain Python", "optedge"
COMPARED = 200  # random codes on which both simulators must agree
SAME = 1e-9  # relative
SECONDS_AIM, FACTOR_AIM = 3.0, 100.0
SEED = 0


class PlainCodes(Codes):
    """Assignments priced one after the other by the plain simulation."""

    def __init__(self, problem: oe.OffloadingProblem) -> None:
        super().__init__(problem.choices)
        self._simulate = PlainSimulation(problem)

    def value(self, code: np.ndarray) -> float:
        """Return the sum of flow times of one code, shape (n_free,)."""
        return self._simulate(self.decisions(code[None])[0])


class CompiledCodes(Codes):
    """Assignments priced by the problem itself, a batch a call."""

    def __init__(self, problem: oe.OffloadingProblem) -> None:
        super().__init__(problem.choices)
        self._problem = problem

    def value(self, code: np.ndarray) -> float:
        """Return the sum of flow times of one code, shape (n_free,)."""
        return float(self.values(code[None])[0])

    def values(self, codes: np.ndarray) -> np.ndarray:
        """Return the sum of flow times of each code, shape (k, n_free)."""
        return np.asarray(self._problem.costs(self.decisions(codes)))


SIMULATORS: dict[str, Callable[[oe.OffloadingProblem], Codes]] = {
    PLAIN: PlainCodes,
    COMPILED: CompiledCodes,
}


@dataclasses.dataclass(frozen=True)
class Row:
    """What one search did with one simulator."""

    searches: str
    simulates: str
    value: float
    evaluations: int
    seconds: float
    note: str = ""

    @property
    def rate(self) -> float:
        """Evaluations a second."""
        return self.evaluations / self.seconds


def main() -> None:
    """Measure and print."""
    options = _arguments()
    core = reporting.one_core()
    report = Report(
        "Offloading: evaluations a second",
        {
            "cores used": core,
            "instances": f"eosdnn.instance(network, {options.tasks}), first layer free",
            "seeds": f"{SEED}",
            "starts": "all searches start from random codes",
            "limits": f"{options.seconds:g} s a search, {options.bound_seconds:g} s for the bound",
        },
        out=options.out,
        libraries=("mealpy", "pymoo", "pygad"),
    )
    reporting.progress("warming up")
    peers, missing = _warm_up()
    for sentence in missing:
        report.note(sentence)
    problems = {name: eosdnn.instance(name, options.tasks) for name in options.networks}
    for problem in problems.values():
        _check_plain(problem)
    published: dict[str, oe.Result] = {}
    report.table("pso-ga with the published budget", _published(problems, options, published))
    report.note(
        "100 particles, 50 generations, 600 iterations"
        + (f"; {options.iterations} in this short version." if options.smoke else ".")
    )
    alone: dict[str, float] = {}
    report.table("Simulators alone", _alone(problems, options, alone))
    report.note(f"Both give equal values to {SAME:g} on {COMPARED} random codes of each network.")
    factors = []
    for name in options.peer_networks:
        rows = list(_search(problems[name], peers, options.seconds, published[name]))
        bound = _certified_bound(problems[name], options.bound_seconds)
        report.table(f"{options.seconds:g} s of search: {name}", _shown(rows, bound))
        report.note(f"Certified bound {bound:.6g} s.")
        factors += _factors(name, rows, alone[name]) if peers else []
    if factors:
        report.table(f"Our evaluations a second, aim {FACTOR_AIM:g} times the peers'", factors)
        report.note(
            "The first factor is to the fastest of the packages on the plain objective, the second "
            "to the slowest."
        )
    report.close()


def _arguments() -> argparse.Namespace:
    parser = reporting.parser(__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="limit of every search")
    parser.add_argument("--bound-seconds", type=float, default=15.0, help="of lagrangian")
    parser.add_argument(
        "--peer-networks",
        nargs="+",
        choices=eosdnn.NETWORKS,
        default=eosdnn.NETWORKS,
        help="networks on which the packages search",
    )
    options = parser.parse_args()
    options.networks, options.tasks, options.iterations = eosdnn.NETWORKS, 12, 600
    options.rate_seconds = 2.0
    if options.smoke:
        options.seconds, options.bound_seconds, options.rate_seconds = 0.3, 0.5, 0.1
        options.tasks, options.iterations = 4, 10
        options.peer_networks = eosdnn.NETWORKS[:1]
    return options


def _warm_up() -> tuple[list[str], list[str]]:
    """Import and compile everything; return the peers, and a sentence for each missing one."""
    tiny = eosdnn.instance("alexnet", 2)
    for name in OURS:
        oe.solve(tiny, name, max_evaluations=200)
    oe.verify(oe.solve(tiny, "lagrangian", time_limit=0.5))
    there, missing = [], []
    for name in PEER_NAMES:
        try:
            for make in SIMULATORS.values():
                run_peer(make(tiny), PEERS[name], 0.0, SEED)
            there.append(name)
        except ImportError as error:
            missing.append(f"{name} is skipped: {error.name} is missing.")
    return there, missing


def _check_plain(problem: oe.OffloadingProblem) -> None:
    """Check that both simulators say the same of random codes."""
    plain, compiled = PlainCodes(problem), CompiledCodes(problem)
    codes = plain.random(np.random.default_rng(SEED), COMPARED)
    ours, theirs = compiled.values(codes), plain.values(codes)
    wrong = np.flatnonzero(~np.isclose(theirs, ours, rtol=SAME, atol=0.0))
    if wrong.size:
        k = wrong[0]
        raise AssertionError(f"{problem.label}: the plain value {theirs[k]} is not {ours[k]}.")


# ------------------------------------------------------------------------------ ours alone


def _published(
    problems: dict[str, oe.OffloadingProblem],
    options: argparse.Namespace,
    results: dict[str, oe.Result],
) -> Iterator[dict[str, Any]]:
    """Run ``pso-ga`` with the published budget; the results are kept in ``results``."""
    for name, problem in problems.items():
        reporting.progress(f"{name}: pso-ga, published budget")
        found = oe.solve(
            problem,
            "pso-ga",
            seed=SEED,
            target_gap=0.0,
            particles=100,
            generations=50,
            iterations=options.iterations,
        )
        results[name] = found
        yield {
            "network": name,
            "layers": str(problem.n_subtasks),
            "evaluations": str(found.evaluations),
            "seconds": digits(found.runtime),
            f"under {SECONDS_AIM:g} s": "yes" if found.runtime < SECONDS_AIM else "no",
            "evaluations/s": count(found.evaluations / found.runtime),
            "value, s": f"{found.objective:.6g}",
        }


def _alone(
    problems: dict[str, oe.OffloadingProblem],
    options: argparse.Namespace,
    rates: dict[str, float],
) -> Iterator[dict[str, Any]]:
    """Measure each simulator on random codes; ours are kept in ``rates``."""
    for name, problem in problems.items():
        reporting.progress(f"{name}: simulators alone")
        ours, theirs = _rates(problem, options.rate_seconds)
        rates[name] = ours
        yield {
            "network": name,
            "layers": str(problem.n_subtasks),
            "problem.costs, evaluations/s": count(ours),
            "microseconds each": digits(1e6 / ours),
            "plain Python, evaluations/s": count(theirs),
            "factor": digits(ours / theirs),
        }


def _rates(problem: oe.OffloadingProblem, seconds: float) -> tuple[float, float]:
    """Return the evaluations a second of ``problem.costs`` and of the plain simulation."""
    x = CompiledCodes(problem)
    codes = x.decisions(x.random(np.random.default_rng(SEED), 1000))
    some, plain = codes[:100], PlainSimulation(problem)
    ours = _rate(lambda: problem.costs(codes), len(codes), seconds)
    return ours, _rate(lambda: [plain(code) for code in some], len(some), seconds)


def _rate(call: Callable[[], Any], size: int, seconds: float) -> float:
    """Return how many evaluations a second calls of ``size`` evaluations make."""
    calls, began = 0, time.perf_counter()
    while True:
        call()
        calls += 1
        spent = time.perf_counter() - began
        if spent >= seconds:
            return calls * size / spent


# ------------------------------------------------------------------------------ searches


def _search(
    problem: oe.OffloadingProblem, peers: list[str], seconds: float, published: oe.Result
) -> Iterator[Row]:
    """Run every search with every simulator that it can have."""
    for simulator, make in SIMULATORS.items():
        for name in peers:
            reporting.progress(f"{problem.label}: {name}, {simulator} simulates")
            done = run_peer(make(problem), PEERS[name], seconds, SEED)
            value = problem.objective(done.decisions)
            if not math.isclose(value, done.value, rel_tol=SAME):
                raise AssertionError(f"{name}: the value {done.value} is {value}.")
            yield Row(name, simulator, value, done.evaluations, done.seconds, done.note)
    # pso-ga spreads its schedule over its budget: as many as it will price in the time.
    budget = int(seconds * published.evaluations / published.runtime)
    lengths: dict[str, dict[str, Any]] = {
        "pso-ga": {"max_evaluations": budget},
        "genetic": {"generations": 10**9},
    }
    for name in OURS:
        reporting.progress(f"{problem.label}: {name}")
        found = oe.solve(
            problem, name, seed=SEED, time_limit=seconds, target_gap=0.0, **lengths[name]
        )
        note = found.stop_reason.replace("_", " ")
        yield Row(
            f"optedge {name}", COMPILED, found.objective, found.evaluations, found.runtime, note
        )


def _certified_bound(problem: oe.OffloadingProblem, seconds: float) -> float:
    """Return the bound that ``lagrangian`` certifies, recomputed."""
    reporting.progress(f"{problem.label}: bound")
    check = oe.verify(oe.solve(problem, "lagrangian", time_limit=seconds, target_gap=0.0))
    if not check or check.verdict != "certified":
        raise AssertionError(check.message)
    return check.certified_bound


def _shown(rows: list[Row], bound: float) -> Iterator[dict[str, str]]:
    for row in rows:
        if row.value < bound * (1 - SAME):
            raise AssertionError(f"{row.searches}: value {row.value} below the bound {bound}.")
        yield {
            "who searches": row.searches,
            "who simulates": row.simulates,
            "evaluations": count(row.evaluations),
            "evaluations/s": count(row.rate),
            "best value, s": f"{row.value:.6g}",
            "gap": percent(reporting.gap(row.value, bound)),
            "seconds": digits(row.seconds),
            "end": row.note,
        }


def _factors(network: str, rows: list[Row], alone: float) -> list[dict[str, str]]:
    """Return how many times as many evaluations a second ours make as the peers' searches do."""
    theirs = [row.rate for row in rows if row.simulates == PLAIN]
    ours = {row.searches: row.rate for row in rows if row.searches.startswith("optedge")}
    return [
        {
            "network": network,
            "ours": name,
            "evaluations/s": count(rate),
            "times the fastest": digits(rate / max(theirs)),
            "times the slowest": digits(rate / min(theirs)),
            "aim met": "yes" if rate >= FACTOR_AIM * max(theirs) else "no",
        }
        for name, rate in {"problem.costs": alone, **ours}.items()
    ]


if __name__ == "__main__":
    main()
