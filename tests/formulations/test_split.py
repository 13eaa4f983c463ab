"""The split problem: its worked examples, its two models, their duals, and what they prove."""

import itertools
import math

import numpy as np
import pytest
from conftest import INF, examples
from hypothesis import assume, example, given
from hypothesis import strategies as st

import optedge as oe
from optedge.formulations.accuracy import InfeasibleError
from optedge.formulations.split import DualMinimum, KktReport, SplitProblem
from optedge.solvers.registry import find_solver

NAMES = ("memory", "latency", "energy")
MEMORY = [0, 2, 3, 7, 12]
LATENCY = [9, 7, 6, 5, 8]
ENERGY = [0, 1, 3, 4, 9]


def worked(limits=(6, 8, 4), value=range(5)):
    """Return P-A of section 8 of the specification."""
    return oe.SplitProblem(value, [MEMORY, LATENCY, ENERGY], limits, NAMES, name="P-A")


def memory_only(limit=6, value=range(5)):
    """Return P-A with the memory row alone."""
    return oe.SplitProblem(value, [MEMORY], [limit], ("memory",))


def resnet():
    """Return the work in MAC and the memory in byte of ResNet-34 at 0..34, from table 3.1."""
    rows = [(1, 118_013_952, 9_408, 802_816)]
    rows += [(6, 115_605_504, 36_864, 200_704), (1, 57_802_752, 73_728, 100_352)]
    rows += [(7, 115_605_504, 147_456, 100_352), (1, 57_802_752, 294_912, 50_176)]
    rows += [(11, 115_605_504, 589_824, 50_176), (1, 57_802_752, 1_179_648, 25_088)]
    rows += [(5, 115_605_504, 2_359_296, 25_088), (1, 512_000, 512_000, 1_000)]
    work = [w for count, w, _, _ in rows for _ in range(count)]
    size = [4 * (p + m) for count, _, p, m in rows for _ in range(count)]
    return np.cumsum([0, *work]), np.cumsum([0, *size])


def oracle(problem):
    """Return the largest value of a position that meets all limits, by plain loops."""
    best = -INF
    for j, value in enumerate(problem.value.tolist()):
        used = problem.usage[:, j].tolist()
        if all(u <= limit and u < INF for u, limit in zip(used, problem.limits, strict=True)):
            best = max(best, value)
    return best


@st.composite
def splits(draw, *, feasible=False, infinite=True):
    """Draw an instance whose numbers are small multiples of a quarter."""
    n, m = draw(st.integers(1, 7)), draw(st.integers(1, 3))
    number = st.integers(-12, 24).map(lambda k: k / 4)
    usage = st.one_of(number, number, number, st.just(INF)) if infinite else number
    limit = st.one_of(number, number, number, st.just(INF))
    row = st.lists(usage, min_size=n, max_size=n)
    p = oe.SplitProblem(
        draw(st.lists(draw(st.sampled_from([number, st.integers(0, 5)])), min_size=n, max_size=n)),
        draw(st.lists(row, min_size=m, max_size=m)),
        draw(st.lists(limit, min_size=m, max_size=m)),
    )
    assume(not feasible or p.feasible.any())
    return p


def prices_of(problem, factor=1.0):
    """Return random prices of the limits, some of them 0."""
    rng = np.random.default_rng(int(problem.key[:8], 16))
    return factor * rng.exponential(1, problem.n_limits) * (rng.random(problem.n_limits) < 0.7)


# ---------------------------------------------------------------- values known by hand


def test_worked_example():
    """P-A: feasible are 1 and 2, the optimum is 2, and memory blocks position 3 by 1."""
    p = worked()
    assert np.flatnonzero(p.feasible).tolist() == [1, 2]
    assert [p.objective(j) for j in range(5)] == [INF, -1, -2, INF, INF]
    assert p.objective(np.array([2])) == -2
    assert p.slack(2).tolist() == [3, 2, 1]
    assert p.blocking(2) == {"memory": 1.0}
    assert p.blocking(1) == p.blocking(4) == {}
    assert p.blocking(3) == {"memory": 6.0, "energy": 5.0}
    assert p.violations(2) == []
    assert p.violations([4]) == [
        "position 4: memory is 12, 6 above its limit 6.",
        "position 4: energy is 9, 5 above its limit 4.",
    ]
    assert p.metrics(2) == {
        "position": 2.0,
        "value": 2.0,
        "memory_slack": 3.0,
        "latency_slack": 2.0,
        "energy_slack": 1.0,
    }


