"""Who is dormant: the three thresholds by hand, smoothing, and what shares come out."""

import numpy as np
import pytest

from optedge.learning import Dormancy


def test_mean_by_hand():
    """Above the mean of all delays before; the first task has none before it."""
    decided = Dormancy().decide([4, 5, 4.5, 4.6, 0, 9])  # means 4, 4.5, 4.5, 4.525, 3.62
    assert decided.tolist() == [False, True, False, True, False, True]


def test_fixed_by_hand():
    """Up to the threshold a task takes the path through the cloud."""
    rule = Dormancy("fixed", seconds=2.0)
    assert rule.decide([2, 2.1, 0, 3]).tolist() == [False, True, False, True]
    assert Dormancy("fixed", seconds=0.0).decide([0, 1e-9]).tolist() == [False, True]


def test_quantile_by_hand():
    """Above the quantile of the delays before, linear between them."""
    rule = Dormancy("quantile", share=0.5)
    assert rule.decide([1, 3, 1.9, 1.91, 2]).tolist() == [False, True, False, True, True]
    everyone = Dormancy("quantile", share=1.0).decide([5, 5, 1, 1])
    assert everyone.tolist() == [False, True, True, True]
    assert not Dormancy("quantile", share=0.0).decide([1, 1, 0.5, 1]).any()


@pytest.mark.parametrize("smoothing", [1.0, 0.3])
def test_quantile_against_numpy(smoothing):
    """Each decision is that of NumPy's quantile of the smoothed delays before."""
    delays = np.random.default_rng(0).exponential(size=200)
    smoothed, decided = [delays[0]], [False]
    for delay in delays[1:]:
        new = (1 - smoothing) * smoothed[-1] + smoothing * delay
        decided.append(new > np.quantile(smoothed, 0.7))
        smoothed.append(new)
    assert Dormancy("quantile", share=0.3, smoothing=smoothing).decide(delays).tolist() == decided


def test_shares():
    """Symmetric delays: half above their mean. Exponential ones: as many as the quantile says."""
    rng, n = np.random.default_rng(1), 4000
    allowed = 3 * np.sqrt(0.25 / n)
    assert abs(Dormancy().decide(rng.uniform(1, 2, n)).mean() - 0.5) < allowed
    delays = rng.exponential(2.0, n)
    for p in (0.3, 0.6):
        assert abs(Dormancy("quantile", share=p).decide(delays).mean() - p) < allowed
        fixed = Dormancy("fixed", seconds=-2.0 * np.log(p))
        assert abs(fixed.decide(delays).mean() - p) < allowed


def test_smoothing_keeps_a_node_from_changing_its_mind():
    """The smoothed delay follows by hand, and crosses the threshold less often."""
    rule = Dormancy("fixed", seconds=1.0, smoothing=0.5)
    assert rule.decide([0, 1.9, 1.2, 0.7, 0.7]).tolist() == [False, False, True, False, False]
    delays = np.random.default_rng(2).exponential(size=1000)
    changes = [
        np.count_nonzero(np.diff(Dormancy("fixed", seconds=1.0, smoothing=s).decide(delays)))
        for s in (1.0, 0.1)
    ]
    assert changes[1] < changes[0] / 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"threshold": "median"}, "threshold must be one of mean, fixed, quantile"),
        ({"threshold": "fixed"}, "seconds belongs to threshold='fixed' alone"),
        ({"seconds": 1.0}, "seconds belongs to threshold='fixed' alone"),
        ({"threshold": "quantile"}, "share belongs to threshold='quantile' alone"),
        ({"threshold": "fixed", "seconds": -1.0}, "seconds must be at least 0"),
        ({"threshold": "quantile", "share": 1.5}, r"share must lie in \[0, 1\]"),
        ({"smoothing": 0.0}, r"smoothing must lie in \(0, 1\]"),
    ],
)
def test_refused(given, message):
    """Each threshold takes its own number, within its range."""
    with pytest.raises(ValueError, match=message):
        Dormancy(**given)


def test_delays_refused():
    """Delays are not negative."""
    with pytest.raises(ValueError, match=r"delays must be at least 0; entries \[1\] are not"):
        Dormancy().decide([1, -1])
    with pytest.raises(ValueError, match="must be a row"):
        Dormancy().decide([[1.0]])
