"""What all solvers share: solve, the run, the result, the register of solvers, options."""

import dataclasses
import itertools
import math
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import INF, WORKED, counterexample_c1, random_problem

import optedge as oe
from optedge.bridge.monitor import Monitor
from optedge.formulations.base import Problem, array_field
from optedge.solvers import registry
from optedge.solvers.registry import find_solver, range_text
from optedge.solvers.result import relative_gap


@dataclasses.dataclass(frozen=True, eq=False)
class Squares(Problem):
    """A problem of its own that offers nothing but an objective: the least square."""

    values: np.ndarray = array_field("n", negative=True)

    def objective(self, x):
        """Return the square of the entry chosen."""
        return INF if self.violations(x) else float(self.values[x]) ** 2

    def violations(self, x):
        """Return a sentence if there is no such entry."""
        return [] if 0 <= x < self.values.size else [f"there is no entry {x}."]


@pytest.fixture
def register(monkeypatch):
    """Return oe.register, with everything that the test registers forgotten afterwards."""
    registry.all_solvers()
    monkeypatch.setattr(registry, "_solvers", dict(registry._solvers))
    return oe.register


def all_on_the_first(problem, run):
    """Return the schedule that puts every task on server 0, as a plain list."""
    return [0] * problem.n_tasks


# ---------------------------------------------------------------- what is refused


def test_unknown_solver(s1):
    """A wrong name is answered with the names that exist."""
    with pytest.raises(ValueError, match=r"no solver 'simplex'.*annealing.*enumeration.*lst"):
        oe.solve(s1, "simplex")


@pytest.mark.parametrize("solver", [None, 3, ["lpt"]])
def test_what_is_no_solver(s1, solver):
    """Neither a name nor a function: TypeError."""
    with pytest.raises(TypeError, match="a name or a function"):
        oe.solve(s1, solver)


def test_wrong_problem():
    """A solver that is not made for the class of problem says so; a matrix is no problem."""
    with pytest.raises(TypeError, match="lpt is not made for Squares"):
        oe.solve(Squares([3, -1]), "lpt")
    with pytest.raises(TypeError, match="annealing is not made for Squares"):
        oe.solve(Squares([3, -1]), "annealing")
    with pytest.raises(TypeError, match="highs is not made for Squares"):
        oe.solve(Squares([3, -1]), "highs")
    with pytest.raises(TypeError, match="a problem is expected"):
        oe.solve(np.ones((2, 2)), "lpt")


@pytest.mark.parametrize(
    ("solver", "options", "error", "message"),
    [
        ("lpt", {"order": 1}, TypeError, "lpt has no option 'order'; its options: none"),
        ("annealing", {"temp": 1}, TypeError, "no option 'temp'.*start_temperature.*cooling"),
        ("annealing", {"cooling": "slow"}, TypeError, "cooling must be float, got 'slow'"),
        ("annealing", {"cooling": True}, TypeError, "cooling must be float, got True"),
        ("annealing", {"moves": 10.5}, TypeError, "moves must be int or None, got 10.5"),
        ("annealing", {"polish": 1}, TypeError, "polish must be bool, got 1"),
        ("local-search", {"descents": "all"}, TypeError, "descents must be int or None"),
        ("local-search", {"strength": 0}, ValueError, "strength must be at least 1, got 0"),
        ("random", {"draws": 0}, ValueError, "draws must be at least 1"),
        ("highs", {"kind": 3}, TypeError, "kind must be str or None"),
    ],
)
def test_wrong_options(s1, solver, options, error, message):
    """Wrong names, types and ranges are told apart, with what is valid."""
    with pytest.raises(error, match=message):
        oe.solve(s1, solver, **options)


@pytest.mark.parametrize(
    ("budgets", "message"),
    [
        ({"seed": -1}, "seed must be"),
        ({"seed": 1.5}, "seed must be"),
        ({"seed": True}, "seed must be"),
        ({"seed": None}, "seed must be"),
        ({"seed": "7"}, "seed must be"),
        ({"time_limit": -1}, "time_limit must be"),
        ({"time_limit": math.nan}, "time_limit must be"),
        ({"max_evaluations": 0}, "max_evaluations must be"),
        ({"max_evaluations": -5}, "max_evaluations must be"),
        ({"max_evaluations": 2.5}, "max_evaluations must be"),
        ({"target_gap": -0.1}, "target_gap must be"),
        ({"target_gap": math.nan}, "target_gap must be"),
        ({"threads": 0}, "threads must be"),
        ({"threads": 1.5}, "threads must be"),
    ],
)
def test_wrong_budgets(s1, budgets, message):
    """Seed and budgets are checked before anything is computed, by name."""
    with pytest.raises(ValueError, match=message):
        oe.solve(s1, "random", **{"max_evaluations": 10, **budgets})


