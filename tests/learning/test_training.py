"""Training as a whole: bytes against shares, seeds, rules over links, accuracies, bad data."""

import dataclasses
import sys

import numpy as np
import pytest

from optedge.learning import (
    Data,
    Dormancy,
    ExponentialLink,
    TraceLink,
    digits,
    early_exit,
    entropies,
    layer_graph,
    markov_trace,
    measure,
    prototypes,
    share_out,
    train,
    train_central,
)
from optedge.learning.data import find_data

QUICK = {"hidden": (8, 16), "steps": 40}


@pytest.fixture(scope="module")
def clouds():
    """Return prototypes."""
    return prototypes(0, n=800)


@pytest.mark.parametrize("p", [0.0, 0.3, 0.6, 1.0])
def test_upload_is_the_share_of_all(clouds, p):
    """(1 - p) of the full upload within 3 standard deviations, and nothing at p = 1."""
    full, run = (train(clouds, dormancy=q, steps=200, hidden=(8, 16)) for q in (0.0, p))
    batches = 1000  # of 8 to 32 tasks: mean 20, mean square 452
    deviation = 32 * np.sqrt(batches * p * (1 - p) * 452)
    assert abs(run.uploaded - (1 - p) * full.uploaded) <= 3 * deviation
    assert full.uploaded == 32 * run.history["tasks"][-1]  # the same batches whatever p
    assert run.downloaded == run.uploaded
    assert run.model.traffic.labels == run.uploaded / 32
    if p == 1:
        assert run.uploaded == run.test().uploaded == 0.0
    tested = run.test()
    assert abs(tested.uploaded - (1 - p) * 6400) <= 3 * 32 * np.sqrt(200 * p * (1 - p))
    assert tested.raw == 4 * 64 * 200


def test_bytes_of_the_digits():
    """450 images for testing: 14400 byte of maps, 28800 of raw pixels at 8 bit, 115200 at 32."""
    pytest.importorskip("sklearn")
    run = train("digits", steps=0)
    assert run.data.x_train.shape == (1347, 64)
    assert (run.data.x_train.min(), run.data.x_train.max()) == (0.0, 1.0)
    whole = run.test()
    assert (whole.uploaded, whole.raw) == (14_400, 115_200)
    assert train("digits", steps=0, bytes_per_element=1).test().raw == 28_800


def test_seeds(clouds):
    """The same seed gives the same history and the same answers, another one others."""
    rule = Dormancy("mean", smoothing=0.1)
    given = {"dormancy": rule, "link": markov_trace(50, 3), "trace": True, **QUICK}
    first, again, other = (train(clouds, seed=s, **given) for s in (1, 1, 2))
    assert first.history.tobytes() == again.history.tobytes()
    assert first.test() == again.test()
    assert first.history.tobytes() != other.history.tobytes()
    assert first.test(seed=5) == again.test(seed=5)


def test_history(clouds):
    """A row an averaging, the last step included; sums grow, losses fall, accuracies rise."""
    run = train(clouds, steps=75, period=20, hidden=(8, 16), trace=True, dormancy=0.4)
    frame = run.frame()
    assert frame["step"].tolist() == [20, 40, 60, 75]
    for name in ("tasks", "dormant", "maps", "labels", "gradients", "averaging"):
        assert (frame[name].diff()[1:] > 0).all()
    assert (frame["maps"] == 32 * (frame["tasks"] - frame["dormant"])).all()
    assert frame["averaging"].tolist() == [k * 2 * 5 * 4 * 520 for k in (1, 2, 3, 4)]
    for name in ("exit_loss", "cloud_loss"):
        assert frame[name].iloc[-1] < frame[name].iloc[0]
    for name in ("exit_accuracy", "cloud_accuracy"):
        assert frame[name].iloc[-1] > frame[name].iloc[0]
    last = measure(run.model, run.data.x_test, run.data.y_test)
    assert (last.exit, last.cloud) == tuple(run.history[-1].tolist()[-2:])
    plain = train(clouds, **QUICK)
    assert np.isnan(plain.history["cloud_accuracy"]).all()
    fronts = [front.parameters for front in plain.model.fronts]
    assert all(np.array_equal(front, fronts[0]) for front in fronts)


def test_nothing_learnt_by_the_cloud(clouds):
    """At p = 1 the back keeps its first parameters, and only the exit head answers well."""
    first, last = (train(clouds, dormancy=1.0, steps=n, hidden=(8, 16)) for n in (0, 200))
    assert np.array_equal(first.model.back.parameters, last.model.back.parameters)
    assert np.isnan(last.history["cloud_loss"]).all()
    tested = last.test()
    assert tested.mixed == tested.exit > 0.9
    assert tested.cloud < 0.6


