"""Windows over time: carried ready times, what closes a window, measures, bounds, interrupts."""

import itertools
import warnings

import numpy as np
import pytest
from conftest import INF, brute_force, random_problem, seeds

import optedge as oe
from optedge.online.outcome import most_per_second
from optedge.solvers.result import SolverError


@pytest.fixture(scope="module")
def draw():
    """Return the reproducible draw of section 4.2: 200 tasks, 10 nodes."""
    rng = np.random.default_rng(3)
    work = rng.uniform(0.5, 1.5, 200)
    return oe.MakespanProblem.related(work, rng.uniform(10, 60, 10))


def check(r, solver="its own"):
    """Hold an outcome against its own data: order, ready times, window values, bound."""
    p, arrivals = r.problem, r.arrivals
    done = np.flatnonzero(r.done)
    closed = r.windows["closed_s"].to_numpy()[r.window[done]]
    assert (r.starts[done] >= closed).all() and (closed >= arrivals[done]).all(), solver
    spans = p.times[done, r.nodes[done]]
    assert r.ends[done] == pytest.approx(r.starts[done] + spans, rel=1e-15)
    for j in range(p.n_servers):
        mine = done[r.nodes[done] == j]
        order = mine[np.lexsort((mine, r.window[mine]))]
        free = np.append(p.ready[j], r.ends[order])
        assert (r.starts[order] >= free[:-1]).all()
        # No node idles between two tasks of which both were known.
        began = np.maximum(r.windows["closed_s"].to_numpy()[r.window[order]], free[:-1])
        assert r.starts[order] == pytest.approx(began)
    for k, row in enumerate(r.rows):
        known = done[r.window[done] <= k]
        busiest = max(p.ready.max(), r.ends[known].max())
        assert max(row.closed_s, busiest) == pytest.approx(row.closed_s + row.objective_s)
        assert row.bound_s <= row.objective_s * (1 + 1e-9)
        assert row.tasks == (r.window == k).sum()
    assert r.bound <= r.makespan


# ------------------------------------------------------------------------ by hand


def test_two_windows_by_hand():
    """Speeds 1 and 2, work 2, 1, 1, 3: windows close at 0.5 and 4, and the last task at 5.5."""
    p = oe.MakespanProblem.related([2, 1, 1, 3], [1, 2])
    r = oe.online.schedule(p, "lpt", arrivals=[0, 0.5, 1, 4], window=2)
    assert r.windows["closed_s"].tolist() == [0.5, 4]
    assert r.nodes.tolist() == [1, 0, 0, 1]
    assert r.starts.tolist() == [0.5, 0.5, 4, 4] and r.ends.tolist() == [1.5, 1.5, 5, 5.5]
    assert r.makespan == 5.5 and r.mean_response == (1.5 + 1 + 4 + 1.5) / 4
    assert r.busy.tolist() == [2, 2.5] and r.utilisation == 4.5 / (2 * 5.5)
    assert r.bounds == pytest.approx({"at once": 7 / 3, "late arrivals": 5, "single task": 5.5})
    assert r.ratio == pytest.approx(1)
    check(r)


def test_ready_times_are_carried_over():
    """All at once, one by one: a node that is busy until 3 is ready after 3 for the next window."""
    p = oe.MakespanProblem([[3, 9], [2, 3], [2, 3]], ready=[0, 1])
    r = oe.online.schedule(p, "lpt", window=1)
    assert r.nodes.tolist() == [0, 1, 0]
    assert r.windows["objective_s"].tolist() == [3, 4, 5]
    check(r)


@pytest.mark.parametrize(
    ("limits", "closed", "sizes"),
    [
        ({"window": 2}, [1, 4, 9], [2, 2, 1]),
        ({"window": None, "window_seconds": 3}, [3, 7, 12], [2, 2, 1]),
        ({"window": 2, "window_seconds": 3}, [1, 7, 12], [2, 2, 1]),
        ({"window": 3, "window_seconds": 0.5}, [0.5, 1.5, 4.5, 9.5], [1, 1, 2, 1]),
        ({"window": 1}, [0, 1, 4, 4, 9], [1, 1, 1, 1, 1]),
        ({"window": 99}, [9], [5]),
    ],
)
def test_what_closes_a_window(limits, closed, sizes):
    """Its last task by count, the clock after its first one by time, else the last arrival."""
    p = oe.MakespanProblem(np.ones((5, 2)))
    if limits.get("window") == 2 and "window_seconds" in limits:
        closed = [1, 4, 12]  # the second pair is complete at 4
    r = oe.online.schedule(p, "fcfs", arrivals=[0, 1, 4, 4, 9], **limits)
    assert r.windows["closed_s"].tolist() == closed
    assert r.windows["tasks"].tolist() == sizes
    check(r)