def test_theta_of_the_worked_example():
    """The dual function of P-A at the prices of the notebook, its support and its minimum."""
    p = worked()
    values = {0: 4, 0.2: 2.8, 0.25: 2.75, 0.5: 3.5, 1: 6}
    for price, value in values.items():
        assert p.theta([price, 0, 0]) == pytest.approx(value, abs=1e-12)
        assert memory_only().theta(price) == pytest.approx(value, abs=1e-12)
    assert p.support([0.25, 0, 0]) == (2, 3)
    assert p.subgradient([1, 0, 0]).tolist() == [6, -1, 4]
    least = p.minimise_dual()
    assert isinstance(least, DualMinimum)
    assert least.alpha == pytest.approx([0.25, 0, 0])
    assert (least.theta, least.gap) == (pytest.approx(2.75), pytest.approx(0.75))
    assert (least.support, least.optimum, least.rounded) == ((2, 3), 2, 2)
    assert least.closed
    assert p.bounds() == {"LP": pytest.approx(-2.75), "rounded": -2, "DIS": -2}


def test_two_models_of_the_worked_example():
    """Both MILPs give 2; the relaxation of AGG mixes 2 and 3, that of DIS does not."""
    p = worked()
    for kind in p.kinds:
        assert oe.solve_model(p.model(kind)).objective == pytest.approx(-2)
    agg, dis = (p.model(kind, relax=True) for kind in p.kinds)
    solved = oe.solve_model(agg)
    assert solved.objective == pytest.approx(-2.75)
    assert list(solved.values["y"].values()) == pytest.approx([0, 0, 0.25, 0.75, 0])
    assert p.extract(agg) is None
    assert oe.solve_model(dis).objective == pytest.approx(-2)
    assert p.extract(dis).tolist() == [2]
    assert p.model_size("agg") == (4, 5)
    assert p.model_size("dis") == (4, 5)


def test_signs_of_the_duals():
    """P-C: minimised, the duals of the sum and of memory are -1.25 and -.25; maximised, plus."""
    import pyomo.environ as pyo

    m = memory_only().model("agg", relax=True)
    duals = oe.solve_model(m).duals
    assert duals["choose"] == pytest.approx(-1.25)
    assert duals["limit"]["memory"] == pytest.approx(-0.25)
    m.cost.sense, m.cost.expr = pyo.maximize, -m.cost.expr
    solved = oe.solve_model(m)
    assert solved.objective == pytest.approx(2.75)
    assert solved.duals["choose"] == pytest.approx(1.25)
    assert solved.duals["limit"]["memory"] == pytest.approx(0.25)


def test_kkt_report_of_the_worked_example():
    """P-A: the multipliers of section 8; the equality dual depends on how the row is written."""
    p = worked()
    reports = [p.relaxation(row=row) for row in ("usage <= limit", "usage - limit <= 0")]
    for report, nu in zip(reports, (1.25, 2.75), strict=True):
        assert isinstance(report, KktReport)
        assert report.value == pytest.approx(2.75)
        assert report.y == pytest.approx([0, 0, 0.25, 0.75, 0])
        assert report.alpha == pytest.approx([0.25, 0, 0])
        assert report.mu == pytest.approx([1.25, 0.75, 0, 0, 0.25])
        assert report.nu == pytest.approx(nu)
        assert report.nus == {
            "usage <= limit": pytest.approx(1.25),
            "usage - limit <= 0": pytest.approx(2.75),
        }
        assert report.support == report.argmax == (2, 3)
        assert max(report.residuals.values()) < 1e-9
    text = str(reports[0])
    assert "maximum 2.75" in text
    assert "memory: 0.25" in text
    dis = p.relaxation("dis")
    assert (dis.value, dis.support) == (pytest.approx(2), (2,))
    assert "position 4" in str(dis)


def test_latency_under_memory():
    """P-B: least latency 5.25 of the relaxation, 6 of the integers, the multiplier again 1/4."""
    p = memory_only(value=-np.array(LATENCY))
    report = p.relaxation()
    assert -report.value == pytest.approx(5.25)
    assert report.y == pytest.approx([0, 0, 0.25, 0.75, 0])
    assert report.alpha == pytest.approx([0.25])
    assert report.nu == pytest.approx(-6.75)
    assert p.bounds() == {
        "LP": pytest.approx(5.25),
        "rounded": pytest.approx(6),
        "DIS": pytest.approx(6),
    }
    assert p.objective(2) == 6
    assert p.minimise_dual().gap == pytest.approx(0.75)