def test_mixed_accuracy_of_dormant_training(clouds):
    """Spread evenly, p = 0.6 costs less than 0.05 of accuracy."""
    full, sparse = (train(clouds, dormancy=p, steps=300).test().mixed for p in (0.0, 0.6))
    assert full > 0.95
    assert abs(full - sparse) < 0.05


def test_mixed_accuracy_of_digits():
    """The same on handwritten digits, mean of two seeds, with fewer than half of the bytes sent."""
    pytest.importorskip("sklearn")
    runs = {p: [train(digits(s), dormancy=p, seed=s) for s in (0, 1)] for p in (0.0, 0.6)}
    mixed = {p: np.mean([run.test().mixed for run in found]) for p, found in runs.items()}
    assert mixed[0.0] > 0.92
    assert abs(mixed[0.0] - mixed[0.6]) < 0.05
    assert runs[0.6][0].uploaded < 0.5 * runs[0.0][0].uploaded


def test_rules_over_links(clouds):
    """A fixed threshold is a share of exponential delays; a trace makes tasks wait for it."""
    p = 0.4
    rule = Dormancy("fixed", seconds=-0.2 * np.log(p))
    run = train(clouds, dormancy=rule, link=ExponentialLink(0.2), hidden=(8, 16), steps=200)
    last = run.history[-1]
    assert abs(last["dormant"] / last["tasks"] - p) < 3 * np.sqrt(p * (1 - p) * 452 / 400 / 1000)
    assert abs(run.test().dormant - p) < 3 * np.sqrt(p * (1 - p) / 200)
    assert 0 < last["upload_seconds"] < 1000 * rule.seconds
    # 16 tasks are 512 byte: half a second at 8192 bit/s, a quarter at twice as much
    links = [TraceLink([0, 10], [0.008192, 0.016384]), TraceLink([0], [0.008192])]
    given = {"nodes": 2, "batch": (16, 16), "hidden": (8, 16), "steps": 20, "link": links}
    run = train(clouds, **given)
    assert run.history["upload_seconds"] == pytest.approx([10.0, 17.5])
    run = train(clouds, dormancy=Dormancy("fixed", seconds=0.3), **given)
    assert run.history["dormant"].tolist() == [320, 480]
    assert run.test().dormant == 0.75  # uploads as large as in training


def test_a_share_a_node(clouds):
    """Nodes that are never dormant send all, others nothing; the test goes round the nodes."""
    run = train(clouds, dormancy=[0.0, 1.0], nodes=2, batch=(10, 10), **QUICK)
    last = run.history[-1]
    assert (last["tasks"], last["dormant"]) == (800, 400)
    assert run.test().dormant == 0.5
    assert run.test().uploaded == 100 * 32


def test_poisson(clouds):
    """Counts have the means asked for; a node without tasks has no weight in the average."""
    run = train(clouds, poisson=(4.0, 0.0), nodes=2, steps=300, hidden=(8, 16))
    tasks = run.history["tasks"][-1]
    assert abs(tasks - 1200) < 3 * np.sqrt(1200)
    lone = train(clouds, poisson=0.0, **QUICK)
    assert lone.history["tasks"][-1] == lone.uploaded == 0


def test_counts_of_a_schedule(clouds):
    """Tasks told from outside are done as told, weigh the average, and replace other options."""
    counts = [[3, 0], [0, 0], [5, 0], [9, 27]]
    link = TraceLink([0], [0.001])  # 1000 bit/s, so 0.256 s a map
    given = {"nodes": 2, "hidden": (8, 16), "period": 3, "link": link}
    run = train(clouds, counts=counts, **given)
    assert run.counts.tolist() == counts
    assert run.history["step"].tolist() == [3, 4]
    assert run.history["tasks"].tolist() == [8, 44]
    assert run.uploaded == 44 * 32
    assert run.delays == pytest.approx(0.256 * run.counts)
    assert not run.asleep.any()
    assert run.model.options.steps == 4
    assert run.model.options.mean_tasks == 44 / 8
    asleep = train(clouds, counts=counts, **{**given, "dormancy": 1.0}).asleep
    assert asleep.tolist() == (run.counts > 0).tolist()


