"""The instances that every solver is run on, and a problem and a solver as a user writes them.

``PAIRS`` holds a small and a mid-size instance of every problem class of the package; a class
without a pair fails a test. ``SPECIAL`` holds further small instances: edges of the data.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import Any, NamedTuple

import numpy as np
from conftest import INF, brute_force, random_problem
from uploads import best_of_all_orders, random_upload

import optedge as oe
from optedge.formulations.pipeline import PipelinePlan
from optedge.formulations.upload import UploadProblem

# ------------------------------------------------------------------- a user's problem and solver


@dataclasses.dataclass(frozen=True, eq=False)
class Depots(oe.Problem):
    """Which depot serves each customer: trips, and the rent of each depot that serves anybody.

    Plain NumPy, as a user would write it. A solution is the depot of each customer; in a code
    option k of a customer is its k-th nearest depot.
    """

    trips: Any = oe.array_field("n_customers", "n_depots", infinite=True)
    rent: Any = oe.array_field("n_depots", negative=True)
    name: str = ""

    @property
    def choices(self):
        """Which of its nearest depots a customer can reach."""
        return np.sort(np.isfinite(self.trips), axis=1)[:, ::-1]

    @functools.cached_property
    def nearest(self):
        """The depots of each customer, the nearest first."""
        return np.argsort(self.trips, axis=1, kind="stable")

    def decode(self, code):
        """Return the depots that a code means."""
        return self.nearest[np.arange(len(self.trips)), code]

    def encode(self, x):
        """Return the place of each depot of ``x`` among the nearest ones."""
        return np.argmax(self.nearest == np.asarray(x)[:, None], axis=1)

    def objective(self, x):
        """Return trips and rent."""
        trips = self.trips[np.arange(len(self.trips)), x].sum()
        return float(trips + self.rent[np.unique(x)].sum())

    def model(self, kind=None, *, relax=False):
        """Return the usual model: who is served by which depot, which depots are rented."""
        import pyomo.environ as pyo

        pairs = np.argwhere(np.isfinite(self.trips)).tolist()
        m = pyo.ConcreteModel()
        m.E = pyo.Set(initialize=[tuple(pair) for pair in pairs])
        m.x = pyo.Var(m.E, domain=pyo.UnitInterval if relax else pyo.Binary)
        m.y = pyo.Var(range(self.rent.size), domain=pyo.UnitInterval if relax else pyo.Binary)
        m.cost = pyo.Objective(
            expr=sum(self.trips[i, j] * m.x[i, j] for i, j in m.E)
            + sum(self.rent[j] * m.y[j] for j in m.y)
        )
        m.served = pyo.Constraint(
            range(len(self.trips)),
            rule=lambda m, i: sum(m.x[a, j] for a, j in m.E if a == i) == 1,
        )
        m.rented = pyo.Constraint(m.E, rule=lambda m, i, j: m.x[i, j] <= m.y[j])
        return m

    def extract(self, model):
        """Return the depot of each customer."""
        x = np.zeros(len(self.trips), dtype=np.int64)
        for (i, j), variable in model.x.items():
            if variable.value > 0.5:
                x[i] = j
        return x

    def fill(self, model, x):
        """Write the depots of the customers into the model."""
        for (i, j), variable in model.x.items():
            variable.value = float(x[i] == j)
        for j, variable in model.y.items():
            variable.value = float(j in x)


@oe.register("one-by-one", needs=("code",), source="a user's", guarantee="none")
def one_by_one(problem, run):
    """Draw one decision after the other anew, and keep what is no worse."""
    options = [np.flatnonzero(row) for row in problem.choices]
    code = np.array([o[0] for o in options])
    if run.start is not None:
        code = problem.encode(run.start)
    best = run.evaluate(problem.decode(code))
    while not run.done():
        new = code.copy()
        i = run.rng.integers(code.size)
        new[i] = run.rng.choice(options[i])
        value = run.evaluate(problem.decode(new))
        if value <= best:
            code, best = new, value
        if run.max_evaluations is None and run.evaluations > 200:
            return


# ------------------------------------------------------------------------------- instances


class Pair(NamedTuple):
    """Two instances of one problem class."""

    small: Any  # its optimum is found by listing everything
    middle: Any  # tens of decisions, no oracle


def random_cut(seed, successors, n_tiers=2):
    """Draw times and sends of a graph."""
    rng, n = np.random.default_rng(seed), len(successors)
    times = rng.uniform(1, 9, (n_tiers, n)) / [[2**k] for k in range(n_tiers)]
    return oe.CutProblem(successors, times, rng.uniform(0, 9, (n_tiers - 1, n)))


def random_depots(seed, customers, depots):
    """Draw trips and rents; a customer cannot reach every depot, and one depot pays to be used."""
    rng = np.random.default_rng([seed, customers])
    trips = rng.uniform(1, 9, (customers, depots))
    trips[rng.random(trips.shape) < 0.2] = INF
    trips[:, 0] = rng.uniform(4, 12, customers)
    return Depots(trips, np.append(rng.uniform(2, 9, depots - 1), -1.5))


def random_chains(seed, tasks, layers, pools=(1, 1, 1, 2, 3), **fields):
    """Draw tasks of ``layers`` layers for two clients, two edge servers and a cloud."""
    rng = np.random.default_rng([seed, tasks])
    rates = rng.uniform(1, 4, (5, 5)).round(1)
    np.fill_diagonal(rates, 0)
    return oe.OffloadingProblem.chains(
        rng.uniform(1, 9, (tasks, layers)).round(1),
        rng.uniform(0, 4, (tasks, layers)).round(1),
        clients=rng.integers(2, size=tasks),
        speeds_ghz=[1, 1.5, 3, 4, 5],
        rates_mb_s=rates,
        pools=pools,
        tiers=[0, 0, 1, 1, 2],
        **fields,
    )


def random_split(seed, positions, limits):
    """Draw usages that mostly grow with the position, and limits that leave about half of them."""
    rng = np.random.default_rng([seed, positions])
    usage = np.sort(rng.uniform(0, 20, (limits, positions)), axis=1)
    usage += rng.uniform(0, 4, usage.shape)
    return oe.SplitProblem(range(positions), usage, np.quantile(usage, 0.6, axis=1))


#: Chain B of section 7 of the specification.
CHAIN_B = [[0, 1, 5], [1, 2, 3], [4, 1, 2], [8, 0, 0]]
LADDER = [[k + 1, k + 2] if k % 3 == 0 else [k + 1] for k in range(38)] + [[39], []]
#: Forty layers that send less and less: the best cut is inside.
TAPERED = random_cut(7, LADDER).replace(sends=60 * np.exp(-np.arange(40) / 6)[None])

#: One pair for each problem class: all solvers that take it are run on both.
PAIRS = {
    oe.MakespanProblem: Pair(random_problem(2, 7, 4, missing=0.5), random_problem(1, 30, 4)),
    oe.CutProblem: Pair(random_cut(1, [[1], [2], [3], [4], []]), TAPERED),
    oe.SplitProblem: Pair(
        oe.SplitProblem(
            range(5),
            [[0, 2, 3, 7, 12], [9, 7, 6, 5, 8], [0, 1, 3, 4, 9]],
            [6, 8, 4],
            limit_names=("memory", "latency", "energy"),
        ),
        random_split(1, 60, 3),
    ),
    oe.OffloadingProblem: Pair(
        oe.OffloadingProblem.chains(
            [[8, 4], [12, 4], [16, 16]],
            [[4, 8], [2, 2], [4, 2]],
            clients=[0, 0, 0],
            speeds_ghz=[1, 2, 4],
            rates_mb_s=[[0, 2, 1], [2, 0, 2], [1, 2, 0]],
            pools=[1, 1, 1],
            tiers=[0, 1, 2],
        ),
        random_chains(2, 4, 4),
    ),
    oe.PipelineProblem: Pair(
        oe.PipelineProblem([[0, 1], [0]], CHAIN_B, capacity=1),
        oe.PipelineProblem([[0, 0, 1, 1], [0, 1, 1, 2]], CHAIN_B, capacity=2),
    ),
    UploadProblem: Pair(random_upload(6, 6, wide=True), random_upload(2, 16, wide=True)),
    Depots: Pair(random_depots(1, 5, 3), random_depots(2, 30, 6)),
}

#: Further small instances: the edges of the data, and what else a class has to offer.
SPECIAL = {
    "full": random_problem(1, 6, 3),
    "ready": random_problem(3, 6, 3, ready=True, missing=0.2),
    "ties": random_problem(4, 7, 3, integer=True),
    "related": oe.MakespanProblem.related([6, 4, 4, 2], [2, 1]),
    "equal": oe.MakespanProblem.related([3, 3, 2, 2, 2], [1, 1]),
    "memory": random_problem(5, 6, 3, memory=1.2),
    "everything": random_problem(6, 6, 4, memory=1.4, ready=True, missing=0.2, integer=True),
    "one server": random_problem(7, 5, 1),
    "one task": random_problem(8, 1, 4, ready=True),
    "no time": oe.MakespanProblem([[0, 1, 0], [0, 1, 2]]),
    "idle server": oe.MakespanProblem([[1, INF, 2], [2, INF, 9]], ready=[0, 7, 0]),
    "one choice each": oe.MakespanProblem(
        np.where(np.arange(70)[:, None] % 3 == [0, 1, 2], 1, INF)
    ),
    "70 tasks, one server": oe.MakespanProblem(np.ones((70, 1))),
    "diamonds": random_cut(2, [[1], [2, 3], [4], [4], [5, 6, 8], [7], [7], [8], []]),
    "three tiers": random_cut(3, [[1, 2], [3], [3, 4], [5], [], []], n_tiers=3),
    "no link": random_cut(4, [[1], [2, 3], [3], []]).replace(sends=np.full((1, 4), INF)),
    "slowest stage": random_cut(5, [[1], [2, 3], [4], [4], []]).replace(goal="throughput"),
    "one layer": oe.CutProblem([[]], [[1.0], [2.0]], [[3.0]]),
    "no pool is busy": random_chains(4, 2, 2, pools=[INF] * 5),
    "balance": random_chains(
        3, 2, 2, pools=[INF] * 5, weights=oe.Weighting(xi=0.5, z_mode="final")
    ),
    "overtaking": oe.PipelineProblem(
        [[0, 0.5], [0]], CHAIN_B, capacity=2, service="arrival", link="device", hold=False
    ),
    "shared link": oe.PipelineProblem(
        [[0, 1], [0]],
        [CHAIN_B, [[0, 4, 1], [INF, 0, 0], [2, 1, 1], [4, 0, 0]]],
        types=[[0, 1], [1]],
        link="shared",
        goal="mean delay",
    ),
    "forced use": random_upload(9, 6).replace(use="forced"),
    "unstable split": oe.SplitProblem([-5.5, -6, -4, -1.25], [[1, 2, 5, INF]], [3]),
}

SMALL = {cls.__name__: pair.small for cls, pair in PAIRS.items()}
MIDDLE = {f"{cls.__name__}, middle": pair.middle for cls, pair in PAIRS.items()}
#: By name: all that a solver is run on.
INSTANCES = SMALL | SPECIAL | MIDDLE
#: Small instances of every class and of every variant of a class.
KINDS = (*SMALL, "diamonds", "three tiers", "slowest stage")


def best_plan(problem):
    """Return the least objective over all cuts and all orders of the devices."""
    orders = set(itertools.permutations(problem.device.tolist()))
    cuts = itertools.product(*(np.flatnonzero(row).tolist() for row in problem.options))
    plans = itertools.product(cuts, orders)
    return min(problem.objective(PipelinePlan(*plan)) for plan in plans)


@functools.cache
def optimum(instance: str) -> float:
    """Return the optimum of a small instance by listing everything, with nothing but objectives."""
    problem: Any = INSTANCES[instance]
    if isinstance(problem, oe.MakespanProblem):
        return brute_force(problem)
    if isinstance(problem, oe.SplitProblem):
        return min(problem.objective(j) for j in range(problem.n_positions))
    if isinstance(problem, oe.PipelineProblem):
        return best_plan(problem)
    if isinstance(problem, UploadProblem):
        return best_of_all_orders(problem)  # holding back makes forced use as good as best use
    if isinstance(problem, oe.OffloadingProblem) and np.isfinite(problem.pools).all():
        return 28.0  # over all schedules; tests/formulations searches them
    if isinstance(problem, oe.CutProblem):
        options = [range(problem.n_tiers)] * problem.n_layers
    else:
        allowed = problem.trips < INF if isinstance(problem, Depots) else problem.allowed
        options = [np.flatnonzero(row).tolist() for row in allowed]
    return min(problem.objective(np.array(x)) for x in itertools.product(*options))
