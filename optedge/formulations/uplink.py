r"""The mean delay of a terminal's upload from past rates: estimates of E[1/v].

An upload of :math:`De` bit takes :math:`De\,E[1/v]` seconds in the mean. The paper estimates the
density of the rate by Gaussian kernels around the samples, but such a density is positive at
:math:`v = 0`, so that :math:`\int p(v)/v\,dv` diverges, and it puts some mass on negative rates.
Three estimates that exist:

``"log-kde"``
    Kernels on :math:`y = \ln v`: :math:`E[1/v] = e^{h_y^2/2}\,\frac1l\sum_i 1/v_i`, closed form.
``"truncated"``
    The density of the paper above a slowest rate, renormalised; the answer depends on that rate.
``"plugin"``
    :math:`\frac1l\sum_i 1/v_i`, the mean over the samples.

All are at least 1/mean(v) (Jensen) but for ``"truncated"`` with a high slowest rate.

Source: Xu et al. 2020, eqs. (16) and (17). Departures: besides the divergence, the printed kernel
:math:`e^{-((v-v_i)/h)^2}/(hl)` integrates to :math:`\sqrt\pi`; :func:`density` has the normal
density; the sum over all nodes in (16) is left out: a task is sent to one node.
"""

from __future__ import annotations

import itertools
import math
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Rule = Literal["log-kde", "truncated", "plugin"]
RULES = ("log-kde", "truncated", "plugin")
REACH = 12.0  # kernels are cut this many widths away: exp(-72) is below the rounding


def mean_inverse(
    samples: npt.ArrayLike, rule: Rule = "log-kde", *, slowest: float | None = None
) -> float:
    """Estimate E[1/v], the mean seconds that a bit takes.

    Parameters
    ----------
    samples
        Past rates in bit/s, shape ``(n_samples,)``, positive and finite, at least one.
    rule
        ``"log-kde"``, ``"truncated"`` or ``"plugin"``; see the module.
    slowest
        Least rate in bit/s of ``"truncated"``, positive and below the largest sample; there it is
        mandatory, elsewhere it must be left out.

    Returns
    -------
    float
        Seconds a bit. If all samples are equal (or there is one), every rule gives ``"plugin"``.

    Raises
    ------
    ValueError
        If a sample, the rule or ``slowest`` is wrong.
    """
    rates = checked_samples(samples)
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}.")
    if (slowest is not None) != (rule == "truncated"):
        raise ValueError("slowest (bit/s) goes with rule 'truncated', and only with it.")
    if slowest is not None and not 0 < slowest < rates.max():
        raise ValueError(
            f"slowest must be positive and below the largest sample, got {slowest!r}: "
            "down to 0 the integral diverges."
        )
    plugin = float(np.mean(1 / rates))
    if rule == "plugin" or np.ptp(rates) == 0:
        return plugin
    if rule == "log-kde":
        with np.errstate(over="ignore"):
            return float(np.exp(kernel_width(np.log(rates)) ** 2 / 2) * plugin)
    assert slowest is not None
    return _truncated(rates, slowest)


def delay(
    bits: float,
    samples: npt.ArrayLike,
    rule: Rule = "log-kde",
    *,
    slowest: float | None = None,
) -> float:
    """Return the mean seconds that an upload takes, eq. (16): ``bits`` times E[1/v].

    Parameters
    ----------
    bits
        Upload of a task in bit, at least 0 and finite.
    samples, rule, slowest
        As in :func:`mean_inverse`.
    """
    if not 0 <= bits < math.inf:
        raise ValueError(f"bits must be finite and at least 0, got {bits!r}.")
    return bits * mean_inverse(samples, rule, slowest=slowest)


def kernel_width(values: npt.ArrayLike) -> float:
    """Return the normal-reference width of the kernels, ``std * (4 / (3 l))**0.2``.

    ``std`` is that of the sample (``ddof=1``); 0 for one sample. (The paper's print reads "43l".)
    """
    x = np.asarray(values, dtype=np.float64)
    return float(x.std(ddof=1) * (4 / (3 * x.size)) ** 0.2) if x.size > 1 else 0.0


def density(rate: npt.ArrayLike, samples: npt.ArrayLike) -> FloatArray:
    """Return the kernel density of eq. (17), corrected, at ``rate``, in s/bit.

    Parameters
    ----------
    rate
        Bit/s, one or an array, of any sign.
    samples
        As in :func:`mean_inverse`, not all equal.
    """
    z, width = _standard(rate, samples)
    return np.asarray(np.exp(-0.5 * z**2).mean(axis=-1) / (width * math.sqrt(2 * math.pi)))


def literal_density(rate: npt.ArrayLike, samples: npt.ArrayLike) -> FloatArray:
    """Return the published "density" of eq. (17), which integrates to sqrt(pi), not to 1."""
    z, width = _standard(rate, samples)
    return np.asarray(np.exp(-(z**2)).mean(axis=-1) / width)


def mass_below(rate: float, samples: npt.ArrayLike) -> float:
    """Return the probability that :func:`density` gives to rates below ``rate``; 0 is nonsense."""
    from scipy.special import ndtr

    z, _ = _standard(rate, samples)
    return float(ndtr(z).mean())


def checked_samples(samples: npt.ArrayLike) -> FloatArray:
    """Return rates as an array; ValueError if one is not positive and finite, or there is none."""
    try:
        rates = np.array(samples, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("samples must be an array of numbers (bit/s).") from None
    if rates.ndim != 1 or rates.size == 0:
        raise ValueError(f"samples must have shape (n_samples,), at least one, got {rates.shape}.")
    wrong = np.flatnonzero(~(np.isfinite(rates) & (rates > 0)))
    if wrong.size:
        k = int(wrong[0])
        raise ValueError(f"samples[{k}] must be positive and finite (bit/s), got {rates[k]}.")
    return rates


def _standard(rate: npt.ArrayLike, samples: npt.ArrayLike) -> tuple[FloatArray, float]:
    """Return the distances to the samples in kernel widths, and the width."""
    rates = checked_samples(samples)
    width = kernel_width(rates)
    if width == 0:
        raise ValueError("samples are all equal: they have no kernel density.")
    return (np.asarray(rate, dtype=np.float64)[..., None] - rates) / width, width


def _truncated(rates: FloatArray, slowest: float) -> float:
    """Integrate p(v)/v dv = p(e^t) dt above the slowest rate, piece by piece."""
    from scipy.integrate import quad

    width = kernel_width(rates)
    steps = np.array([-REACH, -4.0, -1.0, 0.0, 1.0, 4.0, REACH])
    ends = np.unique(np.append(rates[:, None] + width * steps, slowest))
    ends = np.log(ends[ends >= slowest])

    def integrand(t: float) -> float:
        return float(density(math.exp(t), rates))

    pieces = (
        quad(integrand, a, b, epsabs=0, epsrel=1e-10, limit=200)[0]
        for a, b in itertools.pairwise(ends)
    )
    return math.fsum(pieces) / (1 - mass_below(slowest, rates))
