"""ATSA: ants place the tasks of a window one by one, by pheromone and what a node has left."""

from __future__ import annotations

import dataclasses

import numpy as np

from optedge.formulations.base import FloatArray, IntArray
from optedge.formulations.makespan import MakespanProblem
from optedge.formulations.makespan_moves import MakespanData
from optedge.kernels import kernel
from optedge.solvers.ant_colony import trails
from optedge.solvers.code import first_code, offer_code, offer_codes
from optedge.solvers.populations import generations_within
from optedge.solvers.registry import Options, option, register
from optedge.solvers.run import Run

TAU_FLOOR = 1e-12  # least pheromone
LEAST_SHARE = 1e-9  # of a node's memory that counts as left, and of a time: nothing is 1 / 0
SPARE = 2.0  # capacity of all nodes over the memory of all tasks, where the problem has none
HEURISTICS = ("memory", "inverse_et", "completion")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AtsaOptions(Options):
    """Options of ``atsa``."""

    variant: str | None = option(
        None,
        "shorthand for deposit: published = sum, corrected = makespan",
        choices=("published", "corrected"),
    )
    deposit: str | None = option(
        None, "what an ant's pheromone is the inverse of (makespan)", choices=("makespan", "sum")
    )
    heuristic: str = option("memory", "what attracts beside pheromone", choices=HEURISTICS)
    memory: str = option(
        "window",
        "memory in use: that of all tasks of the window, or of the task alone",
        choices=("window", "exclusive"),
    )
    ants: int = option(20, "assignments built in each iteration", low=1)
    iterations: int = option(60, "iterations, unless max_evaluations is given", low=1)
    alpha: float = option(1.0, "exponent of the pheromone", low=1, high=10)
    beta: float = option(5.0, "exponent of the heuristic", low=1, high=10)
    rho: float = option(0.5, "share of the pheromone lost in an iteration", low=0, high=1)
    q: float = option(5.0, "pheromone left by an ant whose makespan or sum is a mean time", above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.variant is not None and self.deposit is not None:
            raise TypeError("give variant or deposit, not both: variant is shorthand for it.")
        if self.deposit is None:
            rule = "sum" if self.variant == "published" else "makespan"
            object.__setattr__(self, "deposit", rule)
            object.__setattr__(self, "variant", None)  # so that the options can be given again


@register(
    "atsa",
    options=AtsaOptions,
    problems=(MakespanProblem,),
    kind="metaheuristic",
    source="Xu et al. 2020 (ATSA), eqs. (1)-(4); Dorigo, Maniezzo, Colorni 1996 (Ant System)",
)
def schedule_by_ants(problem: MakespanProblem, options: AtsaOptions, run: Run) -> None:
    r"""Let ants build assignments task by task; each leaves pheromone on the pairs that it used.

    Task i goes to node j with probability proportional to :math:`\tau_{ij}^\alpha
    \eta_{ij}^\beta`. After each iteration

    .. math:: \tau \leftarrow (1 - \rho) \tau + \sum_{\text{ants}} Q / Z
       \quad\text{on the pairs used.}

    Literally, :math:`\eta_{ij} = 1 - \mu_j` with :math:`\mu_j` the share of the memory of j that
    tasks placed before occupy (``heuristic="memory"``), and Z is the sum of all execution times
    (``deposit="sum"``). ``heuristic="inverse_et"`` is the basic ant colony, :math:`1/ET_{ij}`;
    ``"completion"`` is the inverse of when j would be done with i.

    Notes
    -----
    Departures from the paper, and what it leaves open:

    (a) Z is the makespan, ready times included: the total time is least where every task is on its
    fastest node, which balances nothing. ``"sum"``, or ``variant="published"``, is literal. (b)
    The published heuristic knows memory only; the other two know times. (c) A node where the task
    does not fit (:math:`\mu_j + q_i/P_j > 1`) is forbidden; the published :math:`\eta` would turn
    negative. An ant without a node left is dead and leaves nothing. Memory is free again at the
    end of the window; with ``memory="exclusive"`` :math:`\mu_j` is the share of the task itself,
    since tasks run one at a time. The memory rows of the problem hold under either rule. A problem
    without memory gets one: a task needs its size, nodes have capacity in proportion to their
    speed (which is when the published heuristic works), together twice the need, and none is
    forbidden. (d) Tasks have times of their own; literally all are alike. (e) The first pheromone
    is 1 / mean(ET), the least 1e-12. (f) The best assignment is kept, but leaves nothing by
    itself; times are divided by their mean, so that results do not depend on their unit. (g)
    :math:`1 \le \alpha, \beta \le 10` as in eq. (2). Ants, iterations and :math:`\delta = 1` are
    ours.

    References
    ----------
    Xu, Zhang, Kadoch, Cheriet, EURASIP J. Wireless Com. Network. 2020:211; Dorigo, Maniezzo,
    Colorni, IEEE Trans. SMC-B 26 (1996).
    """
    if run.start is not None:
        offer_code(problem, run, problem.encode(run.start))
    data, unit = problem.data, mean_time(problem)
    share, rule = memory_shares(problem), HEURISTICS.index(options.heuristic)
    if rule == 0 and options.memory == "exclusive":
        rule = len(HEURISTICS)
    trail = np.ones(problem.times.shape)  # 1 / mean(ET), in units of mean(ET)
    for t in range(generations_within(run, options.ants, options.iterations)):
        if run.done():
            return
        u = run.rng.random((options.ants, problem.n_tasks))
        attraction = trail**options.alpha
        tours = build_tours(data, unit, share, attraction, rule, options.beta, u)
        tours = tours[: run.evaluations_left]
        alive = tours[(tours >= 0).all(axis=1)]
        run.count(len(tours) - len(alive))
        spent = offer_codes(problem, run, alive) if len(alive) else np.zeros(0)
        if t == 0 and not np.isfinite(run.objective) and not run.done():
            first_code(problem, run)  # all ants are dead: the list rule may do
        if options.deposit == "sum":
            spent = np.where(problem.eligible, problem.times, 0)[
                np.arange(problem.n_tasks), alive
            ].sum(axis=1)
        trail *= 1.0 - options.rho
        left = options.q / np.maximum(spent / unit, LEAST_SHARE)
        trail += trails(alive, left, trail.shape)
        np.maximum(trail, TAU_FLOOR, out=trail)


def mean_time(problem: MakespanProblem) -> float:
    """Return the mean time of the pairs that may be used, in seconds; 1 if all are zero."""
    return float(problem.times[problem.eligible].mean()) or 1.0


def memory_shares(problem: MakespanProblem) -> FloatArray:
    """Return the share of each node's memory that each task needs, (n_tasks, n_servers).

    Without memory in the problem a task needs its size, and the capacity of a node is in proportion
    to its speed, in all ``SPARE`` times the need.
    """
    if problem.memory is not None and problem.capacity is not None:
        need, capacity = problem.memory, problem.capacity
    else:
        need = np.maximum(problem.sizes, LEAST_SHARE * mean_time(problem))
        allowed = np.where(problem.eligible, problem.times, 0.0)
        done = (problem.eligible * need[:, None]).sum(axis=0)
        speed = done / np.maximum(allowed.sum(axis=0), LEAST_SHARE * mean_time(problem))
        capacity = speed * (SPARE * need.sum() / speed.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        share = need[:, None] / capacity
    return np.where(np.isfinite(share), share, 0.0)


@kernel
def build_tours(
    data: MakespanData,
    unit: float,
    share: FloatArray,
    attraction: FloatArray,
    rule: int,
    beta: float,
    u: FloatArray,
) -> IntArray:
    """Return the node of each task for each ant (n_ants, n_tasks); -1 from where an ant is dead.

    Parameters
    ----------
    data
        Of the problem: times, ready times, memory.
    unit
        Seconds that count as 1.
    share
        Share of each node's memory that a task needs, (n_tasks, n_servers).
    attraction
        Pheromone with its exponent, (n_tasks, n_servers).
    rule
        Place of the heuristic in ``HEURISTICS``; 3 for memory of the task alone.
    beta
        Exponent of the heuristic.
    u
        Uniform random numbers, (n_ants, n_tasks).
    """
    n, m = data.times.shape
    tours = np.full(u.shape, -1, np.int64)
    weight, load, used, taken = np.empty(m), np.empty(m), np.empty(m), np.empty(m)
    for ant in range(u.shape[0]):
        load[:] = data.ready
        used[:], taken[:] = 0.0, 0.0
        for i in range(n):
            total, last = 0.0, -1
            for j in range(m):
                weight[j] = 0.0
                if data.times[i, j] == np.inf:
                    continue
                if data.capacity.size and used[j] + data.memory[i] > data.capacity[j]:
                    continue
                if rule == 0:
                    eta = 1.0 - taken[j]
                elif rule == 1:
                    eta = unit / max(data.times[i, j], LEAST_SHARE * unit)
                elif rule == 2:
                    eta = unit / max(load[j] + data.times[i, j], LEAST_SHARE * unit)
                else:
                    eta = 1.0 - share[i, j]
                weight[j] = attraction[i, j] * max(eta, LEAST_SHARE) ** beta
                total += weight[j]
                last = j
            if last < 0:
                break  # no node has room: this ant is dead
            mark = u[ant, i] * total
            for j in range(m):
                mark -= weight[j]
                if mark < 0.0 and weight[j] > 0.0:
                    last = j
                    break
            tours[ant, i] = last
            load[last] += data.times[i, last]
            used[last] += data.memory[i]
            taken[last] += share[i, last]
    return tours