def test_numpy_numbers_are_numbers(s1):
    """Seeds and budgets may come out of an array."""
    seed, most = np.array([3, 20])
    r = oe.solve(s1, "random", seed=seed, max_evaluations=most, time_limit=np.float64(9))
    assert r.seed == 3


@pytest.mark.parametrize(
    ("start", "message"),
    [([0, 0], "start: a solution holds 4 integers"), ([0, 0, 0, 5], "start: task 3")],
)
def test_an_infeasible_start(s1, start, message):
    """A start must be feasible; the sentence is that of the problem."""
    with pytest.raises(ValueError, match=message):
        oe.solve(s1, "local-search", start=start)


def test_declining(register, s1):
    """A solver that declines an instance stops solve with its own sentence."""

    def declines(problem, options):
        return "it has four tasks." if problem.n_tasks == 4 else None

    register("picky", declines=declines)(all_on_the_first)
    with pytest.raises(ValueError, match=r"picky declines S1: it has four tasks\."):
        oe.solve(s1.replace(name="S1"), "picky")
    assert oe.solve(random_problem(0), "picky").solution is not None


# ---------------------------------------------------------------- a user's own solver


def test_a_function_that_returns_a_list(s1):
    """The simplest heuristic: its solution is valued by the problem and bounded by solve."""
    r = oe.solve(s1, all_on_the_first)
    assert r.solver == "all_on_the_first"
    assert isinstance(r.solution, np.ndarray)
    assert (r.objective, r.bound) == (8.0, pytest.approx(16 / 3))
    assert (r.status, r.stop_reason, r.evaluations) == ("FEASIBLE", "converged", 1)
    assert r.options == {}


def test_a_function_that_offers(s1):
    """Offers keep the best; the history has a row for each improvement."""

    def search(problem, run):
        assert run.problem is problem
        assert run.evaluate(np.array([1, 1, 1, 1])) == 16.0
        assert run.offer(np.array([0, 0, 0, 0]), 8.0, evaluations=5)
        assert not run.offer(np.array([1, 0, 0, 0]), 11.0)
        assert (run.objective, run.evaluations) == (8.0, 7)

    r = oe.solve(s1, search, bound=False)
    assert r.history["objective"].tolist() == [16.0, 8.0]
    assert r.history["evaluations"].tolist() == [1, 6]
    assert r.evaluations == 7


def test_an_offer_is_copied(s1):
    """A solver may go on changing the array that it offered."""

    def search(problem, run):
        x = np.zeros(4, dtype=int)
        run.evaluate(x)
        x[:] = 1

    assert oe.solve(s1, search).solution.tolist() == [0, 0, 0, 0]


def test_an_infeasible_answer(s1):
    """A returned solution that is infeasible counts as none."""
    r = oe.solve(s1, lambda problem, run: [0, 0, 0, 9])
    assert (r.status, r.objective, r.solution) == ("UNKNOWN", INF, None)
    assert r.evaluations == 1


@pytest.mark.parametrize(
    ("claim", "caught"), [(5.0, True), (8 - 1e-4, True), (8 + 1e-4, True), (8 + 1e-7, False)]
)
def test_a_solver_that_lies_about_its_value(s1, claim, caught):
    """Values that differ from the problem's by more than 1e-6 are refused, others replaced."""

    def liar(problem, run):
        run.offer([0, 0, 0, 0], claim)

    if caught:
        with pytest.raises(
            oe.SolverError, match=r"liar valued its solution .* the problem says 8\.0"
        ):
            oe.solve(s1, liar)
    else:
        assert oe.solve(s1, liar).objective == 8.0


def test_a_solver_that_offers_what_is_infeasible(s1):
    """A finite value for an infeasible solution is a lie too."""

    def liar(problem, run):
        run.offer([0, 0, 0, 7], 1.0)

    with pytest.raises(oe.SolverError, match="the problem says inf"):
        oe.solve(s1, liar)


@pytest.mark.parametrize(
    ("bound", "caught"), [(9.0, True), (8.001, True), (INF, True), (8 + 1e-6, False)]
)
def test_a_bound_above_the_solution(s1, bound, caught):
    """A bound above the solver's own solution is refused; a little more is clipped."""

    def boaster(problem, run):
        run.evaluate([0, 0, 0, 0])
        run.raise_bound(bound)

    if caught:
        with pytest.raises(oe.SolverError, match=r"boaster claims the bound .* above 8\.0"):
            oe.solve(s1, boaster)
    else:
        r = oe.solve(s1, boaster)
        assert (r.bound, r.gap, r.status, r.proof) == (8.0, 0.0, "OPTIMAL", "search")


