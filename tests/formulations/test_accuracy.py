"""The accuracy curve and the best compression ratio: published numbers, all branches, oracles."""

import dataclasses
import math
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import examples
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

from optedge.formulations.accuracy import (
    AccuracyCurve,
    BestRatio,
    InfeasibleError,
    cvxpy_ratio,
)

PAPER = AccuracyCurve(0.004032, -0.012755095, 0.9634233)
BEST = 0.012811001022419513

# The table of makespan.md 3.1: LowA, Rlow, BestR, A, R/A.
TABLE = [
    (0.0, 0.012755095, 0.0128110010, 0.9239426, 0.0138655810),
    (0.90, 0.0127552424, 0.0128110010, 0.9239426, 0.0138655810),
    (0.93, 0.0130062328, 0.0130062328, 0.93, 0.0139851965),
    (0.94, 0.0157544734, 0.0157544734, 0.94, 0.0167600781),
    (0.95, 0.0485771516, 0.0485771516, 0.95, 0.0511338438),
    (0.96, 0.4405836491, 0.4405836491, 0.96, 0.4589413012),
    (0.9633, 0.9826375869, 0.9826375869, 0.9633, 1.0200743143),
]
# (a, b, c), R*, g(R*): section 8, which has ...767 in the second g (true: 0.31157157658970922).
EXAMPLES = [
    ((0.1, -0.01, 0.9), 0.0140246563, 0.0402465628),
    ((0.05, -0.2, 0.9), 0.2155785788, 0.3115715766),
    ((0.2, 0.01, 0.8), 0.0283626884, 0.1918134419),
]
RATIOS = np.array([0.0132, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0])


# ---------------------------------------------------------------- the curve


def test_curve_takes_scalars_and_arrays():
    """A scalar gives a float, an array an array of its shape; calling the curve is ``accuracy``."""
    assert type(PAPER(1.0)) is float
    assert type(PAPER.weighted(1)) is float
    grid = np.array([[0.1, 0.2], [0.3, 1.0]])
    expected = 0.004032 * np.log(grid - 0.012755095) + 0.9634233
    np.testing.assert_allclose(PAPER(grid), expected, rtol=1e-15)
    np.testing.assert_allclose(PAPER.weighted(grid), grid / expected, rtol=1e-15)
    np.testing.assert_array_equal(PAPER([0.5, 1.0]), PAPER.accuracy(np.array([0.5, 1.0])))


def test_published_accuracy_and_factor_without_compression():
    """A(1) = 0.96337154065 and g(1) = 1.03802, 75 times the best."""
    assert PAPER(1.0) == pytest.approx(0.96337154065, abs=1e-11)
    assert PAPER.weighted(1.0) == pytest.approx(1.03802, abs=5e-6)
    assert round(PAPER.weighted(1.0) / PAPER.weighted(BEST)) == 75


def test_left_of_the_pole_accuracy_is_minus_infinity():
    """At and left of the pole A is -inf; the factor is inf wherever A <= 0, never negative."""
    np.testing.assert_array_equal(PAPER([0.0, 0.01, 0.012755095]), [-math.inf] * 3)
    np.testing.assert_array_equal(PAPER.weighted([0.0, 0.01, 0.012755095]), [math.inf] * 3)
    low = AccuracyCurve(1.0, 0.0, 0.0)  # A(1) = 0 exactly
    np.testing.assert_array_equal(low.weighted([0.5, 1.0]), [math.inf] * 2)
    assert AccuracyCurve(0.1, 1.0, 0.9).weighted(0.0) == 0.0


@pytest.mark.parametrize("ratio", [-0.1, math.nan, [0.5, math.nan]])
def test_curve_refuses_ratios_that_are_none(ratio):
    """Negative ratios and NaN are errors, not silent numbers."""
    with pytest.raises(ValueError, match="ratios must be non-negative"):
        PAPER(ratio)
    with pytest.raises(ValueError, match="ratios must be non-negative"):
        PAPER.weighted(ratio)