@pytest.mark.parametrize("unit", [1, 1e6], ids=["byte", "MB"])
def test_resnet(unit):
    """P-D: position 13, relaxation 13.674618 between 0 and 15, closed by rounding."""
    work, size = resnet()
    limit = 0.8 * 18.9e6
    p = oe.SplitProblem(range(35), [size / unit], [limit / unit], ("memory",))
    least, report = p.minimise_dual(), p.relaxation()
    assert least.optimum == 13
    for value in (least.theta, report.value, -p.bounds()["LP"]):
        assert value == pytest.approx(13.674618, abs=5e-7)
    assert least.closed
    assert least.support == (0, 15)
    assert report.y[[0, 15]] == pytest.approx([0.0883588, 0.9116412], abs=5e-8)
    for alpha in (least.alpha, report.alpha):
        assert alpha[0] * 1e6 / unit == pytest.approx(0.904406, abs=5e-7)
    assert report.nu == pytest.approx(0, abs=1e-8)
    solved = oe.solve_model(p.model("agg", relax=True))
    assert solved.objective == pytest.approx(-13.674618, abs=5e-7)
    assert -solved.duals["limit"]["memory"] == pytest.approx(least.alpha[0])
    assert size[[1, 13, 14, 34]] / 1e6 == pytest.approx([3.249, 14.603, 15.594, 100.684], abs=5e-4)

    p = p.replace(value=work / 1e9)
    assert p.minimise_dual().theta == pytest.approx(1.530361, abs=5e-7)
    assert p.minimise_dual().optimum == pytest.approx(1.447477, abs=5e-7)
    assert p.minimise_dual().gap / p.minimise_dual().optimum == pytest.approx(0.057, abs=5e-4)


@pytest.mark.parametrize(("megabytes", "position"), [(11.6, 7), (18.9, 13), (36.9, 20)])
def test_resnet_table_1(megabytes, position):
    """The smallest memories that give the three splits of the paper's table 1."""
    p = oe.SplitProblem(range(35), [resnet()[1]], [0.8 * megabytes * 1e6])
    assert p.minimise_dual().optimum == position
    assert p.blocking(position)["limit 0"] > 0


def test_hull_of_resnet():
    """No price of memory ever proposes 7 or 13: the hull has 0, 15 to 28 and 34 only."""
    p = oe.SplitProblem(range(35), [resnet()[1]], [15e6], ("memory",))
    expected = (0, *range(15, 29), 34)
    assert p.hull_positions() == p.hull_positions("memory") == expected
    seen = {j for price in np.geomspace(1e-9, 1e-3, 400) for j in p.support(price)}
    assert seen | set(p.support(0)) <= set(expected)


def test_sweep_of_the_memory_limit():
    """The relaxation is concave in the limit, the price its slope; four times it is whole."""
    limits = np.arange(13)
    least = [memory_only(limit).minimise_dual() for limit in limits]
    relaxed = np.array([d.theta for d in least])
    whole = np.array([d.optimum for d in least])
    assert (np.diff(relaxed, 2) <= 1e-12).all()
    gap = relaxed - whole
    assert np.flatnonzero(gap < 1e-9).tolist() == [0, 3, 7, 12]
    assert (gap.max(), gap.argmax()) == (pytest.approx(0.8), 11)
    slopes = np.diff(relaxed)
    for limit in (1, 5, 9):  # inside an edge of the hull
        assert least[limit].alpha[0] == pytest.approx(slopes[limit])


def test_a_large_gap():
    """Exercise 02-3: the relaxation may be 90 times the optimum."""
    p = oe.SplitProblem([0, 1, 100], [[0, 1, 10]], [9])
    assert (p.minimise_dual().theta, p.minimise_dual().optimum) == (pytest.approx(90), 1)
    assert not p.minimise_dual().closed


# ---------------------------------------------------------------- models, duals, bounds


@given(splits())
@examples(150)
def test_models_agree_with_enumeration(problem):
    """AGG and DIS as MILPs and the relaxation of DIS give what plain loops find, or nothing."""
    best = oracle(problem)
    for kind, relax in (("agg", False), ("dis", False), ("dis", True)):
        model = problem.model(kind, relax=relax)
        solved = oe.solve_model(model)
        assert solved.objective == pytest.approx(-best)
        if best > -INF and not relax:
            x = problem.extract(model)
            assert problem.objective(x) == -best
    assert problem.bounds()["DIS"] == -best