def test_a_bound_that_is_no_number(s1):
    """NaN proves nothing."""

    def confused(problem, run):
        run.raise_bound(math.nan)

    with pytest.raises(oe.SolverError, match="NaN"):
        oe.solve(s1, confused)


def test_a_false_certificate_is_found_by_verify(s1):
    """A solver may claim a certificate; verify recomputes it."""

    def cheat(problem, run):
        run.evaluate([0, 0, 1, 0])
        fake = oe.Certificate("weights", 6.0, {"servers": np.array([0.5, 0.5])})
        run.raise_bound(6.0, fake)

    r = oe.solve(s1, cheat)
    assert r.proof == "certificate"
    assert oe.verify(r).verdict == "does not prove it"


def test_an_error_of_the_solver_comes_through(s1):
    """An exception in a solver is not hidden."""

    def broken(problem, run):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        oe.solve(s1, broken)


def test_own_problem_class():
    """A problem that offers nothing but its objective can be solved by one's own function."""
    r = oe.solve(Squares([3.0, -1.0, 2.0]), lambda problem, run: 1)
    assert (r.objective, r.bound, r.gap, r.status) == (1.0, -INF, INF, "FEASIBLE")
    assert oe.verify(r).verdict == "no bound"
    assert len(oe.list_solvers(Squares([1.0]))) == 0


def test_ctrl_c_in_a_solver(s1):
    """KeyboardInterrupt in the solver returns what it had offered."""

    def slow(problem, run):
        run.evaluate([0, 0, 0, 0])
        raise KeyboardInterrupt

    r = oe.solve(s1, slow)
    assert (r.objective, r.stop_reason) == (8.0, "interrupted")


@pytest.mark.parametrize("when", ["between", "in HiGHS"])
def test_ctrl_c_while_the_bound_is_attached(when, monkeypatch):
    """Ctrl-C before the solver has begun ends solve, without an error and without the solver."""
    if when == "between":

        def bound(self, name):
            raise KeyboardInterrupt

        monkeypatch.setattr(oe.MakespanProblem, "bound", bound)
    else:  # while HiGHS runs a Ctrl-C is caught by the bridge
        watch = Monitor.watch

        def interrupted(self, highs, **options):
            watch(self, highs, **options)
            signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(Monitor, "watch", interrupted)
    called = []
    # A shell starts what runs in the background with Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        r = oe.solve(random_problem(0, 800, 4), lambda problem, run: called.append(1))
    except KeyboardInterrupt:
        pytest.fail("KeyboardInterrupt escaped solve.")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (r.stop_reason, r.status) == ("interrupted", "UNKNOWN")
    assert called == []


# ---------------------------------------------------------------- the register


def test_register(register, s1):
    """A registered function is known by name and by itself, with its options."""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Where(oe.Options):
        server: int = oe.option(0, "where everything goes", low=0, high=1)

    @register("all-on-one", options=Where, problems=(oe.MakespanProblem,), guarantee="none at all")
    def all_on_one(problem, options, run):
        return np.full(problem.n_tasks, options.server)

    assert oe.solve(s1, "all-on-one", server=1).objective == 16.0
    r = oe.solve(s1, all_on_one)
    assert (r.solver, r.options, r.objective) == ("all-on-one", {"server": 0}, 8.0)
    with pytest.raises(ValueError, match="server must be at least 0 and at most 1, got 2"):
        oe.solve(s1, "all-on-one", server=2)
    table = oe.list_solvers(s1).set_index("name")
    assert table.loc["all-on-one", "guarantee"] == "none at all"
    assert "server" in table.loc["all-on-one", "options"]


def test_register_twice(register):
    """A name belongs to one function; running the same cell again is fine."""
    register("mine")(all_on_the_first)
    register("mine")(all_on_the_first)
    with pytest.raises(ValueError, match="a solver 'mine' already"):
        register("mine")(lambda problem, run: None)
    with pytest.raises(ValueError, match="a solver 'lpt' already"):
        register("lpt")(all_on_the_first)
    with pytest.raises(ValueError, match="kind must be one of"):
        register("other", kind="magic")


def test_an_own_function_with_the_name_of_a_solver(s1):
    """A function that happens to be called like a registered solver is not taken for it."""

    def greedy(problem, run):
        return all_on_the_first(problem, run)

    r = oe.solve(s1, greedy)
    assert (r.solver, r.objective) == ("greedy (own)", 8.0)


