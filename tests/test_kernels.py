"""Compiled kernels: moves priced by difference, their fallback, the cache and what keys it."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from conftest import (
    INF,
    all_plans,
    examples,
    no_exchange_helps,
    plain_loads,
    plain_makespan,
    problems,
    random_problem,
)
from hypothesis import assume, given
from hypothesis import strategies as st

import optedge as oe
from optedge import kernels
from optedge.formulations.base import Problem, array_field
from optedge.formulations.makespan_moves import MakespanData
from optedge.solvers.code import descent

FIELDS = [  # kinds of instance for random walks
    {},
    {"missing": 0.4},
    {"ready": True, "integer": True},
    {"memory": 1.05},
    {"memory": 1.2, "ready": True, "missing": 0.3},
]


# ---------------------------------------------------------------- a problem without own descent


class ToyData(NamedTuple):
    """What the toy's moves read."""

    costs: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Toy(Problem):
    """Choose an option for each decision; neighbours with the same option pay 1."""

    table: np.ndarray = array_field("n", "options")

    def objective(self, x):
        """Return the cost of the options and of equal neighbours."""
        return float(self.costs(np.asarray(x)[None])[0])

    def violations(self, x):
        """Return nothing: every code is a solution."""
        return []

    @property
    def choices(self):
        """Everything is allowed."""
        return np.ones(self.table.shape, dtype=bool)

    def costs(self, codes):
        """Return the cost of each row."""
        own = self.table[np.arange(self.table.shape[0]), codes].sum(axis=1)
        return own + (codes[:, 1:] == codes[:, :-1]).sum(axis=1)

    @property
    def data(self):
        """The arrays of the compiled moves."""
        return ToyData(self.table)

    def decode(self, code):
        """Return the solution of a code."""
        return code.copy()

    def encode(self, x):
        """Return the code of a solution."""
        return np.array(x)


@kernels.kernel
def toy_cost(data, x):
    """Return the whole cost of ``x``."""
    cost = 0.0
    for i in range(x.size):
        cost += data.costs[i, x[i]]
        if i > 0 and x[i] == x[i - 1]:
            cost += 1.0
    return cost


def toy_start(data, x):
    """Need no state but the cost."""
    return np.full(1, toy_cost(data, x))


def toy_price(data, state, x, i, k):
    """Price anew: slow and certainly right."""
    before = x[i]
    x[i] = k
    cost = toy_cost(data, x)
    x[i] = before
    return cost


def toy_apply(data, state, x, i, k):
    """Change the code."""
    x[i] = k


@pytest.fixture(scope="module")
def toy():
    """Give the toy its moves, and take them away again.

    An overload from outside of the package changes the cache folder: with one that is given for
    good, this process would compile anew what other processes have compiled.
    """
    compiled = {k: k.dispatcher for k in kernels._kernels if "dispatcher" in vars(k)}
    moves = {kernels.start: toy_start, kernels.price: toy_price, kernels.apply: toy_apply}
    for generic, body in moves.items():
        kernels.overload(generic, ToyData)(body)
    yield
    for generic in moves:
        del kernels._overloads[generic.__name__, ToyData]
    kernels.cache_folder.cache_clear()
    for k in kernels._kernels:
        vars(k).pop("dispatcher", None)
    for k, dispatcher in compiled.items():
        vars(k)["dispatcher"] = dispatcher


# ---------------------------------------------------------------- what is compiled


@kernels.kernel
def doubled(number):
    """Return twice the number, for another kernel."""
    return 2 * number


@kernels.kernel
def both_ways(number):
    """Call it with a constant and with a number."""
    return doubled(3) + doubled(number)


def test_a_constant_is_compiled_as_any_number():
    """Numba by itself would compile the called kernel once for 3 and once for all numbers."""
    assert both_ways(4) == 14
    assert len(doubled.dispatcher.signatures) == 1


# ---------------------------------------------------------------- costs and moves


@pytest.mark.parametrize("fields", FIELDS)
def test_costs_of_random_codes(fields):
    """Costs are the objective of each row, inf for unreachable servers and for too much memory."""
    p = random_problem(1, 9, 4, **fields)
    codes = np.random.default_rng(0).integers(0, 4, (300, 9))
    expected = [plain_makespan(p, x) for x in codes.tolist()]
    np.testing.assert_allclose(p.costs(codes), expected, rtol=1e-12)
    assert p.costs(codes[:0]).shape == (0,)
    assert p.costs(codes[:1].astype(np.int32)) == p.costs(codes[:1])
    assert p.costs(codes[0:9:3].tolist()).shape == (3,)