@given(splits())
@example(SplitProblem([0.0], [[INF]], [INF]))
@examples(150)
def test_relaxation_is_the_least_dual(problem):
    """The relaxation of AGG is the least theta, and no less than the optimum."""
    best, least = oracle(problem), problem.minimise_dual()
    solved = oe.solve_model(problem.model("agg", relax=True))
    assert -solved.objective == pytest.approx(least.theta, abs=1e-9)
    assert least.optimum == best
    assert least.theta >= best - 1e-12
    assert least.gap >= -1e-12
    bounds = problem.bounds()
    assert bounds["LP"] <= bounds["rounded"] <= bounds["DIS"] == -best
    assert bounds["LP"] == pytest.approx(-least.theta, abs=1e-9)
    if least.theta > -INF:
        assert problem.theta(least.alpha) == least.theta
        assert set(np.flatnonzero(list(solved.values["y"].values()))) <= set(least.support)


@given(splits(), st.floats(0.01, 100))
@examples(150)
def test_any_prices_prove_a_bound(problem, factor):
    """Theta is convex and bounds every feasible value; no certificate exceeds the optimum."""
    best = oracle(problem)
    alpha = np.where(np.isinf(problem.limits), 0, prices_of(problem, factor))
    other = np.where(np.isinf(problem.limits), 0, prices_of(problem.replace(name="x"), 1 / factor))
    here, there = problem.theta(alpha), problem.theta(other)
    assert here >= best - 1e-9
    if here > -INF:
        assert problem.theta((alpha + other) / 2) <= (here + there) / 2 + 1e-9
        step = problem.subgradient(alpha) @ (other - alpha)
        assert there >= here + step - 1e-9 * max(1, abs(step))
        for j in problem.support(alpha):
            earned = problem.value[j] + alpha @ np.where(alpha > 0, problem.slack(j), 0)
            assert earned == pytest.approx(here)
    for kind in ("prices", "rounded prices", "Farkas prices"):
        certificate = oe.Certificate(kind, 0.0, {"alpha": alpha})
        if kind == "rounded prices" and (problem.value[problem.possible] % 1).any():
            with pytest.raises(ValueError, match="not whole"):
                problem.certify(certificate)
        else:
            assert problem.certify(certificate) <= -best
    assert problem.certify(oe.Certificate("prices", 0.0, {"alpha": alpha})) == pytest.approx(-here)


@given(splits(feasible=True))
@examples(60)
def test_kkt_conditions_hold(problem):
    """Residuals are tiny, the support earns most, and there are few fractions."""
    best, least = oracle(problem), problem.minimise_dual()
    for row in ("usage <= limit", "usage - limit <= 0"):
        report = problem.relaxation(row=row)
        assert max(report.residuals.values()) < 1e-7
        assert report.value == pytest.approx(least.theta, abs=1e-7)
        assert set(report.support) <= set(report.argmax)
        active = int((report.alpha > 1e-9).sum())
        slack = problem.limits - np.where(problem.possible, problem.usage, 0) @ report.y
        assert len(report.support) <= 1 + max(active, int((np.abs(slack) < 1e-6).sum()))
        assert problem.theta(report.alpha) == pytest.approx(report.value, abs=1e-7)
        shift = report.alpha @ np.where(report.alpha > 0, problem.limits, 0)
        assert report.nus["usage - limit <= 0"] - report.nus["usage <= limit"] == (
            pytest.approx(shift)
        )
        assert report.nus[row] == report.nu
        assert report.nus["usage - limit <= 0"] == pytest.approx(report.value, abs=1e-7)
    report = problem.relaxation("dis")
    assert max(report.residuals.values()) < 1e-7
    assert report.value == pytest.approx(best)