@pytest.mark.parametrize("field", ["a", "b", "c"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "steep", None, [1.0, 2.0]])
def test_curve_names_the_field_that_is_no_number(field, value):
    """A parameter that is not one finite number is refused by name."""
    with pytest.raises(ValueError, match=f"^{field} must be a finite number"):
        dataclasses.replace(PAPER, **{field: value})


@pytest.mark.parametrize("a", [0.0, -0.004])
def test_curve_must_rise(a):
    """The slope is positive: accuracy rises with the ratio."""
    with pytest.raises(ValueError, match=r"^a must be positive"):
        AccuracyCurve(a, 0.0, 1.0)


def test_curve_is_a_frozen_value():
    """Equal parameters, integers too, give equal and hashable curves that cannot be changed."""
    assert AccuracyCurve(1, 0, 1) == AccuracyCurve(1.0, 0.0, 1.0)
    assert len({PAPER, AccuracyCurve(PAPER.a, PAPER.b, PAPER.c)}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        PAPER.a = 1.0


# ---------------------------------------------------------------- published numbers


@pytest.mark.parametrize(("demand", "lowest", "ratio", "accuracy", "weighted"), TABLE)
def test_table_of_the_specification(demand, lowest, ratio, accuracy, weighted):
    """Every row of the table; the demand binds exactly from 0.92394 on."""
    best = PAPER.best_ratio(demand)
    assert PAPER.lowest_ratio(demand) == pytest.approx(lowest, abs=6e-11)
    assert best.ratio == pytest.approx(ratio, abs=6e-11)
    assert best.accuracy == pytest.approx(accuracy, abs=6e-8)
    assert best.weighted == pytest.approx(weighted, abs=6e-11)
    assert best.binding == ("interior" if demand <= 0.92394 else "lowest_accuracy")


def test_published_optimum_in_closed_form():
    """R*, A(R*) by both formulas and g(R*) agree to all digits; the pole is 5.6e-5 away."""
    assert PAPER.stationary_ratio() == pytest.approx(BEST, rel=1e-15)
    assert PAPER(BEST) == pytest.approx(0.92394260738, abs=1e-11)
    assert PAPER.a * BEST / (BEST + PAPER.b) == pytest.approx(PAPER(BEST), rel=1e-12)
    assert PAPER.weighted(BEST) == pytest.approx(0.013865580957, abs=1e-12)
    assert BEST + PAPER.b == pytest.approx(5.6e-5, rel=0.01)


@pytest.mark.parametrize(("demand", "binding"), [(0.9239, "interior"), (0.924, "lowest_accuracy")])
def test_demand_binds_above_the_stationary_accuracy(demand, binding):
    """Just below A(R*) = 0.92394 the demand changes nothing, just above it holds the ratio."""
    assert PAPER.best_ratio(demand).binding == binding


@pytest.mark.parametrize(("parameters", "ratio", "weighted"), EXAMPLES)
def test_ratio_examples(parameters, ratio, weighted):
    """The examples of section 8, one of them with b > 0."""
    curve = AccuracyCurve(*parameters)
    best = curve.best_ratio()
    assert curve.stationary_ratio() == best.ratio == pytest.approx(ratio, abs=6e-11)
    assert best.weighted == pytest.approx(weighted, abs=6e-11)
    assert best.binding == "interior"


def test_ratio_is_clipped_at_one():
    """R* = 1.0066864 is more than the raw data: the best ratio is 1."""
    curve = AccuracyCurve(0.3, -0.5, 0.8)
    assert curve.stationary_ratio() == pytest.approx(1.0066864, abs=5e-8)
    assert curve.best_ratio() == BestRatio(1.0, curve(1.0), curve.weighted(1.0), "one")


def test_end_to_end():
    """40000 records of 15e3 byte: 61.4928e6 bit, 0.614928 s at 100 Mbit/s, weighted 0.665548 s."""
    bits, best = 40_000 * 15e3 * 8, PAPER.best_ratio()
    assert bits * best.ratio == pytest.approx(61.4928e6, abs=50)
    assert bits * best.ratio / 100e6 == pytest.approx(0.614928, abs=5e-7)
    assert bits * best.weighted / 100e6 == pytest.approx(0.665548, abs=5e-7)


def test_zero_shift():
    """With b = 0: R* = exp(1 - c/a), A = a; e^-238 on the published c/a, so demands rule."""
    curve = AccuracyCurve(0.5, 0.0, 0.9)
    best = curve.best_ratio()
    assert best.ratio == pytest.approx(math.exp(1 - 0.9 / 0.5), rel=1e-14)
    assert best.accuracy == pytest.approx(0.5, rel=1e-14)
    published = AccuracyCurve(PAPER.a, 0.0, PAPER.c)
    assert math.log(published.best_ratio().ratio) == pytest.approx(-237.944, abs=1e-3)
    assert published.best_ratio(0.95).binding == "lowest_accuracy"


# ---------------------------------------------------------------- oracles on random curves

slopes = st.floats(-3.0, 0.0).map(lambda e: 10.0**e)
sizes = st.floats(-4.0, -0.3).map(lambda e: 10.0**e)
levels = st.floats(0.3, 1.1)
negative = st.builds(lambda a, s, c: AccuracyCurve(a, -s, c), slopes, sizes, levels)
zero = st.builds(lambda a, c: AccuracyCurve(a, 0.0, c), slopes, levels)
positive = st.builds(lambda a, s, c: AccuracyCurve(a, s, c), slopes, sizes, levels)
shares = st.one_of(st.just(0.0), st.floats(0.0, 1.0))


def bounded_optimum(curve: AccuracyCurve, demand: float) -> float:
    """Return the least factor found by bounded minimisation over ``t = ln(R + b)``."""
    low = (demand - curve.c) / curve.a  # A > 0 or A = demand starts here
    if curve.b > 0:
        low = max(low, math.log(curve.b))
    high = math.log1p(curve.b)
    low = min(low, high)  # the demand may be A(1), but for rounding

    def factor(t: float) -> float:
        accuracy = curve.a * t + curve.c
        return (math.exp(t) - curve.b) / accuracy if accuracy > 0 else math.inf

    found = minimize_scalar(factor, bounds=(low, high), method="bounded", options={"xatol": 1e-12})
    return min(found.fun, factor(low), factor(high))


@examples(300)
@given(curve=st.one_of(negative, zero, positive), share=shares)
@example(curve=PAPER, share=0.0)
def test_best_ratio_equals_bounded_minimisation(curve, share):
    """On all branches the closed form is feasible and as good as a numerical search."""
    assume(curve(1.0) > 0.01)
    demand = share * min(1.0, curve(1.0))
    if curve.b > 0 and demand <= curve(0.0):
        with pytest.raises(ValueError, match="at ratio 0, so no positive ratio is best"):
            curve.best_ratio(demand)
        return
    best = curve.best_ratio(demand)
    assert 0 < best.ratio <= 1
    assert best.accuracy == curve(best.ratio)
    assert best.accuracy >= demand - 1e-12
    assert best.weighted == pytest.approx(best.ratio / best.accuracy, rel=1e-15)
    assert best.weighted == pytest.approx(bounded_optimum(curve, demand), rel=1e-6, abs=1e-13)


@examples(300)
@given(curve=st.one_of(negative, zero, positive))
@example(curve=PAPER)
def test_stationary_ratio_is_the_root_of_the_derivative(curve):
    """R* is where ln u + b/u = 1 - c/a; brentq finds the same u, and None means g only rises."""
    stationary, k = curve.stationary_ratio(), 1 - curve.c / curve.a
    start = math.log(curve.b) if curve.b > 0 else -1e4

    def derivative(t: float) -> float:  # h(u) - k at u = exp(t), kept finite
        return t + curve.b * math.exp(min(-t, 700.0)) - k

    if stationary is None:
        assert curve.b > 0
        assert curve(0.0) >= 0
        rising = np.concatenate([[0.0], np.geomspace(1e-9, 1.0, 200)])
        assert (np.diff(curve.weighted(rising)) > 0).all()
        return
    assume(curve.b <= 0 or curve(0.0) < -1e-6)  # at A(0) = 0 the root is double
    u = math.exp(brentq(derivative, start, max(k, 0.0) + 1, xtol=1e-14))
    assert stationary == pytest.approx(u - curve.b, rel=1e-7)


# ---------------------------------------------------------------- edges


@pytest.mark.parametrize("a", [1e-3, 1e-6, 1e-12, 1e-17, 1e-320])
def test_steep_curves_do_not_overflow(a):
    """For c/a > 710, where exp(c/a) overflows, the ratio stays right of the pole, A near c."""
    with np.errstate(all="raise", under="ignore"):
        best = AccuracyCurve(a, -0.01, 0.9).best_ratio()
    assert best.binding == "interior"
    assert best.ratio > 0.01
    assert best.ratio == pytest.approx(0.01 * (1 + a / 0.9), rel=1e-4)
    assert best.accuracy == pytest.approx(0.9, rel=0.02)


def test_values_beyond_the_doubles():
    """R* is inf, not an error, beyond all doubles; a best ratio that rounds to 0 stays positive."""
    for b in (-0.3, 0.0, 0.3):
        assert AccuracyCurve(1.0, b, -2000.0).stationary_ratio() == math.inf
    assert AccuracyCurve(1e-3, 0.0, 0.9).stationary_ratio() == 0.0
    best = AccuracyCurve(1e-3, 0.0, 0.9).best_ratio()
    assert 0 < best.ratio < 1e-300
    assert best.accuracy > 0


def test_accuracy_at_ratio_zero_is_refused_unless_more_is_demanded():
    """If b > 0 and A(0) is enough, 0 would be best: refused; any higher demand gives Rlow."""
    curve = AccuracyCurve(0.1, 0.5, 0.9)
    assert curve.stationary_ratio() is None
    for demand in (0.0, 0.5, curve(0.0)):
        with pytest.raises(ValueError, match=r"^task 3: the curve gives accuracy 0\.83") as caught:
            curve.best_ratio(demand, task=3)
        assert not isinstance(caught.value, InfeasibleError)
    best = curve.best_ratio(0.9)
    assert best.binding == "lowest_accuracy"
    assert best.ratio == pytest.approx(0.5)  # 0.1 ln(R + 0.5) + 0.9 = 0.9


@pytest.mark.parametrize("nudge", [-1e-15, 0.0, 1e-15])
def test_branch_point(nudge):
    """Where A(0) = 0 up to rounding the two zeros of g' meet: a ratio near 0, or a refusal."""
    curve = AccuracyCurve(0.1, 0.01, 0.1 * math.log(100.0) * (1 + nudge))
    stationary = curve.stationary_ratio()
    assert stationary is None or 0 <= stationary < 1e-8
    try:
        best = curve.best_ratio()
    except ValueError as error:
        assert "at ratio 0" in str(error)
    else:
        assert best.weighted == pytest.approx(curve.b / curve.a, rel=1e-5)  # 1/A'(0)


def test_branch_point_of_lambertw_is_not_nan():
    """SciPy's W0(-1/e) is NaN; the ratio there is 0, and the call is refused, not NaN."""
    curves = [AccuracyCurve(a, 0.01, -a * math.log(0.01)) for a in np.linspace(0.05, 0.2, 400)]
    values = [curve.stationary_ratio() for curve in curves]
    assert all(value is None or 0 <= value < 1e-8 for value in values)


@pytest.mark.parametrize(
    ("task", "start"), [(None, "accuracy"), (0, "task 0: "), ("camera", "task camera: ")]
)
def test_infeasible_demand_names_task_demand_and_reach(task, start):
    """A demand above A(1) is an InfeasibleError, a ValueError, that says what is possible."""
    with pytest.raises(InfeasibleError) as caught:
        PAPER.best_ratio(0.97, task=task)
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).startswith(start)
    assert re.search(r"at least 0\.97 is demanded, 0\.9633715406\d* at ratio 1", str(caught.value))