@pytest.mark.parametrize("fields", FIELDS)
def test_moves_priced_by_difference(fields):
    """Over 400 moves price is the objective of the code after the move, and apply makes it."""
    p = random_problem(2, 9, 4, **fields)
    rng = np.random.default_rng(3)
    options = [np.flatnonzero(row) for row in p.choices]
    x = np.array([rng.choice(o) for o in options])
    state = kernels.start(p.data, x)
    # No schedule takes longer than all tasks on their slowest servers, one after the other.
    longest = p.ready.max() + np.where(p.choices, p.times, 0).max(axis=1).sum()
    overflows = 0
    for _ in range(400):
        i = int(rng.integers(9))
        k = int(rng.choice(options[i]))
        before, kept = x.copy(), state.copy()
        priced = kernels.price(p.data, state, x, i, k)
        np.testing.assert_array_equal(x, before)
        np.testing.assert_array_equal(state, kept)
        x_after = x.copy()
        x_after[i] = k
        expected = plain_makespan(p, x_after.tolist())
        if expected < INF:
            assert priced == pytest.approx(expected, rel=1e-12)
        else:
            overflows += 1
            assert longest < priced < INF
        if rng.random() < 0.7:
            kernels.apply(p.data, state, x, i, k)
            np.testing.assert_array_equal(x, x_after)
    np.testing.assert_allclose(state, kernels.start(p.data, x), rtol=1e-9, atol=1e-9)
    assert (overflows > 0) == (p.memory is not None)


@given(problems(max_tasks=4), st.data())
@examples(100)
def test_overflow_costs_more_than_any_schedule(problem, data):
    """However little memory is exceeded, the price is finite and above every makespan."""
    assume(problem.memory is not None)
    factor = data.draw(st.sampled_from([1.0, 1e-3, 1e3]))
    shares = data.draw(st.lists(st.floats(0.7, 1.3), min_size=4, max_size=4))
    memory = factor * problem.memory * np.array(shares[: problem.n_tasks])
    capacity = factor * problem.capacity + memory.max()
    p = problem.replace(memory=memory, capacity=capacity)
    codes = [x for x in all_plans(p) if all(p.choices[i, j] for i, j in enumerate(x))]
    priced = {}
    for x in codes:
        code = np.array(x)
        state = kernels.start(p.data, code)
        priced[x] = kernels.price(p.data, state, code, 0, x[0])
    longest = max(max(plain_loads(p, x)) for x in codes)
    assume(longest > 0)
    for x, price in priced.items():
        if plain_makespan(p, x) == INF:
            assert longest < price < INF
        else:
            assert price == pytest.approx(plain_makespan(p, x), rel=1e-9)


def test_overflow_is_less_the_less_memory_is_exceeded():
    """A search is led back: of two overfull codes the one nearer to the capacity is cheaper."""
    p = oe.MakespanProblem(np.ones((5, 2)), memory=[2.0] * 5, capacity=[5.0, 6.0])
    prices = []
    for on_the_first in (5, 4, 3):
        x = np.array([0] * on_the_first + [1] * (5 - on_the_first))
        prices.append(kernels.price(p.data, kernels.start(p.data, x), x, 0, 0))
    assert prices[0] > prices[1] > prices[2] > p.objective([0, 0, 1, 1, 1]) == 3.0


# ---------------------------------------------------------------- descents


@given(problems(max_tasks=7), st.integers(0, 10**6))
@examples(150)
def test_descend_ends_in_a_local_optimum(problem, seed):
    """From a random code: never worse, nothing helps in the end, and the state fits the code."""
    rng = np.random.default_rng(seed)
    x = np.array([rng.choice(np.flatnonzero(row)) for row in problem.choices])
    before = plain_makespan(problem, x.tolist())
    state = kernels.start(problem.data, x)
    priced, local = kernels.descend(problem.data, state, x, problem.choices, 10**9)
    assert local
    assert priced >= 0
    assert all(problem.choices[i, j] for i, j in enumerate(x))
    np.testing.assert_allclose(state, kernels.start(problem.data, x), rtol=1e-9, atol=1e-9)
    after = plain_makespan(problem, x.tolist())
    assert after <= before
    if after < INF:
        assert no_exchange_helps(problem, x.tolist())