@given(splits(infinite=False))
def test_hull_is_what_prices_propose(problem):
    """The positions of the hull are those that some price of the one limit proposes."""
    p = oe.SplitProblem(problem.value, problem.usage[:1], [0.0])
    used, value = p.usage[0], p.value
    slopes = {0.0, 1e6}
    for a, b in itertools.permutations(range(p.n_positions), 2):
        if used[b] > used[a] and value[b] > value[a]:
            slopes.add((value[b] - value[a]) / (used[b] - used[a]))
    cuts = sorted(slopes)
    middle = [(a + b) / 2 for a, b in itertools.pairwise(cuts)]
    proposed = {j for price in (*cuts[1:], *middle) for j in p.support(price)}
    top = value == value.max()  # at price 0 the most valuable, of these the least usage
    proposed |= {j for j in p.support(0) if used[j] == used[top].min()}
    assert set(p.hull_positions()) == proposed


def test_tiny_violations_and_outliers():
    """A violation below the tolerance of HiGHS is one, and huge entries do not hide small ones."""
    p = oe.SplitProblem([1, 2, 3, 4], [[0, 1, 1 + 1e-12, 1e12], [1, 2, 3, INF]], [1, 2.5])
    assert np.flatnonzero(p.feasible).tolist() == [0, 1]
    for kind in p.kinds:
        r = oe.solve(p, "highs", kind=kind, bound=False)
        assert (r.status, r.objective) == ("OPTIMAL", -2)
    assert p.bounds()["rounded"] <= -2
    q = p.replace(value=1e9 * p.value, usage=1e9 * p.usage, limits=1e9 * p.limits)
    assert oe.solve(q, "highs", bound=False).objective == -2e9


def test_start_and_fill():
    """A position can be written into a model and read again."""
    p = worked()
    for kind in p.kinds:
        m = p.model(kind)
        assert p.extract(m) is None
        p.fill(m, 1)
        assert p.extract(m).tolist() == [1]
    assert oe.solve(p, "highs", start=[1]).objective == -2


# ---------------------------------------------------------------- certificates


@pytest.mark.parametrize("name", ["LP", "rounded", "DIS"])
@pytest.mark.parametrize("limits", [(6, 8, 4), (6, 8, INF), (6, 4, 4), (-1, 8, 4)])
def test_bounds_are_certified(name, limits):
    """Each bound is what its certificate proves."""
    p = worked(limits)
    found = p.bound(name)
    assert p.certify(found.certificate) == found.value == found.certificate.value
    assert found.value <= -oracle(p)


def test_kinds_of_certificates():
    """Whole values are rounded; no mixture of positions: Farkas prices; exclusions: the optimum."""
    p = worked()
    kinds = [p.bound(name).certificate.kind for name in p.bound_names]
    assert kinds == ["prices", "rounded prices", "exclusions"]
    assert p.bound("DIS").certificate.arrays["limit"].tolist() == [1, -1, -1, 0, 0]
    assert p.replace(value=p.value + 0.5).bound("rounded").certificate.kind == "prices"
    assert worked((6, 4, 4)).bound("LP").certificate.kind == "Farkas prices"


def test_exclusions_are_checked():
    """An exclusion by a limit that is kept excludes nothing."""
    p = worked()
    claim = oe.Certificate("exclusions", -1.0, {"limit": [1, -1, 0, 0, 0]})
    assert p.certify(claim) == -2
    assert p.certify(oe.Certificate("exclusions", -1.0, {"limit": [-1] * 5})) == -4


def test_infeasible_integers_under_a_feasible_relaxation():
    """Only the exclusions prove it where a mixture of positions meets the limits."""
    p = oe.SplitProblem([1, 2], [[0, 2], [2, 0]], [1, 1], ("memory", "latency"))
    assert p.minimise_dual().theta == pytest.approx(1.5)
    assert p.bounds() == {
        "LP": pytest.approx(-1.5),
        "rounded": -1,
        "DIS": INF,
    }
    assert p.cheap_bounds == p.bound_names
    assert p.minimise_dual().gap == INF
    assert p.relaxation().y == pytest.approx([0.5, 0.5])
    with pytest.raises(InfeasibleError, match="position 0 comes nearest: latency is 2, 1 above"):
        p.relaxation("dis")


