"""Upload plans from networks, from migration plans and from each other."""

import numpy as np
import pytest

import optedge as oe
from optedge import networks
from optedge.platforms import Platform, Server, mbyte

GRAPH = networks.LayerGraph(
    successors=((1,), (2,), (3,), ()),
    flops=[0, 4e9, 8e9, 2e9],
    parameters=[0, 1e6, 0, 3e6],
    output_bytes=[2e6, 6e6, 1e6, 4e6],
    names=("input", "a", "b", "c"),
    types=("input", "conv", "pool", "fc"),
    name="three",
)
SERVERS = (
    Server(speed=1e9, name="client"),
    Server(speed=4e9, tier=1, name="edge"),
    Server(speed=8e9, tier=2, name="cloud"),
)
RATES = mbyte(1.0) * np.array([[0, 2, 1], [4, 0, 10], [1, 5, 0]])  # MB/s, not symmetric
PLATFORM = Platform(SERVERS, RATES)


def arrays(problem):
    """Return the per-layer fields as lists."""
    fields = ("client_times", "server_times", "sends_in", "sends_out", "hops", "upload_times")
    return {field: getattr(problem, field).tolist() for field in fields}


def test_a_network_by_hand():
    """Times of servers, transfers of each direction, and the hop from edge to cloud."""
    problem = oe.UploadProblem.from_network(GRAPH, PLATFORM, [1, 1, 2])
    assert arrays(problem) == {
        "client_times": [4, 8, 2],
        "server_times": [1, 2, 0.25],
        "sends_in": [1, 3, 1],
        "sends_out": [1.5, 0.25, 4],
        "hops": [0, 0, 0.1],
        "upload_times": [2, 0, 12],
    }
    assert not problem.stays.any()
    assert (problem.name, problem.input_sizes.tolist()) == ("three", [2])


def test_layers_that_stay():
    """The client's number means that a layer stays; neighbours then have no hop."""
    problem = oe.UploadProblem.from_network(GRAPH, PLATFORM, [1, 0, 2], bytes_per_parameter=1)
    assert problem.stays.tolist() == [False, True, False]
    assert problem.hops.tolist() == [0, 0, 0]
    assert problem.sends_in.tolist() == [1, 0, 1]
    assert problem.upload_times.tolist() == [0.5, 0, 3]
    turned = oe.UploadProblem.from_network(GRAPH, PLATFORM, [1, 0, 2], client=2)
    assert turned.stays.tolist() == [False, False, True]
    assert turned.client_times.tolist() == [0.5, 1, 0.25]


def test_several_tasks_are_chains_one_behind_the_other():
    """A row a task; joining problems of one task each says the same."""
    plan = [[1, 1, 2], [0, 2, 2]]
    both = oe.UploadProblem.from_network(GRAPH, PLATFORM, plan, use="forced")
    assert both.chain.tolist() == [0, 0, 0, 1, 1, 1]
    singles = [oe.UploadProblem.from_network(GRAPH, PLATFORM, p, use="forced") for p in plan]
    joined = oe.UploadProblem.joined(singles, name="three")
    assert arrays(joined) == arrays(both)
    for field in ("stays", "chain", "input_sizes"):
        assert getattr(joined, field).tolist() == getattr(both, field).tolist()
    assert (joined.use, joined.name) == ("forced", "three")
    thrice = oe.UploadProblem.joined([both, singles[0]])
    assert thrice.chain.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert thrice.name == "three + three"


def test_modules_are_one_layer():
    """A network with branches is contracted; the weights of a module are those of its layers."""
    graph = networks.load("googlenet", "linbin403")
    line = Platform.line([Server(clock_ghz=2.0), Server(clock_ghz=10.0)], [mbyte(10)])
    problem = oe.UploadProblem.from_network(graph, line, np.ones(20, dtype=int))
    assert problem.n_layers == 20
    assert problem.layers.size == 13
    assert problem.total_seconds == pytest.approx(4 * 6_998_552 / 1e7)
    assert problem.base_delay == pytest.approx(graph.work_gcycles.sum() / 2)
    with pytest.raises(ValueError, match=r"each of 20 layers of 'googlenet' \(a module is one"):
        oe.UploadProblem.from_network(graph, line, np.ones(83, dtype=int))