def test_equally_busy_servers_may_swap():
    """Two busiest servers whose tasks would take no time on the other one exchange them."""
    p = oe.MakespanProblem([[4.0, 0.0], [0.0, 4.0]])
    x = np.array([0, 1])
    descent(p.data, x, p.choices, 100)
    assert x.tolist() == [1, 0]


def test_descend_within_a_limit():
    """At most ``limit`` moves are priced; cut off, the code is as good as it got, and says so."""
    p = random_problem(0, 60, 5)
    whole = np.zeros(60, dtype=np.int64)
    total, local = descent(p.data, whole, p.choices, 10**9)
    assert local
    values = [p.objective(np.zeros(60, dtype=int))]
    for limit in (0, 1, 50, total // 2, total - 1, total):
        x = np.zeros(60, dtype=np.int64)
        priced, local = descent(p.data, x, p.choices, limit)
        assert priced <= limit
        assert local == (limit == total)
        values.append(p.objective(x))
    assert values == sorted(values, reverse=True)
    assert values[0] == values[1] == values[2]
    assert values[-1] == p.objective(whole)


def test_member_lists_grow():
    """All tasks start on one server and nearly all must go to another one: no list overflows."""
    times = np.column_stack([np.full(200, 50.0), np.full(200, 60.0), np.full(200, 0.5)])
    p = oe.MakespanProblem(times)
    x = np.zeros(200, dtype=np.int64)
    _, local = descent(p.data, x, p.choices, 10**9)
    assert local
    assert np.bincount(x, minlength=3)[2] > 195
    assert no_exchange_helps(p, x.tolist())


# ---------------------------------------------------------------- the fallback


@pytest.mark.usefixtures("toy")
def test_reassign_is_the_descent_of_a_problem_without_one():
    """The compiled descent of the toy is single reassignment, ended where none helps."""
    assert kernels.gives(MakespanData, kernels.descend)
    assert not kernels.gives(ToyData, kernels.descend)
    p = Toy(np.random.default_rng(0).uniform(0, 2, (12, 4)))
    assert p.offers == {"code", "enumerable"}
    assert kernels.gives(type(p.data), kernels.price)
    x = np.zeros(12, dtype=np.int64)
    priced, local = descent(p.data, x, p.choices, 10**6)
    assert local
    assert priced >= 12 * 3
    for i in range(12):
        for k in range(4):
            y = x.copy()
            y[i] = k
            assert p.objective(y) >= p.objective(x) - 1e-12
    cut = np.zeros(12, dtype=np.int64)
    assert descent(p.data, cut, p.choices, 5) == (5, False)


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("solver", ["local-search", "annealing", "random", "enumeration"])
def test_a_new_problem_gets_all_searches(solver):
    """Three kernels and a cost function are enough for every search on codes."""
    p = Toy(np.random.default_rng(1).uniform(0, 2, (7, 3)))
    best = oe.solve(p, "enumeration").objective
    r = oe.solve(p, solver, max_evaluations=3**7)
    assert r.objective == pytest.approx(p.objective(r.solution))
    assert r.objective <= best + (2.0 if solver == "random" else 1e-9)
    assert (r.bound > -INF) == (solver == "enumeration")


# ---------------------------------------------------------------- what is refused


@pytest.mark.usefixtures("toy")
def test_overload_with_other_parameters():
    """A body must take the parameters of its stub, by name; the sentence lists both."""
    with pytest.raises(
        ValueError, match=r"price takes .*'state', 'x', 'i', 'k'.*got \['data', 'x'\]"
    ):

        @kernels.overload(kernels.price, ToyData)
        def wrong(data, x):
            return 0.0

    with pytest.raises(ValueError, match="start takes the parameters"):
        kernels.overload(kernels.start, ToyData)(lambda problem, x: x)
    assert kernels.gives(ToyData, kernels.price)


def test_overload_of_what_is_not_generic():
    """Only the generic names can be given a body; the sentence lists them."""
    known = r"\['start', 'price', 'apply', 'guide', 'propose', 'settle', 'descend'\]"
    with pytest.raises(ValueError, match=f"no generic kernel: {known}"):
        kernels.overload(toy_cost, ToyData)


@pytest.mark.usefixtures("toy")
def test_data_without_kernels():
    """Asking for the moves of a type that gives none is a TypeError that names both."""
    with pytest.raises(TypeError, match="dict gives no kernel 'price'"):
        kernels.price({}, None, np.zeros(1), 0, 0)
    with pytest.raises(TypeError, match="ToyData gives no kernel 'descend'"):
        p = Toy(np.ones((2, 2)))
        kernels.descend(p.data, None, np.zeros(2), p.choices, 1)


def test_the_plain_function_is_kept():
    """A kernel's Python function is there for debugging, and gives the same result."""
    data, x = ToyData(np.arange(6.0).reshape(3, 2)), np.array([0, 0, 1])
    assert toy_cost.__name__ == "toy_cost"
    assert toy_cost(data, x) == toy_cost.python(data, x) == 0 + 2 + 5 + 1


def test_the_compiler_is_timed():
    """Seconds of compiling or loading are counted once something was called."""
    toy_cost(ToyData(np.ones((1, 1))), np.zeros(1, dtype=np.int64))
    assert kernels.compile_seconds() > 0
    assert kernels.cache_misses() >= 0


# ---------------------------------------------------------------- the cache, in fresh processes


def run_script(script, cache, *folders):
    """Run a script in a fresh process with its own cache folder; return the words it prints."""
    environment = dict(os.environ, NUMBA_CACHE_DIR=str(cache), PYTHONPATH=os.pathsep.join(folders))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=cache,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


REASSIGN = """
    import numpy as np
    import optedge as oe
    from optedge import kernels
    p = oe.MakespanProblem(np.random.default_rng(0).uniform(1, 9, (12, 3)))
    x = np.zeros(12, dtype=np.int64)
    kernels.reassign(p.data, kernels.start(p.data, x), x, p.choices, 10**6)
    print(p.objective(x), kernels.cache_misses(), kernels.cache_folder().name, oe.__file__)
"""


@pytest.mark.slow
def test_an_edited_callee_is_compiled_anew(tmp_path):
    """A second process compiles nothing; after an edit in another file its callers change, too."""
    package = tmp_path / "optedge"
    shutil.copytree(Path(oe.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    cache = tmp_path / "cache"
    cache.mkdir()

    value, misses, folder, home = run_script(REASSIGN, cache, str(tmp_path))
    assert Path(home).parent == package  # the copy, not the package under test
    assert int(misses) > 0

    assert run_script(REASSIGN, cache, str(tmp_path)) == [value, "0", folder, home]

    source = package / "formulations" / "makespan_moves.py"
    text, edits = re.subn(
        r"(def _price\([^)]*\) -> float:\n)",
        r"\1    return -data.times[i, k]\n",
        source.read_text(encoding="utf-8"),
    )
    assert edits == 1
    source.write_text(text, encoding="utf-8")
    edited = run_script(REASSIGN, cache, str(tmp_path))
    assert edited[2] != folder
    assert int(edited[1]) > 0
    assert float(edited[0]) > float(value)  # now the longest time is the best


OWN_PROBLEM = """
    import dataclasses
    from typing import NamedTuple
    import numpy as np
    from optedge import kernels

    class Data(NamedTuple):
        costs: np.ndarray

    @kernels.overload(kernels.start, Data)
    def start(data, x):
        return np.zeros(1)

    @kernels.overload(kernels.price, Data)
    def price(data, state, x, i, k):
        return FACTOR * data.costs[i, k]

    @kernels.overload(kernels.apply, Data)
    def apply(data, state, x, i, k):
        x[i] = k
"""

OWN_DESCENT = """
    import numpy as np
    import own
    from optedge.solvers.code import descent
    x = np.array([1], dtype=np.int64)
    descent(own.Data(np.array([[2.0, 1.0, 3.0]])), x, np.ones((1, 3), dtype=bool), 100)
    print(x[0])
"""


@pytest.mark.slow
def test_an_edited_problem_of_the_users_own_is_compiled_anew(tmp_path):
    """A student's change in a file of her own shows in the package's cached searches."""
    cache, own = tmp_path / "cache", tmp_path / "own.py"
    cache.mkdir()
    package = str(Path(oe.__file__).parent.parent)
    found = []
    for factor in ("1.0", "-1.0"):  # least cost, then largest
        own.write_text(textwrap.dedent(OWN_PROBLEM).replace("FACTOR", factor), encoding="utf-8")
        found.append(run_script(OWN_DESCENT, cache, str(tmp_path), package))
    assert found == [["1"], ["2"]]
