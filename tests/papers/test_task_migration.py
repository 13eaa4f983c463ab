"""The task-migration paper: its fitted profile, single cuts, and the claims of table 1."""

import itertools

import numpy as np
import pytest

import optedge as oe
from optedge import networks
from optedge.papers import task_migration

# Section 6 of the specification: what is sent and the seconds of one frame; None: edge-only.
SINGLE = {
    ("alexnet", "3G"): ((8,), 2.268),
    ("alexnet", "4G"): ((2,), 0.883),
    ("tiny_yolo", "3G"): ((10,), 4.363),
    ("tiny_yolo", "4G"): ((10,), 2.252),
    ("darknet19", "3G"): ((12,), 5.843),
    ("darknet19", "4G"): ((0,), 1.922),
    ("alexnet_parallel", "3G"): ((16, 20), 1.462),
    ("alexnet_parallel", "4G"): ((16, 20), 1.012),
    ("resnet18", "3G"): ((), 2.724),
    ("resnet18", "4G"): ((0,), 1.919),
    ("googlenet", "3G"): ((), 4.036),
    ("googlenet", "4G"): ((0,), 1.977),
}
FACTORS = {
    "alexnet": (1.438, 1.735),
    "tiny_yolo": (0.887, 1.213),
    "darknet19": (1.221, 0.599),
    "alexnet_parallel": (0.676, 1.324),
    "resnet18": (0.814, 0.812),
    "googlenet": (1.165, 0.808),
}
EDGE_ONLY = {
    "alexnet": 88.9,
    "tiny_yolo": 159.7,
    "darknet19": 180.4,
    "alexnet_parallel": 44.9,
    "resnet18": 81.7,
    "googlenet": 121.1,
}


@pytest.fixture(scope="module")
def claims():
    """Return the table of all claims."""
    return task_migration.reproduce()


# ---------------------------------------------------------------- profile


@pytest.mark.parametrize(("network", "uplink"), SINGLE)
@pytest.mark.parametrize("solver", ["min-cut", "block-cut", "enumeration"])
def test_cuts_and_latencies(network, uplink, solver):
    """The best cut of each network at 3G and 4G and its seconds, to the printed digits."""
    if solver == "enumeration" and network == "alexnet_parallel" and uplink == "3G":
        return  # once is enough
    p = task_migration.instance(network, uplink)
    r = oe.solve(p, solver)
    sent, seconds = SINGLE[network, uplink]
    assert p.crossing(r.solution) == sent
    assert f"{r.objective:.3f}" == f"{seconds:.3f}"
    assert r.status == "OPTIMAL"
    if not sent:
        assert (r.solution == 0).all()


def test_more_digits():
    """0.8827 and 2.2679 s of AlexNet, 1.9774 s of GoogLeNet (notebook 03)."""
    for network, uplink, seconds in (
        ("alexnet", "4G", 0.8827),
        ("alexnet", "3G", 2.2679),
        ("googlenet", "4G", 1.9774),
    ):
        r = oe.solve(task_migration.instance(network, uplink), "min-cut")
        assert round(r.objective, 4) == seconds


@pytest.mark.parametrize("network", FACTORS)
def test_profile_by_hand(network):
    """Factor * (overhead + max(flops / F, 4 * params / W)) on both sides, from the layer table."""
    graph = networks.load(network)
    p = task_migration.instance(network, "4G")
    assert task_migration.factors()[network] == FACTORS[network]
    machines = [(1.19e9, 2.74e8, 9.3e-3), (1.74e10, 1.0e11, 1.91e-3)]
    for times, factor, (speed, weights, overhead) in zip(
        p.times, FACTORS[network], machines, strict=True
    ):
        work = np.maximum(graph.flops / speed, 4 * graph.parameters / weights)
        assert times[0] == 0
        assert times[1:] == pytest.approx(factor * (overhead + work[1:]), rel=1e-12)
    assert p.sends[0] == pytest.approx(8 * graph.output_bytes / (0.484 * 5.85e6), rel=1e-12)


def test_uplinks():
    """3G and 4G are 1.1 and 5.85 Mbit/s nominal, as any number is: 48.4 % of it arrives."""
    assert task_migration.platform("alexnet", "3G").rates[0, 1] == pytest.approx(0.484 * 1.1e6)
    assert task_migration.platform("alexnet", "4G").rates[0, 1] == pytest.approx(0.484 * 5.85e6)
    assert task_migration.platform("alexnet", 1e7).rates[0, 1] == pytest.approx(4.84e6)
    assert [s.factor for s in task_migration.platform(None).servers] == [1, 1]
    with pytest.raises(ValueError, match="uplink must be a rate in bit/s, '3G' or '4G', got '5G'"):
        task_migration.platform("alexnet", "5G")
    with pytest.raises(ValueError, match=r"rates\[0, 1\] must be at least 0"):
        task_migration.platform("alexnet", -1.0)


def test_only_its_six_networks():
    """Another network has no factors; the sentence lists those that have."""
    with pytest.raises(ValueError, match=r"network must be one of alexnet, .*, got 'vgg16'"):
        task_migration.instance("vgg16")
    assert set(task_migration.NETWORKS) == set(FACTORS)
    assert all(task_migration.instance(name, 1e6).is_chain for name in task_migration.CHAINS)