def test_one_window_of_everything_is_solve():
    """All tasks at once in one window: the same problem, the same values."""
    p = random_problem(0, 12, 3, ready=True)
    r = oe.online.schedule(p, "lpt", window=12)
    alone = oe.solve(p, "lpt")
    assert r.nodes.tolist() == alone.solution.tolist()
    assert (r.rows[0].objective_s, r.rows[0].bound_s) == (alone.objective, alone.bound)


@pytest.mark.parametrize("seed", seeds(30, 6))
def test_any_stream_keeps_the_rules(seed):
    """Random times, arrivals, windows, memory: order, ready times and bounds fit together."""
    rng = np.random.default_rng(seed)
    p = random_problem(seed, 15, 3, missing=0.2, ready=True, memory=1.2 if seed % 3 == 0 else 0)
    limits = [{"window": 4}, {"window": None, "window_seconds": 2.0}, {"window_seconds": 2.0}]
    arrivals = np.sort(rng.uniform(0, 60, 15))
    memory = ("window", "exclusive")[seed % 2]
    r = oe.online.schedule(p, "lpt", arrivals=arrivals, memory=memory, **limits[seed % 3])
    assert r.done.all()
    check(r)


# ------------------------------------------------------------------------ bounds


def least_makespan(p, arrivals):
    """Try all assignments; each node serves its tasks in order of arrival, which is best."""
    best = INF
    for plan in itertools.product(range(p.n_servers), repeat=p.n_tasks):
        free = list(p.ready)
        for i, j in enumerate(plan):
            free[j] = max(free[j], arrivals[i]) + p.times[i, j]
        used = {j for j in plan}
        best = min(best, max(max(free[j] for j in used), max(p.ready)))
    return best


@pytest.mark.parametrize("seed", seeds(30, 6))
def test_bounds_hold_for_who_knows_all_arrivals(seed):
    """No bound of the run exceeds the offline optimum with release times, by enumeration."""
    p = random_problem(seed, 6, 2, missing=0.2, ready=seed % 2 == 0)
    arrivals = np.sort(np.random.default_rng(seed).uniform(0, (2, 20)[seed % 2], 6))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        r = oe.online.schedule(p, "greedy", arrivals=arrivals, window=2)
    best = least_makespan(p, arrivals)
    for name, bound in r.bounds.items():
        assert bound <= best * (1 + 1e-9), name
    assert best <= max(r.makespan, p.ready.max()) + 1e-9


@pytest.mark.parametrize("seed", seeds(20, 4))
def test_window_optimum_equals_enumeration(seed):
    """Ready times and memory in the window MILP: its optimum is that of trying everything."""
    p = random_problem(seed, 8, 2, ready=True, memory=2.5)
    r = oe.online.schedule(p, "fcfs", window=4, bound="milp")
    exact = oe.online.schedule(p, "highs", window=4)
    first = oe.MakespanProblem(p.times[:4], ready=p.ready, memory=p.memory[:4], capacity=p.capacity)
    best = brute_force(first)
    assert r.rows[0].bound_s == pytest.approx(min(best, r.rows[0].objective_s))
    assert exact.rows[0].objective_s == pytest.approx(best)
    assert exact.rows[0].status == "OPTIMAL"
    # The second window with what the first one left.
    free = p.ready + np.bincount(r.nodes[:4], p.times[np.arange(4), r.nodes[:4]], 2)
    second = first.replace(times=p.times[4:], ready=free, memory=p.memory[4:])
    assert r.rows[1].bound_s == pytest.approx(brute_force(second))
    assert r.rows[1].gap == pytest.approx(1 - r.rows[1].bound_s / r.rows[1].objective_s)


# ------------------------------------------------------------------------ the draw of 200 x 10


@pytest.mark.parametrize(
    ("solver", "window", "ratio"),
    [
        ("lpt", 200, 1.00978),
        ("lpt", 20, 1.01495),
        ("fcfs", 200, 1.15797),
        ("fcfs", 20, 1.15797),
        ("round-robin", 20, 3.41569),
    ],
)
def test_rules_on_the_draw(draw, solver, window, ratio):
    """Section 4.2: bound .541699, and how far above it each rule ends."""
    r = oe.online.schedule(draw, solver, window=window)
    assert r.bound == pytest.approx(0.541699, abs=1e-6)
    assert r.ratio == pytest.approx(ratio, abs=6e-6)
    check(r)


ANTS = {
    "memory, total": {"deposit": "sum"},
    "memory, makespan": {},
    "completion": {"heuristic": "completion"},
    "basic": {"heuristic": "inverse_et"},
}