def test_idle_nodes_have_no_weight(clouds):
    """Who does nothing gets the front of the other; told counts give the same numbers again."""
    counts = [[6, 0]] * 8
    start, run, again = (
        train(clouds, counts=rows, nodes=2, hidden=(8, 16), period=2)
        for rows in ([[0, 0]], counts, counts)
    )
    fronts = [front.parameters for front in run.model.fronts]
    assert np.array_equal(*fronts)
    assert not np.array_equal(fronts[0], start.model.fronts[0].parameters)
    assert run.history.tobytes() == again.history.tobytes()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"counts": [[1, 2]]},
            r"counts must have shape \(steps, 5\), a column a node, got \(1, 2\)",
        ),
        ({"counts": np.zeros((0, 5), int)}, r"counts must have shape \(steps, 5\)"),
        ({"counts": np.ones((2, 5))}, "counts must be whole numbers, got float64"),
        ({"counts": [[1, 1, 1, 1, -2]]}, "counts must be at least 0; step 0, node 4 has -2"),
        ({"counts": [[1] * 5], "steps": 3}, "steps cannot be given too"),
        ({"counts": [[1] * 5], "poisson": 3.0}, "poisson cannot be given too"),
    ],
)
def test_counts_refused(clouds, given, message):
    """Counts of another shape or kind, or beside the options that they replace."""
    with pytest.raises(ValueError, match=message):
        train(clouds, **given)


def test_central_training(clouds):
    """All raw samples go up, nothing comes down, nobody averages; one network learns."""
    run = train_central(clouds, hidden=(16,), steps=150)
    assert run.uploaded == 256 * run.history["tasks"][-1]
    assert run.downloaded == run.model.traffic.averaging == 0
    assert run.test().cloud == run.test().mixed > 0.95
    assert run.model.sizes == (64, 16, 10)


@pytest.mark.parametrize("split", range(4))
def test_every_split_learns(clouds, split):
    """Each position of the same network is trained, sends its own map, and can be optimised."""
    run = train(clouds, hidden=(12, 20), split=split, steps=150, dormancy=0.2)
    graph = layer_graph(run.model.sizes)
    assert run.model.map_bytes == graph.output_bytes[split]
    assert run.test().cloud > 0.9


def test_8_bit_maps(clouds):
    """A quarter of the bytes, and hardly another accuracy."""
    fine, coarse = (train(clouds, steps=200, bytes_per_element=b) for b in (4, 1))
    assert coarse.uploaded == fine.uploaded / 4
    assert abs(coarse.test().cloud - fine.test().cloud) < 0.03


def test_early_exit(clouds):
    """From all sent to none as the threshold grows; between them sure samples stay."""
    run = train(clouds, **QUICK)
    x, y = run.data.x_test, run.data.y_test
    found = [early_exit(run.model, x, y, t) for t in (0.0, 0.2, 0.8, np.inf)]
    plain = measure(run.model, x, y)
    assert (found[0].dormant, found[0].mixed) == (0, plain.cloud)
    assert (found[-1].dormant, found[-1].mixed, found[-1].uploaded) == (1, plain.exit, 0)
    shares = [one.dormant for one in found]
    assert shares == sorted(shares)
    assert 0 < shares[2] < 1
    sure = entropies(run.model.scores(x)[0]) < 0.8
    right = run.model.scores(x)[0].argmax(axis=1) == y
    assert right[sure].mean() > right.mean()


def test_entropies():
    """Even scores have the logarithm of their number, a certain one has 0."""
    found = entropies(np.array([[1.0, 1, 1, 1], [900.0, 0, 0, 0]]))
    assert found == pytest.approx([np.log(4), 0.0])


def test_shares():
    """All samples are dealt out once; sorted, a node knows few classes, even, about all."""
    y = np.random.default_rng(0).integers(10, size=503)
    for kind in ("iid", "sorted"):
        dealt = share_out(y, kind, 5, np.random.default_rng(1))
        assert sorted(np.concatenate(dealt)) == list(range(503))
        assert {len(part) for part in dealt} == {100, 101}
        known = [len(np.unique(y[part])) for part in dealt]
        assert max(known) <= 4 if kind == "sorted" else min(known) >= 9
    given = share_out(y, [[0, 1], np.arange(5)], 2, np.random.default_rng(1))
    assert [len(part) for part in given] == [2, 5]