def test_list_solvers(s1):
    """The table has the solvers that accept the problem, each with kind, guarantee and source."""
    table = oe.list_solvers(s1).set_index("name")
    assert {"highs", "lst", "lp-rounding", "annealing", "greedy", "random"} <= set(table.index)
    assert (table["kind"].isin(registry.KINDS)).all()
    assert table.loc["lst", "guarantee"].startswith("2 T*")
    assert (table.loc[table["kind"] != "own", "source"] != "").all()
    assert list(table.index) == sorted(table.index)


def test_source_hash_follows_the_source():
    """Another text is another hash, so that a study's store knows a changed solver."""
    solver = find_solver("lpt")
    assert solver.source_hash == find_solver("lpt").source_hash
    assert solver.source_hash != find_solver("lst").source_hash
    assert find_solver(all_on_the_first).source_hash != solver.source_hash
    typed = [eval(f"lambda problem, run: [{k}]", {"__name__": "__main__"}) for k in (0, 0, 1)]
    a, b, c = (dataclasses.replace(find_solver(f)).source_hash for f in typed)
    assert a == b != c


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"low": 1}, "at least 1"),
        ({"above": 0, "below": 1}, "above 0 and below 1"),
        ({"low": 2, "high": 5}, "at least 2 and at most 5"),
        ({"choices": ("a", "b")}, "a | b"),
        ({}, ""),
    ],
)
def test_range_text(limits, text):
    """Ranges are told in words."""
    assert range_text(dict(oe.option(3, "help", **limits).metadata)) == text


def test_options_take_whole_numbers_for_fractions(s1):
    """cooling=1e-1 and start_temperature=1 are both fine; the value is kept as a float."""
    r = oe.solve(s1, "annealing", start_temperature=1, max_evaluations=50)
    assert isinstance(r.options["start_temperature"], float)


# ---------------------------------------------------------------- results


@pytest.mark.parametrize(
    ("objective", "bound", "gap"),
    [
        (10.0, 8.0, 0.2),
        (8.0, 8.0, 0.0),
        (8.0, 8.5, 0.0),  # clipped
        (0.0, 0.0, 0.0),
        (1e-12, 0.0, 1e-3),  # relative to at least 1e-9
        (-8.0, -10.0, 0.2),
        (1.0, -1.0, 2.0),
        (INF, 3.0, INF),
        (3.0, -INF, INF),
        (INF, -INF, INF),
        (INF, INF, INF),
    ],
)
def test_gap(objective, bound, gap):
    """(objective - bound) / max(|objective|, |bound|, 1e-9); inf without either, never negative."""
    assert relative_gap(objective, bound) == pytest.approx(gap)


def test_statuses(s1, short_of_memory):
    """The four statuses, and what goes with each."""
    optimal = oe.solve(s1, "highs")
    assert (optimal.status, optimal.stop_reason, optimal.gap) == ("OPTIMAL", "optimal", 0.0)
    feasible = oe.solve(s1, "lpt")
    assert (feasible.status, feasible.stop_reason) == ("FEASIBLE", "converged")
    assert feasible.gap == pytest.approx((6 - 16 / 3) / 6)
    unknown = oe.solve(s1, "highs", kind="lp")
    assert (unknown.status, unknown.solution, unknown.objective) == ("UNKNOWN", None, INF)
    assert unknown.gap == INF
    infeasible = oe.solve(short_of_memory, "lpt")
    assert (infeasible.status, infeasible.bound) == ("INFEASIBLE", INF)
    assert str(optimal.status) == "OPTIMAL"
    assert oe.Status("OPTIMAL") is optimal.status


def test_optimal_means_a_gap_of_1e_6_whatever_the_target(s1):
    """A coarse target is met by the list rule: that is FEASIBLE, and the reason is the target."""
    r = oe.solve(s1, "annealing", target_gap=0.2)
    assert (r.status, r.stop_reason) == ("FEASIBLE", "target_gap")
    assert 1e-6 < r.gap <= 0.2
    fine = oe.solve(WORKED["S2"].problem(), "annealing", target_gap=0.2)
    assert (fine.status, fine.stop_reason) == ("OPTIMAL", "optimal")


def test_attached_bound(s1):
    """By default the best cheap bound is attached with its certificate; its time is told apart."""
    with_bound = oe.solve(counterexample_c1(3), "greedy")
    assert with_bound.bound == pytest.approx(3.57)
    assert with_bound.proof == "certificate"
    assert with_bound.certificate.kind == "deadline"
    assert with_bound.info["bound_seconds"] > 0
    without = oe.solve(s1, "greedy", bound=False)
    assert (without.bound, without.proof, without.certificate) == (-INF, "none", None)
    assert without.info["bound_seconds"] == 0


