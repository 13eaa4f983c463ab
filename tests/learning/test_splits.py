"""Splits of the network that is trained: costs by hand, limits, the optimum, accuracies."""

import numpy as np
import pytest

import optedge as oe
from optedge.learning import measure_splits, prototypes, train
from optedge.platforms import Platform, Server

HIDDEN = (8, 16)  # 64-8-16-10: 512, 128 and 160 weights


def platform(memory=np.inf, nodes=2):
    """Return nodes of 1 MFLOP/s and a fast cloud, 64 kbit/s between them."""
    servers = [Server(speed=1e6, memory=memory) for _ in range(nodes)]
    servers.append(Server(speed=1e9, tier=1))
    rates = np.zeros((nodes + 1, nodes + 1))
    rates[:-1, -1] = rates[-1, :-1] = 64e3
    return Platform(tuple(servers), rates)


@pytest.fixture(scope="module")
def clouds():
    """Return prototypes."""
    return prototypes(0, n=400)


def test_columns_by_hand(clouds):
    """Memory is 4 byte a weight and map, delay that of layers and maps; the least is marked."""
    table = measure_splits(clouds, HIDDEN, platform(), steps=40)
    assert table["sent (byte)"].tolist() == [256, 32, 64, 40]
    assert table["memory (kB)"].tolist() == pytest.approx([0, 2.08, 2.656, 3.336])
    upload, node, cloud = [32, 4, 8, 5], [0, 1.024, 1.28, 1.6], [0.0016, 0.000576, 0.00032, 0]
    by_hand = [sum(parts) for parts in zip(upload, node, cloud, strict=True)]
    assert table["delay (ms)"].tolist() == pytest.approx(by_hand)
    assert table["feasible"].all() and not table["blocked by"].any()
    assert table["optimum"].tolist() == [False, True, False, False]
    run = train(clouds, HIDDEN, 2, nodes=2, steps=40)
    row = table.loc[2]
    assert (row["upload (MB)"], row["accuracy"]) == (run.uploaded / 1e6, run.test().mixed)


def test_limits(clouds):
    """What is not feasible is not trained and says why; the optimum is that of the solvers."""
    given = {"limits": {"deadline": 0.007}, "steps": 5, "seeds": 2}
    table = measure_splits(clouds, HIDDEN, platform(memory=4e3), **given)
    assert table["blocked by"].tolist() == ["latency", "", "latency", "memory"]
    assert table["feasible"].tolist() == table["optimum"].tolist() == [False, True, False, False]
    assert np.isnan(table.loc[[0, 2, 3], ["upload (MB)", "accuracy"]]).all(axis=None)
    runs = [train(clouds, HIDDEN, 1, nodes=2, steps=5, seed=k) for k in (0, 1)]
    assert table.loc[1, "accuracy"] == np.mean([run.test().mixed for run in runs])
    problem = table.attrs["problem"]
    assert oe.solve(problem, "tmoa").solution.tolist() == [1]
    deep = measure_splits(clouds, HIDDEN, platform(), aim="depth", steps=0)
    assert deep["optimum"].tolist() == [False, False, False, True]
    none = measure_splits(clouds, HIDDEN, platform(), limits={"deadline": 1e-3}, steps=0)
    assert not none["feasible"].any() and not none["optimum"].any()


def test_8_bit_numbers(clouds):
    """What a number takes in training is what it takes in the problem."""
    table = measure_splits(clouds, HIDDEN, platform(nodes=3), bytes_per_element=1, steps=3)
    assert table["sent (byte)"].tolist() == [64, 8, 16, 10]
    run = train(clouds, HIDDEN, 1, nodes=3, bytes_per_element=1, steps=3)
    assert table.loc[1, "upload (MB)"] == run.uploaded / 1e6


def test_refused(clouds):
    """Seeds, limits and options of the training are told."""
    with pytest.raises(ValueError, match="seeds must be at least 1, got 0"):
        measure_splits(clouds, HIDDEN, platform(), seeds=0)
    with pytest.raises(ValueError, match="deadline must be in"):
        measure_splits(clouds, HIDDEN, platform(), limits={"deadline": -1.0})
    with pytest.raises(ValueError, match="dormancy must lie in"):
        measure_splits(clouds, HIDDEN, platform(), dormancy=2.0)
    with pytest.raises(ValueError, match="bytes_per_element must be 1, 2 or 4, got 3"):
        measure_splits(clouds, HIDDEN, platform(), bytes_per_element=3)
