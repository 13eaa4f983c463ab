"""General packages on codes of integers, each as a user of that package would write it.

Every peer searches integer codes: entry d is which of its options the d-th decision that has a
choice takes. A class of codes says what one costs: :class:`MakespanCodes` here by one
``numpy.bincount`` of the loads, of a whole population at once where the package asks for one;
``evaluations`` has others for offloading. Parameters are the packages' defaults or, where there is
none, those of their documentation; what else was chosen is said in the docstring of the peer. All
start from random codes, as the packages do.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import optedge as oe


class TimeUp(Exception):
    """The time limit has passed; raised by the evaluation, whatever package calls it."""


class Codes:
    """Integer codes as the peers see them: what they cost, a clock, and the best so far.

    A subclass gives :meth:`value`, and :meth:`values` if it can price many at once.

    Parameters
    ----------
    choices
        Which options each decision has, ``(n_decisions, n_options)``.
    """

    def __init__(self, choices: np.ndarray) -> None:
        counts = choices.sum(axis=1)
        self.free = np.flatnonzero(counts > 1)
        self.counts = counts[self.free]
        self._fixed = choices.argmax(axis=1)
        # The options of each free decision come first in its row.
        self._options = np.argsort(~choices[self.free], axis=1, kind="stable")
        self._row = np.arange(self.free.size)
        self.start_clock(np.inf)

    def value(self, code: np.ndarray) -> float:
        """Return the cost of one code, shape (n_free,)."""
        raise NotImplementedError

    def values(self, codes: np.ndarray) -> np.ndarray:
        """Return the cost of each code, shape (k, n_free)."""
        return np.array([self.value(code) for code in codes])

    def start_clock(self, seconds: float) -> None:
        """Forget what was found and let ``seconds`` run from now."""
        self.evaluations = 0
        self.best = np.inf
        self.best_code = np.zeros(self.free.size, dtype=np.int64)
        self._until = time.perf_counter() + seconds

    def cost(self, code: np.ndarray) -> float:
        """Return the cost of one code, shape (n_free,); note it, and look at the clock."""
        value = self.value(code)
        self.evaluations += 1
        if value < self.best:
            self.best, self.best_code = value, code.copy()
        if time.perf_counter() > self._until:
            raise TimeUp
        return value

    def costs(self, codes: np.ndarray) -> np.ndarray:
        """Return the cost of each code, shape (k, n_free); note them, and look at the clock."""
        values = self.values(codes)
        self.evaluations += len(values)
        least = int(values.argmin())
        if values[least] < self.best:
            self.best, self.best_code = float(values[least]), codes[least].copy()
        if time.perf_counter() > self._until:
            raise TimeUp
        return values

    def random(self, rng: np.random.Generator, k: int) -> np.ndarray:
        """Return ``k`` codes drawn evenly, shape (k, n_free)."""
        return (rng.random((k, self.free.size)) * self.counts).astype(np.int64)

    def decisions(self, codes: np.ndarray) -> np.ndarray:
        """Return the option of every decision, also of those without a choice, (k, n_decisions)."""
        x = np.repeat(self._fixed[None], len(codes), axis=0)
        x[:, self.free] = self._options[self._row, codes]
        return x

    def assignment(self) -> np.ndarray:
        """Return the option of every decision in the best code."""
        return np.asarray(self.decisions(self.best_code[None])[0])


class MakespanCodes(Codes):
    """Which of its eligible servers each task goes to; the cost is the makespan.

    Parameters
    ----------
    problem
        The instance, without memory.
    """

    def __init__(self, problem: oe.MakespanProblem) -> None:
        super().__init__(problem.eligible)
        self.n_servers = problem.n_servers
        bound_to = np.setdiff1d(np.arange(problem.n_tasks), self.free)
        self._base = problem.ready + np.bincount(
            self._fixed[bound_to],
            problem.times[bound_to, self._fixed[bound_to]],
            problem.n_servers,
        )
        self._times = np.take_along_axis(problem.times[self.free], self._options, axis=1)

    def value(self, code: np.ndarray) -> float:
        """Return the makespan of one code, shape (n_free,)."""
        servers, seconds = self._options[self._row, code], self._times[self._row, code]
        return float((self._base + np.bincount(servers, seconds, self.n_servers)).max())

    def values(self, codes: np.ndarray) -> np.ndarray:
        """Return the makespan of each code, shape (k, n_free)."""
        k = codes.shape[0]
        lane = self._options[self._row, codes] + self.n_servers * np.arange(k)[:, None]
        seconds = self._times[self._row, codes]
        loads = np.bincount(lane.ravel(), seconds.ravel(), k * self.n_servers)
        return np.asarray((self._base + loads.reshape(k, -1)).max(axis=1))


Peer = Callable[[Codes, float, int], None]


def random_search(codes: Codes, seconds: float, seed: int) -> None:
    """Draw codes, a thousand at a time: what any search must beat."""
    rng = np.random.default_rng(seed)
    while True:
        codes.costs(codes.random(rng, 1000))


def simulated_annealing(codes: Codes, seconds: float, seed: int) -> None:
    """Run simanneal: one decision to another of its options a move; the schedule from its ``auto``.

    The package takes a number of steps, not a time. ``auto`` (its documented way to temperatures)
    runs first and counts; the steps are then set to fill nine tenths of what is left, so that the
    cooling reaches its end.
    """
    from simanneal import Annealer

    counts = codes.counts.tolist()
    began = time.perf_counter()

    class Placement(Annealer):
        copy_strategy = "method"

        def move(self) -> None:
            i = random.randrange(len(counts))
            self.state[i] = (self.state[i] + 1 + random.randrange(counts[i] - 1)) % counts[i]

        def energy(self) -> float:
            return codes.cost(self.state)

        def update(self, *facts: Any, **more: Any) -> None:
            """Print nothing."""

    random.seed(seed)
    with _kept_interrupt():
        annealer = Placement(codes.random(np.random.default_rng(seed), 1)[0])
        schedule = annealer.auto(minutes=seconds / 60)
        spent = time.perf_counter() - began
        rate = codes.evaluations / spent
        schedule["steps"] = max(100, int(0.9 * (seconds - spent) * rate))
        annealer.set_schedule(schedule)
        annealer.anneal()


@contextlib.contextmanager
def _kept_interrupt() -> Any:
    """Put Ctrl-C back as it was: simanneal takes it over."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def mealpy_particle_swarm(codes: Codes, seconds: float, seed: int) -> None:
    """Run mealpy's ``PSO.OriginalPSO`` with its default parameters (100 particles)."""
    from mealpy import PSO

    _mealpy(PSO.OriginalPSO(epoch=100_000), codes, seconds, seed)