def test_compilation_is_not_runtime(s1):
    """Seconds of the compiler stand beside the runtime; the clock of the run leaves them out."""
    r = oe.solve(s1, "annealing", max_evaluations=100)
    assert r.info["compile_seconds"] >= 0
    assert 0 <= r.runtime < 60


def test_result_in_words(s1):
    """The text of a result tells solver, status, objective, bound, gap, time and reason."""
    text = repr(oe.solve(s1.replace(name="S1"), "lpt"))
    for part in ("lpt", "S1", "FEASIBLE", "objective 6", "bound 5.33333", "11.11%", "converged"):
        assert part in text


def test_a_result_cannot_be_changed(s1):
    """Results are frozen."""
    r = oe.solve(s1, "lpt")
    with pytest.raises(dataclasses.FrozenInstanceError):
        r.objective = 0.0


# ---------------------------------------------------------------- the run


def test_callback_sees_the_run(s1):
    """A callback reads incumbent, bound, gap, evaluations and clock, and stops with True only."""
    seen = []

    def watch(run):
        seen.append((run.evaluations, run.objective, run.bound, run.gap, run.seconds))
        return len(seen) == 4

    r = oe.solve(random_problem(0, 12, 3), "random", callback=watch)
    assert (len(seen), r.stop_reason) == (4, "callback")
    assert seen[0][:2] == (0, INF)
    assert all(a[0] <= b[0] and a[1] >= b[1] and a[4] <= b[4] for a, b in itertools.pairwise(seen))
    assert all(row[3] == relative_gap(row[1], row[2]) for row in seen)


def test_budgets_as_a_solver_sees_them(s1):
    """evaluations_left and time_left count down to 0 and never below."""

    def search(problem, run):
        assert (run.evaluations_left, run.threads, run.target_gap) == (10, 2, 0.25)
        assert 0 < run.time_left <= 5
        run.count(4)
        assert (run.evaluations_left, run.done()) == (6, False)
        run.count(40)
        assert (run.evaluations_left, run.done(), run.stop_reason) == (0, True, "evaluations")

    r = oe.solve(s1, search, max_evaluations=10, time_limit=5, threads=2, target_gap=0.25)
    assert r.stop_reason == "evaluations"


def test_without_limits(s1):
    """No evaluation budget is a very large number, no time limit is inf."""

    def search(problem, run):
        assert run.evaluations_left > 10**18
        assert run.time_left == INF
        assert not run.done()

    oe.solve(s1, search, time_limit=INF)


def test_the_first_reason_stands(s1):
    """A run stops once; a later reason does not replace the first."""

    def search(problem, run):
        run.stop("callback")
        run.stop("time_limit")

    assert oe.solve(s1, search).stop_reason == "callback"


def test_bounds_only_rise(s1):
    """A weaker bound changes nothing; the best certificate stays beside a better search bound."""

    def search(problem, run):
        certified = run.bound
        run.raise_bound(certified - 1)
        assert (run.bound, run.proof) == (certified, "certificate")
        run.raise_bound(5.9)
        assert (run.bound, run.proof) == (5.9, "search")
        assert run.certificate is problem.best_cheap_bound().certificate
        run.evaluate([0, 0, 0, 0])

    r = oe.solve(s1, search)
    assert (r.bound, r.certificate.value) == (5.9, pytest.approx(16 / 3))
    assert r.history["bound"].tolist() == [pytest.approx(16 / 3), 5.9, 5.9]


def test_the_generator_is_the_seeds(s1):
    """run.rng is default_rng(seed), nothing else."""

    def search(problem, run):
        assert run.rng.random() == np.random.default_rng(12).random()

    oe.solve(s1, search, seed=12)


def test_display_goes_to_stderr(s1, capsys):
    """A line of progress is shown on request; standard output stays clean."""
    r = oe.solve(s1, "annealing", display=True, max_evaluations=1000)
    assert r.objective == 6.0
    assert capsys.readouterr().out == ""


def test_what_models_need_is_imported_before_the_clock_starts():
    """In a fresh process a solver of models finds Pyomo, HiGHS and SciPy loaded already."""
    code = (
        "import sys\n"
        "import optedge as oe\n"
        "def look(problem, run):\n"
        "    wanted = ('pyomo.environ', 'highspy', 'scipy.sparse', 'optedge.bridge')\n"
        "    print(*[name in sys.modules for name in wanted])\n"
        "    return [0]\n"
        "oe.register('looks', needs=('model',))(look)\n"
        "oe.solve(oe.MakespanProblem([[1.0]]), 'looks', bound=False)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"] * 4
