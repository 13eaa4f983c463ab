"""Averaging of models: identities, and the fixed points of quadratic losses."""

import numpy as np
import pytest

from optedge.learning import aggregate, fixed_point


def test_by_hand():
    """Weights 1 and 3 on the values 0 and 4 give 3."""
    assert aggregate([0, 4], [1, 3]) == 3.0
    assert aggregate([[0.0, 1.0], [4.0, 5.0]], [1, 3]).tolist() == [3.0, 4.0]


def test_equal_models_stay():
    """The mean of equal models is that model, to the last digit, whatever the weights."""
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        model = rng.normal(size=100).astype(dtype)
        mean = aggregate([model] * 7, rng.random(7))
        assert mean.dtype == dtype
        assert np.array_equal(mean, model)


def test_identities():
    """Weights count up to a factor, one positive weight picks its model, order does not matter."""
    rng = np.random.default_rng(1)
    models, weights = rng.normal(size=(4, 6)), rng.random(4)
    mean = aggregate(models, weights)
    assert mean == pytest.approx(np.average(models, axis=0, weights=weights), abs=1e-14)
    assert aggregate(models, 1e-300 * weights) == pytest.approx(mean, abs=1e-13)
    assert aggregate(models, 1e308 * weights) == pytest.approx(mean, abs=1e-13)
    assert aggregate(models[::-1], weights[::-1]) == pytest.approx(mean, abs=1e-14)
    assert aggregate(models, [0, 0, 2, 0]) == pytest.approx(models[2], abs=1e-15)
    assert aggregate(models, [0, 0, 0, 0]) is None


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2, 3], "weights must be one a model"),
        ([1, -1], r"at least 0; entries \[1\] are not"),
        ([np.nan, 1], r"at least 0; entries \[0\] are not"),
        ([1, np.inf], r"at least 0; entries \[1\] are not"),
    ],
)
def test_weights_refused(weights, message):
    """There is a weight a model, finite and not negative."""
    with pytest.raises(ValueError, match=message):
        aggregate([[1.0], [2.0]], weights)


@pytest.mark.parametrize(("period", "settles"), [(1, 3.2), (2, 32 / 11), (5, 2.3916), (50, 2.0)])
def test_fixed_points(period, settles):
    """Losses w^2/2 and 4 (w - 4)^2/2: 3.2 is the joint minimum, 2 the mean of the targets."""
    found = fixed_point([1, 4], [0, 4], rate=0.2, period=period)
    assert found == pytest.approx(settles, abs=5e-5)
    w = 0.0
    for _ in range(400):
        local = [w, w]
        for _ in range(period):
            local = [local[0] - 0.2 * local[0], local[1] - 0.2 * 4 * (local[1] - 4)]
        w = float(aggregate(local, [1, 1]))
    assert w == pytest.approx(found, abs=1e-12)


def test_fixed_point_with_weights():
    """With one local step and weights it is the minimum of the weighted sum."""
    assert fixed_point([1, 4], [0, 4], rate=0.1, weights=[4, 1]) == pytest.approx(2.0)
    assert fixed_point([1, 4], [0, 4], rate=0.1, period=9, weights=[0, 2]) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"curvatures": [1, 0]}, "must be positive"),
        ({"rate": 0.5}, "rate \\* curvature below 2"),
        ({"rate": 0.0}, "must be positive"),
        ({"targets": [1]}, "must be equally long"),
        ({"period": 0}, "period must be at least 1"),
        ({"weights": [0, 0]}, "not all 0"),
    ],
)
def test_fixed_point_refuses(given, message):
    """Numbers out of range are told."""
    known = {"curvatures": [1, 4], "targets": [0, 4], "rate": 0.2}
    with pytest.raises(ValueError, match=message):
        fixed_point(**{**known, **given})