def mealpy_genetic(codes: Codes, seconds: float, seed: int) -> None:
    """Run mealpy's ``GA.BaseGA`` with its default parameters (100 individuals)."""
    from mealpy import GA

    _mealpy(GA.BaseGA(epoch=100_000), codes, seconds, seed)


def _mealpy(optimizer: Any, codes: Codes, seconds: float, seed: int) -> None:
    from mealpy import IntegerVar

    highest = codes.counts - 1

    def cost(x: np.ndarray) -> float:
        return codes.cost(np.clip(np.rint(x).astype(np.int64), 0, highest))

    bounds = IntegerVar(lb=np.zeros(highest.size), ub=highest, name="option")
    problem = {"bounds": bounds, "minmax": "min", "obj_func": cost, "log_to": None}
    optimizer.solve(problem, seed=seed, termination={"max_time": 1 + 2 * seconds})


def pymoo_genetic(codes: Codes, seconds: float, seed: int) -> None:
    """Run pymoo's ``GA`` (100 individuals) with the integer operators of its documentation."""
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.core.problem import Problem
    from pymoo.operators.crossover.sbx import SBX
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.repair.rounding import RoundingRepair
    from pymoo.operators.sampling.rnd import IntegerRandomSampling
    from pymoo.optimize import minimize

    class Placement(Problem):
        def __init__(self) -> None:
            super().__init__(n_var=codes.counts.size, n_obj=1, xl=0, xu=codes.counts - 1, vtype=int)

        def _evaluate(self, x: np.ndarray, out: dict[str, Any], *args: Any, **more: Any) -> None:
            out["F"] = codes.costs(x.astype(np.int64))

    method = GA(
        pop_size=100,
        sampling=IntegerRandomSampling(),
        crossover=SBX(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        mutation=PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    minimize(Placement(), method, ("n_gen", 10**9), seed=seed, verbose=False)


def pygad_genetic(codes: Codes, seconds: float, seed: int) -> None:
    """Run PyGAD on integer genes: population 100 of which 50 mate, 1 % of the genes mutated.

    The package has no default for the first two numbers. Its default of 10 % mutated genes does
    far worse on the makespan (47 % above the bound against 2 % after 3 s). The whole population is
    one batch.
    """
    import pygad

    quiet = logging.getLogger("optedge.benchmarks.pygad")  # it would log the end of the time
    quiet.addHandler(logging.NullHandler())
    quiet.propagate = False

    def fitness(ga: Any, population: np.ndarray, indices: Any) -> np.ndarray:
        return -codes.costs(np.atleast_2d(population).astype(np.int64))

    ga = pygad.GA(
        num_generations=10**9,
        sol_per_pop=100,
        num_parents_mating=50,
        num_genes=codes.counts.size,
        gene_type=int,
        gene_space=[range(int(c)) for c in codes.counts],
        fitness_func=fitness,
        fitness_batch_size=100,
        mutation_percent_genes=1,
        random_seed=seed,
        suppress_warnings=True,
        logger=quiet,
    )
    ga.run()


def scipy_dual_annealing(codes: Codes, seconds: float, seed: int) -> None:
    """Run SciPy's ``dual_annealing``, default temperatures, without its gradient descent.

    The cost is constant between integers, so that the L-BFGS-B descent would spend n + 1
    evaluations to see a gradient of zero.
    """
    from scipy.optimize import dual_annealing

    highest = codes.counts - 1

    def cost(x: np.ndarray) -> float:
        return codes.cost(np.minimum(x.astype(np.int64), highest))

    dual_annealing(
        cost,
        list(zip(np.zeros(highest.size), codes.counts, strict=True)),
        maxiter=10**9,
        maxfun=10**12,
        no_local_search=True,
        rng=seed,
    )


@dataclasses.dataclass(frozen=True)
class Effort:
    """What one run of a peer did.

    Parameters
    ----------
    decisions
        The option of every decision in its best code.
    value
        What the peer's evaluation said of it.
    evaluations, seconds
        Codes priced, and the time of the whole run.
    note
        How it ended.
    """

    decisions: np.ndarray
    value: float
    evaluations: int
    seconds: float
    note: str


def run_peer(codes: Codes, peer: Peer, seconds: float, seed: int) -> Effort:
    """Let a peer search until it ends or the time is up."""
    codes.start_clock(seconds)
    began = time.perf_counter()
    try:
        peer(codes, seconds, seed)
        ended = "ended by itself"
    except TimeUp:
        ended = "time limit"
    spent = time.perf_counter() - began
    return Effort(codes.assignment(), codes.best, codes.evaluations, spent, ended)


PEERS: dict[str, Peer] = {
    "random search": random_search,
    "simanneal": simulated_annealing,
    "scipy dual_annealing": scipy_dual_annealing,
    "mealpy PSO": mealpy_particle_swarm,
    "mealpy GA": mealpy_genetic,
    "pymoo GA": pymoo_genetic,
    "pygad GA": pygad_genetic,
}