def test_arrays_as_data():
    """Any samples and labels; a seed tells which are for testing."""
    x, y = np.arange(40).reshape(20, 2), np.arange(20) % 3
    first, again = Data.of(x, y, seed=4), find_data((x, y), seed=4)
    assert np.array_equal(first.x_test, again.x_test)
    assert (len(first.y_train), len(first.y_test), first.n_classes) == (15, 5, 3)
    assert not first.x_train.flags.writeable
    assert set(first.x_train[:, 0]) | set(first.x_test[:, 0]) == set(x[:, 0])
    assert train((x / 40, y), hidden=(3,), steps=5).model.sizes == (2, 3, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_test": [0, 3]}, r"y_test must lie in 0\.\.1; entry 1 is 3"),
        ({"y_train": [0, -1, 1]}, r"y_train must lie in 0\.\.1; entry 1 is -1"),
        ({"n_classes": 1}, r"y_train must lie in 0\.\.0; entry 1 is 1"),
        ({"y_train": [0, 0.5, 1]}, "y_train must hold whole numbers, got float64"),
        ({"y_train": [0, 1]}, "y_train must hold a label a row"),
        ({"x_train": [[0.0], [np.nan], [1.0]]}, "x_train must be finite; row 1 is not"),
        ({"x_train": [0.0, 1.0, 2.0]}, "x_train must be a table"),
        ({"x_test": np.ones((2, 3))}, "x_train has 1 columns, x_test 3"),
    ],
)
def test_data_refused(change, message):
    """The sentence names the array and the entry."""
    known = {
        "x_train": np.ones((3, 1)),
        "y_train": [0, 1, 1],
        "x_test": [[1], [2]],
        "y_test": [0, 1],
    }
    with pytest.raises(ValueError, match=message):
        Data(**{**known, **change})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"split": 4}, r"split must be one of 0\.\.3, got 4"),
        ({"nodes": 0}, "nodes must be at least 1"),
        ({"nodes": 601}, r"nodes \[600\] hold no sample"),
        ({"shares": [[0], []], "nodes": 2}, r"nodes \[1\] hold no sample"),
        ({"shares": [[0]], "nodes": 2}, "shares must be one a node: 1 for 2 nodes"),
        ({"shares": [[0], [600]], "nodes": 2}, r"shares of node 1 must be indices in 0\.\.599"),
        ({"shares": "even"}, "shares must be iid, sorted or indices"),
        ({"dormancy": 1.5}, r"dormancy must lie in \[0, 1\]"),
        ({"dormancy": [0.5] * 4 + [-0.5]}, r"dormancy must lie in \[0, 1\]"),
        ({"dormancy": [0.5]}, "dormancy must be one, or one a node: 1 for 5 nodes"),
        ({"dormancy": Dormancy()}, "give link="),
        ({"link": [ExponentialLink(1.0)]}, "link must be one, or one a node: 1 for 5 nodes"),
        ({"link": 3.0}, "link 0 has no method seconds"),
        ({"poisson": (1.0, 2.0)}, "poisson must be one, or one a node"),
        ({"hidden": (8, 0)}, "sizes must hold two or more positive numbers"),
    ],
)
def test_training_refused(clouds, given, message):
    """What cannot be trained is told in a sentence."""
    with pytest.raises(ValueError, match=message):
        train(clouds, **{"steps": 1, **given})


def test_other_refusals(clouds):
    """Unknown options and data, masks and thresholds that do not fit."""
    with pytest.raises(TypeError, match="cooling"):
        train(clouds, cooling=1)
    with pytest.raises(ValueError, match="data must be one of digits, prototypes or arrays"):
        train("faces")
    with pytest.raises(TypeError, match=r"a name or a pair \(X, y\), got int"):
        train(3)
    with pytest.raises(ValueError, match="leaves 3 of 3"):
        Data.of(np.ones((3, 1)), [0, 1, 0], test_share=0.0)
    with pytest.raises(ValueError, match="noise at least 0"):
        prototypes(noise=-1.0)
    run = train(clouds, steps=1)
    with pytest.raises(ValueError, match="dormant must hold one entry a sample"):
        measure(run.model, run.data.x_test, run.data.y_test, np.ones(3, bool))
    with pytest.raises(ValueError, match="threshold must be at least 0 nats"):
        early_exit(run.model, run.data.x_test, run.data.y_test, -0.1)
    with pytest.raises(ValueError, match=r"y must lie in 0\.\.9; entry 0 is 1[0-9]"):
        measure(run.model, run.data.x_test, run.data.y_test + 10)
    with pytest.raises(ValueError, match="sizes must hold inputs and classes"):
        layer_graph([3])


def test_missing_extra(monkeypatch):
    """Without scikit-learn the digits name the extra, and what needs none."""
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r'pip install "optedge\[learn\]"'):
        train("digits", steps=1)
    assert train("prototypes", steps=1).data.name == "prototypes"


def test_traffic_is_told_in_full(clouds):
    """Four numbers, each a kind of byte; the history holds the same sums."""
    run = train(clouds, **QUICK)
    told = dataclasses.asdict(run.model.traffic)
    assert told == {name: run.history[name][-1] for name in told}
    assert min(told.values()) > 0