def test_demand_of_exactly_what_is_reachable():
    """A(1) itself is feasible, at ratio 1; the next double is not."""
    best = PAPER.best_ratio(PAPER(1.0))
    assert best.ratio == pytest.approx(1.0, abs=1e-12)
    assert best.ratio <= 1
    assert best.binding == "lowest_accuracy"
    with pytest.raises(InfeasibleError):
        PAPER.best_ratio(math.nextafter(PAPER(1.0), 2.0))


@pytest.mark.parametrize("parameters", [(1.0, 0.0, 0.0), (0.1, 0.0, -0.5), (0.1, -1.5, 0.9)])
def test_curve_without_positive_accuracy_is_infeasible(parameters):
    """With A(1) <= 0 (0 too, or a pole right of 1) not even the demand 0 can be met."""
    with pytest.raises(InfeasibleError, match="above 0 is demanded"):
        AccuracyCurve(*parameters).best_ratio()


@pytest.mark.parametrize("demand", [-0.01, 1.01, math.nan, math.inf, None])
def test_demand_must_be_a_share(demand):
    """LowA outside [0, 1] or NaN is a plain ValueError, everywhere it is taken."""
    for call in (AccuracyCurve.best_ratio, AccuracyCurve.lowest_ratio, cvxpy_ratio):
        with pytest.raises(ValueError, match=r"^lowest_accuracy must") as caught:
            call(PAPER, demand)
        assert not isinstance(caught.value, InfeasibleError)