@pytest.mark.parametrize("name", ANTS)
def test_ants_on_the_draw(draw, name):
    """Basic ants end above FCFS, all others below it, by a wide margin in five seeds."""
    ants = ("atsa", ANTS[name])
    ratios = [oe.online.schedule(draw, ants, seed=s, bound=False).ratio for s in range(5)]
    if name == "basic":
        assert min(ratios) > 1.25 > 1.15797
    else:
        assert 1.0 < min(ratios) <= max(ratios) < 1.06


def test_random_nodes_are_far_worse(draw):
    """One random assignment a window is above FCFS in every seed, about 3 in the mean."""
    ratios = [
        oe.online.schedule(draw, ("random", {"draws": 1}), seed=s, bound=False).ratio
        for s in range(10)
    ]
    assert min(ratios) > 1.5 and 2.5 < np.mean(ratios) < 4


def test_equal_seeds_equal_outcomes(draw):
    """The seed of the run decides all windows, and each window draws its own."""
    p = draw.replace(times=np.tile(draw.times[:5], (40, 1)), work=None)
    first, again, other = (
        oe.online.schedule(p, ("random", {"draws": 1}), seed=s, window=5, bound=False)
        for s in (1, 1, 2)
    )
    assert first.nodes.tolist() == again.nodes.tolist() != other.nodes.tolist()
    assert len(np.unique(first.nodes.reshape(40, 5), axis=0)) == 40


# ------------------------------------------------------------------------ solvers and memory


def test_any_solver_serves_the_windows(draw):
    """A name, a name with options, a function; budgets count for each window."""
    p = draw.replace(times=draw.times[:40], work=draw.work[:40])

    def fastest(problem, run):
        return problem.times.argmin(axis=1)

    for solver in ("ant-colony", ("particle-swarm", {"particles": 10}), fastest):
        r = oe.online.schedule(p, solver, window=20, max_evaluations=300)
        assert r.windows["evaluations"].le(300).all() and len(r.rows) == 2
        check(r, r.solver)
    assert r.solver == "fastest" and (r.nodes == r.nodes[0]).all()
    assert "fastest: 40 of 40 tasks in 2 windows" in repr(r)
    assert list(r.tasks.columns)[:3] == ["arrival_s", "window", "node"] and len(r.tasks) == 40


def test_tasks_that_take_no_time():
    """Nothing is divided by zero: makespan and bound are both 0, the ratio is 1."""
    r = oe.online.schedule(oe.MakespanProblem(np.zeros((4, 2))), "atsa", window=2)
    assert (r.makespan, r.bound, r.ratio, r.utilisation, r.mean_response) == (0, 0, 1, 0, 0)


def test_memory_of_a_window_and_of_a_task():
    """What fits nowhere any more waits for the next window; one at a time all fit."""
    p = oe.MakespanProblem(np.ones((5, 2)), memory=[1] * 5, capacity=[1, 1])
    r = oe.online.schedule(p, "highs", window=3)
    assert r.windows["tasks"].tolist() == [2, 2, 1]
    assert r.windows["postponed"].tolist() == [1, 1, 0]
    assert r.window.tolist() == [0, 0, 1, 1, 2]
    check(r)
    alone = oe.online.schedule(p, "highs", window=3, memory="exclusive")
    assert alone.windows["tasks"].tolist() == [3, 2]
    small = p.replace(capacity=[1, 0.5])
    alone = oe.online.schedule(small, "fcfs", window=3, memory="exclusive")
    assert alone.nodes.tolist() == [0] * 5, "too large for the other node"


def test_a_solver_without_a_solution():
    """It is named with the tasks of its window."""
    p = oe.MakespanProblem(np.ones((4, 2)))
    words = "nothing found no solution of the window of tasks 0 to 1: converged"

    def nothing(problem, run):
        return None

    with pytest.raises(SolverError, match=words):
        oe.online.schedule(p, nothing, window=2)


def test_ctrl_c_keeps_finished_windows():
    """The third window is interrupted: the first two are there, bound and measures are theirs."""
    p = oe.MakespanProblem(np.ones((8, 2)))
    calls = []

    def impatient(problem, run):
        calls.append(run)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return [0, 1]

    r = oe.online.schedule(p, impatient, window=2)
    assert r.interrupted and "4 of 8 tasks" in repr(r) and "interrupted" in repr(r)
    assert r.nodes.tolist() == [0, 1, 0, 1, -1, -1, -1, -1]
    assert (r.makespan, r.mean_response, r.utilisation) == (2, 1.5, 1)
    assert r.bound == pytest.approx(2)
    check(r)
    calls[:] = [None, None]
    with pytest.raises(KeyboardInterrupt):
        oe.online.schedule(p, impatient, window=2)


