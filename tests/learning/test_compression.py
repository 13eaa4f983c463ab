"""The autoencoder, and the accuracy curve that is measured with it."""

import numpy as np
import pytest

from optedge import AccuracyCurve
from optedge.learning import Autoencoder, digits, measure_ratios, prototypes


def lost(machine, x):
    """Return the share of the variance that is not restored."""
    return ((machine.restore(machine.compress(x)) - x) ** 2).sum() / ((x - x.mean(0)) ** 2).sum()


def test_what_lies_in_a_plane_is_restored():
    """Two numbers hold samples of a plane; one number does not; no steps, nothing learnt."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 10)) + 3
    found = [lost(Autoencoder(x, size, hidden=32), x) for size in (1, 2)]
    assert found[0] > 0.1
    assert found[1] < 0.02
    machine = Autoencoder(x, 2, steps=0)
    assert machine.compress(x).shape == (500, 2)
    assert machine.ratio == 0.2
    assert lost(machine, x) > 0.5


def test_about_as_good_as_principal_components():
    """On clouds around few points it restores about what the best linear machine does."""
    data = prototypes(0, n=800)
    centred = data.x_test - data.x_train.mean(axis=0)
    _, _, axes = np.linalg.svd(data.x_train - data.x_train.mean(axis=0), full_matrices=False)
    linear = 1 - ((centred @ axes[:8].T) ** 2).sum() / (centred**2).sum()
    assert lost(Autoencoder(data.x_train, 8), data.x_test) == pytest.approx(linear, abs=0.1)


def test_seeds():
    """The same seed gives the same machine."""
    x = np.random.default_rng(1).random((60, 5))
    codes = [Autoencoder(x, 2, steps=20, seed=s).compress(x) for s in (3, 3, 4)]
    assert np.array_equal(codes[0], codes[1])
    assert not np.array_equal(codes[0], codes[2])


def test_curve_of_the_digits():
    """Accuracy rises with the ratio and the logarithm fits it; a tenth of the size keeps most."""
    pytest.importorskip("sklearn")
    table = measure_ratios(digits(0), (1, 2, 4, 8, 32), steps=200)
    assert table["ratio"].tolist() == [k / 64 for k in (1, 2, 4, 8, 32)]
    assert (table["lost"].diff()[1:] < 0).all()
    relative = table["relative"].to_numpy()
    assert relative[0] < 0.9
    assert relative[-1] == pytest.approx(1, abs=0.03)
    curve = AccuracyCurve.fit(table["ratio"], table["relative"])
    assert curve.accuracy(table["ratio"]) == pytest.approx(relative, abs=0.08)
    assert (table["accuracy"] / table["relative"]).std() < 1e-12  # one accuracy on raw samples


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": 0}, "size, hidden and batch must be at least 1"),
        ({"rate": 0.0}, "rate positive"),
        ({"x": np.ones(3)}, "x must be a table of finite numbers"),
        ({"x": np.full((3, 2), np.nan)}, "x must be a table of finite numbers"),
    ],
)
def test_refused(given, message):
    """Samples and numbers out of range."""
    with pytest.raises(ValueError, match=message):
        Autoencoder(**{"x": np.ones((4, 2)), "size": 1, **given})