# ---------------------------------------------------------------- fit


def test_fit_returns_the_curve_of_exact_points():
    """Ten points of the published curve give a, b, c back to 1e-9."""
    fitted = AccuracyCurve.fit(RATIOS, PAPER(RATIOS))
    np.testing.assert_allclose(
        dataclasses.astuple(fitted), dataclasses.astuple(PAPER), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize(
    ("noise", "ranges"),
    [
        (1e-4, {"a": (0.00400, 0.00406), "b": (-0.01279, -0.01272), "c": (0.96334, 0.96350)}),
        pytest.param(
            1e-3, {"a": (0.0037, 0.0044), "b": (-0.0130, -0.0124)}, marks=pytest.mark.slow
        ),
    ],
)
def test_fit_of_noisy_points(noise, ranges):
    """200 seeded draws: the 5-95 % ranges of the parameters are those of the specification.

    Each end may differ by a fifth of the range: it is a quantile of 200 draws.
    """
    rng = np.random.default_rng(2018)
    fits = [
        AccuracyCurve.fit(RATIOS, PAPER(RATIOS) + rng.normal(0.0, noise, RATIOS.size))
        for _ in range(200)
    ]
    for field, (low, high) in ranges.items():
        found = np.quantile([getattr(curve, field) for curve in fits], [0.05, 0.95])
        np.testing.assert_allclose(found, [low, high], rtol=0, atol=0.2 * (high - low))


@examples(50)
@given(seed=st.integers(0, 2**32 - 1))
def test_fit_is_a_least_squares_optimum(seed):
    """No random curve nearby has a smaller squared error than the fitted one."""
    rng = np.random.default_rng(seed)
    accuracies = PAPER(RATIOS) + rng.normal(0.0, 1e-4, RATIOS.size)
    fitted = AccuracyCurve.fit(RATIOS, accuracies)

    def error(curve: AccuracyCurve) -> float:
        return float(np.square(curve(RATIOS) - accuracies).sum())

    for scale in (1e-2, 1e-4, 1e-6):
        a, b, c = np.array(dataclasses.astuple(fitted)) * (1 + scale * rng.uniform(-1, 1, 3))
        assert error(fitted) <= error(AccuracyCurve(a, b, c)) * (1 + 1e-12)


def test_fit_takes_three_points_repeats_and_lists_in_any_order():
    """Three different ratios are enough; order and repetition do not matter."""
    curve = AccuracyCurve(0.05, -0.02, 0.9)
    for ratios in ([0.1, 0.3, 1.0], [1.0, 0.1, 0.3, 0.1, 1.0]):
        fitted = AccuracyCurve.fit(ratios, curve(ratios))
        assert fitted(0.5) == pytest.approx(curve(0.5), abs=1e-9)
        assert fitted.b == pytest.approx(-0.02, abs=1e-6)


def test_fit_ends_of_the_search():
    """Points on a straight line and points with one jump end at the ends of the search for b."""
    x = np.linspace(0.1, 1.0, 10)
    straight = AccuracyCurve.fit(x, 0.5 + 0.3 * x)
    assert straight.b == pytest.approx(math.exp(3.0) - 0.1, rel=1e-6)
    np.testing.assert_allclose(straight(x), 0.5 + 0.3 * x, atol=2e-3)
    assert AccuracyCurve.fit(x, np.where(x > 0.15, 0.9, 0.1)).b == pytest.approx(-0.1, abs=2e-7)


@pytest.mark.parametrize(
    ("ratios", "accuracies", "message"),
    [
        ([0.1, 0.5], [0.8, 0.9], "at least 3 different ratios are needed, got 2"),
        ([0.1, 0.5, 0.5, 0.1], [0.8, 0.9, 0.9, 0.8], "at least 3 different ratios are needed"),
        ([], [], "at least 3 different ratios are needed, got 0"),
        ([0.0, 0.5, 1.0], [0.7, 0.8, 0.9], r"ratios must be finite and positive; entries \[0\]"),
        ([0.1, math.nan, math.inf], [0.7, 0.8, 0.9], r"ratios must be finite .* \[1, 2\]"),
        ([0.1, 0.5, 1.0], [0.7, math.nan, 0.9], r"accuracies must be finite; entries \[1\]"),
        ([0.1, 0.5, 1.0], [0.7, 0.8], "must be equally long"),
        ([0.1, 0.5, 1.0], [0.9, 0.8, 0.7], "accuracies must rise with the ratios.* a = -"),
        ([0.1, 0.3, 0.5, 1.0], [0.9, 0.9, 0.9, 0.9], "accuracies must rise with the ratios"),
        ([0.1, 0.5, 1.0], [0.0, 0.0, 0.0], "accuracies must rise with the ratios"),
    ],
)
def test_fit_refuses_unusable_points(ratios, accuracies, message):
    """Too few, unusable or falling points are refused with a sentence that says which."""
    with pytest.raises(ValueError, match=message):
        AccuracyCurve.fit(ratios, accuracies)


# ---------------------------------------------------------------- cvxpy


@pytest.mark.parametrize("demand", [row[0] for row in TABLE])
def test_cone_program_agrees_on_the_published_curve(demand):
    """One cone program finds the ratio to 1e-7, 560 times closer than the pole is."""
    best = PAPER.best_ratio(demand)
    ratio = cvxpy_ratio(PAPER, demand)
    assert ratio == pytest.approx(best.ratio, abs=1e-7)
    assert PAPER.weighted(ratio) == pytest.approx(best.weighted, rel=1e-8)


@pytest.mark.parametrize(
    "parameters", [row[0] for row in EXAMPLES] + [(0.3, -0.5, 0.8), (0.5, 0.0, 0.9)]
)
def test_cone_program_agrees_on_the_examples(parameters):
    """It does so for b of either sign, for b = 0, and where the ratio is clipped at 1."""
    curve = AccuracyCurve(*parameters)
    assert cvxpy_ratio(curve) == pytest.approx(curve.best_ratio().ratio, abs=1e-5)


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@examples(40)
@given(curve=st.one_of(negative, zero, positive), share=shares)
def test_cone_program_agrees_on_random_curves(curve, share):
    """The convex program and the closed form have the same minimiser (flat: hence 1e-4)."""
    assume(curve(1.0) > 0.05)
    demand = share * 0.999 * min(1.0, curve(1.0))
    assume(curve.b <= 0 or demand > curve(0.0) + 1e-6)
    assert cvxpy_ratio(curve, demand) == pytest.approx(curve.best_ratio(demand).ratio, abs=1e-4)


def test_cone_program_proves_infeasibility():
    """A demand above A(1) is proved infeasible by the solver too."""
    for demand in (0.9634, 0.97, 1.0):
        with pytest.raises(InfeasibleError):
            cvxpy_ratio(PAPER, demand)


def test_import_loads_neither_scipy_nor_cvxpy():
    """The heavy packages are loaded at first use, not with the module."""
    code = (
        "import sys, optedge.formulations.accuracy as a; b = a.AccuracyCurve(1, 0, 1)(1.0); "
        "assert not {'scipy', 'cvxpy', 'pyomo'} & set(sys.modules), 'loaded'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