@pytest.mark.parametrize(
    ("kind", "arrays", "sentence"),
    [
        ("weights", {}, "knows no certificate 'weights'"),
        ("prices", {}, r"'alpha' must be \(3,\)"),
        ("prices", {"alpha": [1, 2]}, r"'alpha' must be \(3,\)"),
        ("prices", {"alpha": [1, -2, 0]}, "non-negative"),
        ("prices", {"alpha": [1, math.nan, 0]}, "finite"),
        ("exclusions", {"limit": [0, 1]}, r"'limit' must be \(5,\)"),
        ("exclusions", {"limit": [0, 1, 2, 3, 0]}, "from 0 to 2"),
        ("exclusions", {"limit": [0, 1, 0.5, 1, 0]}, "from 0 to 2"),
        ("exclusions", {"limit": [0, 1, math.nan, 1, 0]}, "from 0 to 2"),
    ],
)
def test_malformed_certificates(kind, arrays, sentence):
    """What is no certificate is refused."""
    with pytest.raises(ValueError, match=sentence):
        worked().certify(oe.Certificate(kind, 0.0, arrays))


# ---------------------------------------------------------------- infeasible instances


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        (
            (6, 4, 4),
            "no position meets all limits; position 3 comes nearest: memory is 7, 1 above its "
            "limit 6, and latency is 5, 1 above its limit 4.",
        ),
        (
            (2, 4, 1),
            "no position meets all limits; position 1 comes nearest: latency is 7, 3 above its "
            "limit 4.",
        ),
    ],
)
def test_explanation(limits, sentence):
    """The sentence names the nearest position, what it misses and by how much."""
    assert worked(limits).explain() == sentence


def test_explanation_of_the_brief_words():
    """Rounding noise does not show, and a limit of 0 is measured by the usage of its row."""
    p = oe.SplitProblem(range(4), [[12, 11, 10, 9.2]], [8], ("latency",))
    assert p.explain() == (
        "no position meets all limits; position 3 comes nearest: latency is 9.2, 1.2 above its "
        "limit 8."
    )
    p = oe.SplitProblem(range(2), [[4, 8], [3, 2]], [0, 1])
    assert p.nearest == 1
    p = oe.SplitProblem(range(2), [[INF, INF]], [INF])
    assert p.explain() == "no position meets all limits: each has an infinite usage."
    assert p.minimise_dual().theta == p.theta(1) == -INF
    assert worked().explain(["limit[memory]"]) == "these rows cannot hold together: limit[memory]."


def test_infinite_entries():
    """An infinite usage is impossible under any limit; an infinite limit is none."""
    p = oe.SplitProblem([1, 2, 3], [[1, 2, INF], [5, 6, 7]], [INF, INF], ("wait", "memory"))
    assert np.flatnonzero(p.feasible).tolist() == [0, 1]
    assert p.violations(2) == ["position 2: wait is infinite."]
    assert p.blocking(1) == {"wait": INF}
    assert p.theta([0, 0]) == 2
    assert p.theta([1, 0]) == INF
    assert p.bounds() == {"LP": -2, "rounded": -2, "DIS": -2}
    assert oe.solve_model(p.model("agg")).objective == -2
    assert np.isnan(p.relaxation().mu).tolist() == [False, False, True]


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"value": [0, math.nan]}, r"value\[1\] is NaN"),
        ({"value": [0, INF]}, r"value\[1\] is infinite"),
        ({"value": []}, "value must have shape .* non-empty"),
        ({"value": [[0, 1]]}, "value must have shape"),
        ({"value": ["a", "b"]}, "value must be an array of numbers"),
        ({"usage": [0, 1]}, r"usage must have shape \(n_limits, n_positions\)"),
        ({"usage": [[0, 1, 2]]}, "usage must have shape"),
        ({"usage": [[0, math.nan]]}, r"usage\[0, 1\] is NaN"),
        ({"usage": [[0, -INF]]}, r"usage\[0, 1\] is infinite"),
        ({"usage": np.zeros((0, 2))}, "usage must have shape .* non-empty"),
        ({"limits": [1, 2]}, "limits must have shape"),
        ({"limits": [-INF]}, r"limits\[0\] is infinite"),
        ({"limits": [math.nan]}, r"limits\[0\] is NaN"),
        ({"limit_names": ("a", "b")}, "limit_names must hold 1 names, got 2"),
        ({"limit_names": "memory"}, "limit_names must be a tuple"),
        ({"limit_names": ("",)}, "limit_names must be a tuple"),
        ({"limit_names": (3,)}, "limit_names must be a tuple"),
        ({"name": 3}, "name must be a string"),
    ],
)
def test_bad_input_is_refused(fields, sentence):
    """The sentence names the field, and the entry where there is one."""
    good = {"value": [0, 1], "usage": [[0, 1]], "limits": [1]}
    with pytest.raises(ValueError, match=sentence):
        oe.SplitProblem(**(good | fields))