# ------------------------------------------------------------------------ arrivals


def test_poisson_arrivals():
    """Increasing, the same for the same seed, gaps of mean 1/rate and as much spread."""
    times = oe.online.poisson(4000, 8.0, seed=1)
    gaps = np.diff(times, prepend=0)
    assert (gaps > 0).all()
    assert gaps.mean() == pytest.approx(1 / 8, rel=0.06)
    assert gaps.std() == pytest.approx(1 / 8, rel=0.06)
    assert times.tolist() == oe.online.poisson(4000, 8.0, seed=1).tolist()
    assert times.tolist() != oe.online.poisson(4000, 8.0, seed=2).tolist()


def test_too_many_arrivals_are_told_once(draw):
    """Nodes of speed 369 serve 369 tasks of mean work 1 a second: 600 warn, 200 do not."""
    most = draw.n_tasks / 0.5416987767
    assert most_per_second(draw) == pytest.approx(most)
    with pytest.warns(UserWarning, match=r"530\.3 tasks arrive a second, .* serve 369\.2") as told:
        r = oe.online.schedule(draw, arrivals=oe.online.poisson(200, 600, seed=0))
    assert len(told) == 1 and r.done.all()
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calm = oe.online.schedule(draw, arrivals=oe.online.poisson(200, 200, seed=0))
    assert calm.mean_response < r.mean_response and calm.utilisation < r.utilisation


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"arrivals": [0, 1]}, r"arrivals must hold 3 seconds, one a task, got \(2,\)"),
        ({"arrivals": [0, -1, 2]}, r"arrivals\[1\] must be a number of seconds, at least 0, got"),
        ({"arrivals": [0, np.nan, 2]}, r"arrivals\[1\] must be a number of seconds"),
        ({"arrivals": [0, 2, 1]}, r"arrivals\[2\] is earlier than arrivals\[1\]"),
        ({"arrivals": ["now"] * 3}, "arrivals must be a list of seconds"),
        ({"window": 0}, "window must be an integer, at least 1, got 0"),
        ({"window": 2.5}, "window must be an integer, at least 1, got 2.5"),
        ({"window": None}, "window or window_seconds must be given"),
        ({"window_seconds": 0}, "window_seconds must be positive seconds, got 0"),
        ({"window_seconds": INF}, "window_seconds must be positive seconds, got inf"),
        ({"memory": "none"}, "memory must be 'window' or 'exclusive', got 'none'"),
        ({"bound": "exact"}, "bound must be True, False or 'milp', got 'exact'"),
        ({"milp_seconds": 0}, "milp_seconds must be positive, got 0"),
        ({"seed": -1}, "seed must be a non-negative integer, got -1"),
        ({"solver": "ants"}, "there is no solver 'ants'"),
    ],
)
def test_bad_input_is_named(arguments, words):
    """One sentence that names the entry."""
    with pytest.raises(ValueError, match=words):
        oe.online.schedule(oe.MakespanProblem(np.ones((3, 2))), **arguments)


def test_bad_types_and_rates():
    """Another class of problem, an option that does not exist, impossible rates."""
    p = oe.MakespanProblem(np.ones((3, 2)))
    with pytest.raises(TypeError, match=r"problem must be an oe\.MakespanProblem, got list"):
        oe.online.schedule([[1, 2]])
    with pytest.raises(TypeError, match="atsa has no option 'speed'"):
        oe.online.schedule(p, ("atsa", {"speed": 1}))
    for rate in (0, -1, INF, np.nan):
        with pytest.raises(ValueError, match="rate must be a positive number of tasks a second"):
            oe.online.poisson(5, rate)
    with pytest.raises(ValueError, match="n_tasks must be an integer, at least 1, got 0"):
        oe.online.poisson(0, 1)


def test_a_bound_above_the_makespan_is_an_error():
    """Rounding is cut off; more than that is told, not hidden."""
    r = oe.online.schedule(oe.MakespanProblem([[2.0, 4.0], [3.0, 6.0]]), "lpt", window=2)
    told = "the bound 'at once' of the whole run is .*, but a schedule of 4.0 exists"
    r.__dict__["bounds"] = {"at once": r.makespan * (1 + 1e-9), "single task": 2.0}
    assert (r.bound, r.ratio) == (r.makespan, 1.0)
    r.__dict__["bounds"] = {"at once": r.makespan * 1.001, "single task": 2.0}
    with pytest.raises(SolverError, match=told):
        _ = r.bound