def test_instance_takes_fields():
    """Goal and name go to the problem."""
    p = task_migration.instance("alexnet", "3G", goal="throughput", name="slowest")
    assert (p.goal, p.name) == ("throughput", "slowest")
    assert task_migration.instance("alexnet", "3G").name == "alexnet, 3G"


# ---------------------------------------------------------------- claims


def test_edge_only_reproduces(claims):
    """30 frames back to back: the edge-only column of table 1, for all six networks."""
    rows = claims[claims.claim.str.startswith("edge-only delay")]
    assert len(rows) == 6
    assert (rows.verdict == "reproduces").all()
    assert (rows["where"] == "table 1").all()
    for network, seconds in EDGE_ONLY.items():
        (row,) = rows[rows.claim.str.contains(f"of {network},")].itertuples()
        assert row.published == f"{seconds:g} s"
        assert float(row.ours.split()[0]) == pytest.approx(seconds, abs=0.05)
        frame = task_migration.instance(network, "3G").times[0].sum()
        assert 30 * frame == pytest.approx(seconds, abs=0.05)


def test_queue_columns_cannot_be_checked(claims):
    """Cloud-only, Single Cutting and Scheduling with Queuing share a queue that cuts do not see."""
    rows = claims[claims.verdict == "cannot be checked"]
    assert len(rows) == 6
    for method, uplink in itertools.product(
        ("cloud-only", "Single Cutting", "Scheduling with Queuing"), ("3G", "4G")
    ):
        (row,) = rows[rows.claim == f"delay of {method} at {uplink}"].itertuples()
        assert "queue" in row.reason
        assert row.ours == "-"


@pytest.mark.parametrize(
    ("where", "words", "ours", "verdict"),
    [
        ("abstract", "6.48", "5.53", "differs"),
        ("figure 2(a)", "over edge-only, chains, 3G", "2.03 to 3.3", "reproduces"),
        ("figure 2(a)", "over cloud-only, chains, 3G", "1.42 to 3.35", "differs"),
        ("figure 2(b)", "over edge-only, chains, 4G", "2.73 to 5.53", "differs"),
        ("figure 2(b)", "over cloud-only, chains, 4G", "1.07 to 1.44", "differs"),
        ("figure 3(a)", "over edge-only, DAGs, 3G", "1.11 to 2.55", "differs"),
        ("figure 3(a)", "over cloud-only, DAGs, 3G", "1.44 to 2.63", "differs"),
        ("figure 3(b)", "over edge-only, DAGs, 4G", "1.61 to 3.2", "differs"),
        ("section 5", "slower than edge-only on all DAGs, 3G", "not googlenet", "differs"),
        ("section 5", "faster than edge-only on all DAGs, 4G", "all", "reproduces"),
    ],
)
def test_the_text_against_its_own_table(claims, where, words, ours, verdict):
    """Ratios of the entries of table 1, as section 5 of the specification computed them."""
    rows = claims[(claims["where"] == where) & claims.claim.str.contains(words, regex=False)]
    (row,) = rows.itertuples()
    assert (row.ours, row.verdict) == (ours, verdict)


def test_verdicts_are_the_three_words(claims):
    """Every row has a verdict, and a reason unless it reproduces."""
    assert set(claims.columns) == {"claim", "where", "published", "ours", "verdict", "reason"}
    assert set(claims.verdict) == {"reproduces", "differs", "cannot be checked"}
    assert claims[claims.verdict != "reproduces"].reason.str.len().min() > 0


def test_table_hangs_on_the_claims(claims):
    """Table 1 as printed, beside our edge-only, cuts and proved gaps."""
    table = claims.attrs["tables"]["table 1"].set_index(["model", "network"])
    assert len(table) == 12
    for (network, uplink), (_, seconds) in SINGLE.items():
        row = table.loc[(network, uplink)]
        assert row.one_frame_s == pytest.approx(seconds, abs=5e-4)
        assert row.edge_only == EDGE_ONLY[network]
    assert (table.gap <= 1e-6).all()
    assert table.cut.tolist()[6] == "{16, 20}"
    assert table.cut.tolist()[8] == "edge-only"


def test_published_table():
    """Table 1 is printed for 12 rows; DAGs have no Scheduling with Queuing."""
    table = task_migration.published_table().set_index(["model", "network"])
    assert table.loc[("darknet19", "4G"), "scheduling_queuing"] == 32.6
    assert table.loc[("resnet18", "3G"), "single_cutting"] == 32.0
    assert table.loc[("tiny_yolo", "3G"), "cloud_only"] == 200.8
    assert table.scheduling_queuing.isna().sum() == 6
    assert (table.xs("3G", level="network").edge_only.to_dict()) == EDGE_ONLY


def test_parts():
    """A part may be asked for alone; an unknown one is refused with the choices."""
    assert len(task_migration.reproduce(["table 1"])) == len(task_migration.reproduce())
    assert len(task_migration.reproduce([])) == 0
    with pytest.raises(ValueError, match="there is no part 'table 9'; the parts are table 1"):
        task_migration.reproduce(["table 9"])