def test_repeated_names_are_refused():
    """Two limits of one name could not be told apart."""
    with pytest.raises(ValueError, match=r"limit_names\[1\] repeats 'a'"):
        oe.SplitProblem([0], [[0], [1]], [1, 1], ("a", "a"))


@pytest.mark.parametrize("x", [1.0, [1, 2], [1.5], "1", [[1]], True, None])
def test_what_is_no_position(x):
    """Only an integer, or an array of one, is a solution."""
    p = worked()
    assert p.objective(x) == INF
    assert "a solution holds 1 integer" in p.violations(x)[0]
    with pytest.raises(ValueError, match="a solution holds 1 integer"):
        p.slack(x)


@pytest.mark.parametrize("x", [-1, 5])
def test_positions_out_of_range(x):
    """There is no counting from the end."""
    assert worked().objective(x) == INF
    assert worked().violations(x) == [f"there is no position {x}; there are 5, from 0."]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda p: p.model("lp"), "has no model 'lp'"),
        (lambda p: p.relaxation("lp"), "encoding must be one of"),
        (lambda p: p.relaxation(row="memory"), "row must be one of"),
        (lambda p: p.hull_positions("size"), "there is no limit 'size'"),
        (lambda p: p.hull_positions(3), "there is no limit 3"),
        (lambda p: p.theta([1, 2]), r"alpha must have shape \(3,\)"),
        (lambda p: p.theta([0, -1, 0]), r"alpha\[1\] must be non-negative"),
        (lambda p: p.support([0, 0, INF]), r"alpha\[2\] must be non-negative and finite"),
        (lambda p: p.replace(usage=INF + p.usage).subgradient([0, 0, 0]), "theta is -inf"),
        (lambda p: p.bound("dual"), "has no bound 'dual'"),
    ],
)
def test_bad_arguments(call, sentence):
    """Methods say what they were expecting."""
    with pytest.raises(ValueError, match=sentence):
        call(worked())


# ---------------------------------------------------------------- the house


def test_code():
    """The one decision is the position; codes are priced like solutions."""
    p = worked()
    assert p.choices.shape == (1, 5)
    codes = np.arange(5)[:, None]
    assert p.costs(codes).tolist() == [p.objective(j) for j in range(5)]
    assert all(p.decode(code).tolist() == code.tolist() for code in codes)
    assert p.encode(3).tolist() == p.encode([3]).tolist() == [3]
    assert p.offers >= {"code", "prices"}


def test_repaired():
    """The nearest feasible position before an infeasible one, else the first after it."""
    p = worked()
    assert [p.repaired(j).tolist() for j in range(5)] == [[1], [1], [2], [2], [2]]
    assert worked((6, 4, 4)).repaired(0) is None


def test_scaled_keeps_what_is_feasible():
    """The instance given to HiGHS has the same feasible positions, and values in its unit."""
    p = oe.SplitProblem([-3, 1e9, 5], [[1e-9, 7e8, -4], [0, 0, INF]], [1e-9, INF])
    inner, unit = p.scaled()
    assert inner.feasible.tolist() == p.feasible.tolist()
    np.testing.assert_array_equal(unit * inner.value, p.value)


def test_saved_and_loaded(tmp_path):
    """Problem and result come back from a file to the last digit."""
    p = oe.SplitProblem([-1, 0.1], [[1, INF]], [INF], ("memory",), name="small")
    oe.save(p, tmp_path / "p.json")
    q = oe.load(tmp_path / "p.json")
    assert (q.key, q.name, q.limit_names) == (p.key, "small", ("memory",))
    for solver in ("tmoa", "lagrangian", "highs"):
        r = oe.solve(worked(), solver)
        oe.save(r, tmp_path / "r.json")
        back = oe.load(tmp_path / "r.json")
        assert (back.objective, back.bound, back.status) == (r.objective, r.bound, r.status)
        np.testing.assert_array_equal(back.solution, r.solution)
        assert oe.verify(back).verdict == oe.verify(r).verdict


def test_registered():
    """The solvers for split problems are those of codes, models and prices, and TMOA."""
    names = set(oe.list_solvers(worked())["name"])
    assert {"enumeration", "highs", "lagrangian", "random", "tmoa"} <= names
    assert not find_solver("tmoa").accepts(oe.MakespanProblem([[1]]))
    assert not find_solver("lagrangian").accepts(oe.MakespanProblem([[1]]))