def test_a_network_without_weights():
    """Nothing takes time to upload, and no query is slower than at the end."""
    problem = oe.UploadProblem.from_network(GRAPH.replace(parameters=[0] * 4), PLATFORM, [1, 1, 1])
    assert problem.layers.size == 0
    assert oe.solve(problem, "interval-dp").objective == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"plan": [1, 1]}, r"plan must hold a server for each of 3 layers of 'three' .* \(2,\)"),
        ({"plan": [[[1, 1, 1]]]}, r"got shape \(1, 1, 3\)"),
        ({"plan": [1, 1, 3]}, "plan: task 0, layer 2: there is no server 3"),
        ({"plan": [[1, 1, 1], [1, -1, 1]]}, "plan: task 1, layer 1: there is no server -1"),
        ({"plan": [1.0, 1.0, 1.0]}, "plan must hold numbers of servers, got float64"),
        ({"client": 3}, "client must be one of the servers 0 to 2, got 3"),
        ({"client": "edge"}, "client must be one of the servers 0 to 2, got 'edge'"),
        ({"bytes_per_parameter": -1}, "bytes_per_parameter must be a number of at least 0, got -1"),
        ({"graph": GRAPH.replace(types=("conv",) * 4)}, "layer 0 must be an input tensor"),
        (
            {"platform": PLATFORM.replace(rates=RATES * [[1, 1, 1], [1, 1, 0], [1, 1, 1]])},
            "no link leads from server 1 to server 2: layer 2",
        ),
        (
            {"platform": PLATFORM.replace(rates=RATES * [[1, 1, 1], [1, 1, 1], [0, 1, 1]])},
            "no link leads from server 2 to server 0: layer 2",
        ),
        (
            {"platform": Platform((SERVERS[1], SERVERS[2]), RATES[1:, 1:])},
            r"the platform has no client \(a server of tier 0\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(change, sentence):
    """One sentence names the layer, the servers, or the sizes."""
    given = {"graph": GRAPH, "platform": PLATFORM, "plan": [1, 1, 2], **change}
    with pytest.raises(ValueError, match=sentence):
        oe.UploadProblem.from_network(**given)


def test_joining_needs_problems_of_one_use():
    """Delays of two readings cannot be summed."""
    best = oe.UploadProblem.from_network(GRAPH, PLATFORM, [1, 1, 2])
    with pytest.raises(ValueError, match=r"problems\[1\] has use 'forced', the first 'best'"):
        oe.UploadProblem.joined([best, best.replace(use="forced")])
    with pytest.raises(ValueError, match="at least one upload plan"):
        oe.UploadProblem.joined([])


# -------------------------------------------------------------------- migration plans


def offloading(**fields):
    """Return two tasks of each of two clients on an edge and a cloud, measured at 1 GHz."""
    clocks = [1.0, 2.0, 4.0, 8.0]
    rates = np.full((4, 4), 5.0)
    rates[0, 1] = rates[1, 0] = 0.0
    return oe.OffloadingProblem.chains(
        [[4, 8, 2], [1, 3], [4, 8, 2], [1, 3]],
        [[2, 6, 1, 4], [5, 1, 2], [2, 6, 1, 4], [5, 1, 2]],
        clients=[0, 0, 1, 1],
        speeds_ghz=clocks,
        rates_mb_s=rates,
        pools=[1, 1, 1, 1],
        tiers=[0, 0, 1, 2],
        name="four",
        **fields,
    )


def test_a_migration_plan_in_one_line():
    """The layers of a client's tasks; what runs at home stays, sizes are taken layer by layer."""
    problem = offloading()
    plan = problem.schedule([2, 2, 0, 3, 2, 2, 2, 1, 3, 3])
    sizes = np.arange(10.0)
    upload = oe.UploadProblem.from_offloading(problem, plan, 0, sizes)
    assert upload.chain.tolist() == [0, 0, 0, 1, 1]
    assert upload.stays.tolist() == [False, False, True, False, False]
    expected = {
        "client_times": [4, 8, 2, 1, 3],
        "server_times": [1, 2, 0, 0.125, 0.75],
        "sends_in": [0.4, 1.2, 0, 1, 0.2],
        "sends_out": [1.2, 0.2, 0, 0.2, 0.4],
        "hops": [0, 0, 0, 0, 0.2],
        "upload_times": [0, 0.2, 0, 0.6, 0.8],
    }
    assert arrays(upload) == {field: pytest.approx(row) for field, row in expected.items()}
    assert (upload.name, upload.input_sizes.tolist()) == ("four, client 0", [2, 5])
    other = oe.UploadProblem.from_offloading(problem, plan.servers, 1, sizes, use="forced")
    assert other.client_times.tolist() == [2, 4, 1, 0.5, 1.5]
    assert other.upload_times.tolist() == pytest.approx([1, 1.2, 0, 1.6, 1.8])
    assert other.use == "forced"


def test_the_two_ways_to_an_instance_agree():
    """A network on a platform, directly and through the offloading problem of it."""
    graph = networks.load("alexnet", "linbin403", input_size=1.179)
    rates = mbyte(1.0) * np.array([[0, 10, 0.5], [10, 0, 5], [0.5, 5, 0]])
    clocks = [Server(clock_ghz=g, tier=k) for k, g in enumerate((2.0, 10.0, 120.0))]
    where = Platform(tuple(clocks), rates)
    migration = oe.OffloadingProblem.from_network(graph, where, 2)
    plan = np.array([[1] * 6 + [2] * 5, [0] * 4 + [1] * 7])
    one = oe.UploadProblem.from_network(graph, where, plan)
    sizes = 4e-6 * graph.parameters[1:]
    two = oe.UploadProblem.from_offloading(migration, plan.ravel(), 0, sizes)
    for field, values in arrays(one).items():
        assert getattr(two, field).tolist() == pytest.approx(values, rel=1e-12), field
    assert two.stays.tolist() == one.stays.tolist()
    assert two.input_sizes.tolist() == pytest.approx(one.input_sizes.tolist())


def test_migration_plans_that_do_not_fit():
    """Graphs, strangers, sizes and broken schedules are refused."""
    problem, plan = offloading(), [2, 2, 0, 3, 2, 2, 2, 1, 3, 3]
    build = oe.UploadProblem.from_offloading
    with pytest.raises(ValueError, match="no task is born at server 2"):
        build(problem, plan, 2, np.ones(10))
    with pytest.raises(ValueError, match=r"a size for each of 10 layers .* got shape \(3,\)"):
        build(problem, plan, 0, np.ones(3))
    with pytest.raises(ValueError, match=r"upload_mb\[4\] must be finite and at least 0, got nan"):
        build(problem, plan, 0, [1, 1, 1, 1, np.nan, 1, 1, 1, 1, 1])
    with pytest.raises(ValueError, match="schedule: layer 0 of task 0 may not use server 1"):
        build(problem, [1, *plan[1:]], 0, np.ones(10))
    branched = problem.replace(successors=((1, 2), (), (), *problem.successors[3:]))
    with pytest.raises(ValueError, match="contract the modules before"):
        build(branched, plan, 0, np.ones(10))
