"""The terminal's delay: closed form against quadrature, the divergence, the printed kernel."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from optedge.formulations.uplink import (
    delay,
    density,
    kernel_width,
    literal_density,
    mass_below,
    mean_inverse,
)

RATES = np.array([4, 5, 6, 8, 12]) * 1e6  # bit/s, cloud_edge.md 3.4
# Slowest rate, E[1/v] above it.
TRUNCATED = [(1, 3.9409e-7), (1e3, 2.9521e-7), (1e4, 2.6219e-7), (1e5, 2.2853e-7), (1e6, 1.8761e-7)]

samples = st.lists(st.floats(1e3, 1e9), min_size=1, max_size=12)


def test_widths_of_the_example():
    """Standard deviation 3.162278e6, width 2.427693e6 bit/s; 0.3279544 on the logarithms."""
    assert RATES.std(ddof=1) == pytest.approx(3.162278e6, rel=1e-6)
    assert kernel_width(RATES) == pytest.approx(2.427693e6, rel=1e-6)
    assert kernel_width(np.log(RATES)) == pytest.approx(0.3279544, abs=5e-8)


def test_default_is_the_closed_form_on_logarithms():
    """1.7411613e-7 s/bit, and quadrature of e^-y over the normal kernels agrees."""
    value = mean_inverse(RATES)
    assert value == pytest.approx(1.7411613e-7, rel=3e-8)
    logs, width = np.log(RATES), kernel_width(np.log(RATES))

    def integrand(y):
        kernels = np.exp(-0.5 * ((y - logs) / width) ** 2) / (width * math.sqrt(2 * math.pi))
        return math.exp(-y) * kernels.mean()

    ends = logs.min() - 10 * width, logs.max() + 10 * width
    assert quad(integrand, *ends, epsabs=0, epsrel=1e-11)[0] == pytest.approx(value, rel=1e-8)


def test_plugin_and_jensen():
    """The mean of 1/v is 1.65e-7; every rule exceeds 1/mean = 1.42857e-7."""
    assert mean_inverse(RATES, "plugin") == pytest.approx(1.65e-7, rel=1e-12)
    assert 1 / RATES.mean() == pytest.approx(1.42857e-7, rel=1e-5)
    least = min(v for _, v in TRUNCATED)
    for value in (mean_inverse(RATES), mean_inverse(RATES, "plugin"), least):
        assert value > 1 / RATES.mean()


@pytest.mark.parametrize(("slowest", "value"), TRUNCATED)
def test_truncated_values(slowest, value):
    """Each printed value; it never settles as the slowest rate falls."""
    assert mean_inverse(RATES, "truncated", slowest=slowest) == pytest.approx(value, rel=3e-5)


def test_truncated_equals_plain_quadrature():
    """Without the substitution, where that is easy: above 1e6 bit/s, renormalised."""
    ends = 1e6, 12e6 + 12 * kernel_width(RATES)
    top = quad(lambda v: density(v, RATES) / v, *ends, epsabs=0, epsrel=1e-10, limit=500)[0]
    mass = quad(lambda v: density(v, RATES), *ends, epsabs=0, epsrel=1e-10, limit=500)[0]
    assert mean_inverse(RATES, "truncated", slowest=1e6) == pytest.approx(top / mass, rel=1e-8)


def test_the_published_integral_diverges():
    """Each factor 10 nearer to 0 adds p(0) ln 10 / (mass above 0), for ever."""
    grid = [10.0**-k for k in range(0, 300, 50)]
    values = [mean_inverse(RATES, "truncated", slowest=v) for v in grid]
    step = 50 * math.log(10) * float(density(0.0, RATES)) / (1 - mass_below(0.0, RATES))
    np.testing.assert_allclose(np.diff(values), step, rtol=1e-6)
    assert density(0.0, RATES) > 0


def test_kernels_integrate_to_one_and_the_printed_ones_to_the_root_of_pi():
    """The density to 1, with 1.53 % on negative rates; the literal kernel to 1.77245."""
    width = kernel_width(RATES)
    ends = 4e6 - 12 * width, 12e6 + 12 * width
    whole = quad(lambda v: density(v, RATES), *ends, epsabs=0, limit=200)[0]
    literal = quad(lambda v: literal_density(v, RATES), *ends, epsabs=0, limit=200)[0]
    assert whole == pytest.approx(1, abs=1e-9)
    assert literal == pytest.approx(math.sqrt(math.pi), rel=1e-9)
    assert mass_below(0.0, RATES) == pytest.approx(0.0153, abs=5e-5)


@pytest.mark.parametrize("rates", [[5e6], [5e6, 5e6, 5e6]])
def test_without_spread_every_rule_is_the_plugin(rates):
    """One sample, or equal ones: no kernel, the mean."""
    assert mean_inverse(rates) == mean_inverse(rates, "plugin") == 2e-7
    assert mean_inverse(rates, "truncated", slowest=1.0) == 2e-7
    with pytest.raises(ValueError, match="all equal"):
        density(1.0, rates)


@given(samples)
def test_log_rule_is_never_below_the_plugin(rates):
    """exp(h^2/2) >= 1, and Jensen: E[1/v] >= 1/E[v]."""
    plain = mean_inverse(rates, "plugin")
    assert mean_inverse(rates) >= plain * (1 - 1e-12)
    assert plain >= (1 - 1e-12) / np.mean(rates)


@given(samples, st.floats(1e-3, 1e3))
def test_units_scale(rates, factor):
    """Rates in another unit give the same delay in it."""
    scaled = factor * np.array(rates)
    assert mean_inverse(scaled) * factor == pytest.approx(mean_inverse(rates), rel=1e-9)


def test_delay_is_bits_times_the_mean():
    """8e6 bit on the example: 1.39293 s."""
    assert delay(8e6, RATES) == 8e6 * mean_inverse(RATES)
    assert delay(0, RATES) == 0
    with pytest.raises(ValueError, match="bits must be finite"):
        delay(-1, RATES)


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ([], "at least one"),
        ([[1.0]], "must have shape"),
        ([1.0, 0.0], r"samples\[1\] must be positive"),
        ([1.0, -2.0], r"samples\[1\] must be positive"),
        ([math.nan], r"samples\[0\] must be positive"),
        ([1.0, math.inf], r"samples\[1\] must be positive and finite"),
        ("fast", "array of numbers"),
    ],
)
def test_bad_samples_are_refused(rates, words):
    """The sentence names the entry."""
    with pytest.raises(ValueError, match=words):
        mean_inverse(rates)


@pytest.mark.parametrize(
    ("rule", "slowest", "words"),
    [
        ("kde", None, "rule must be one of log-kde, truncated, plugin"),
        ("truncated", None, "slowest"),
        ("plugin", 1.0, "slowest"),
        ("truncated", 0.0, "diverges"),
        ("truncated", 12e6, "below the largest sample"),
        ("truncated", math.nan, "slowest must be positive"),
    ],
)
def test_bad_rules_are_refused(rule, slowest, words):
    """A slowest rate is mandatory where it is needed, and refused where it is not."""
    with pytest.raises(ValueError, match=words):
        mean_inverse(RATES, rule, slowest=slowest)
