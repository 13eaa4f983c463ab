"""The published environment of EosDNN: its servers, and what no pool can better."""

import numpy as np
import pytest

import optedge as oe
from optedge.formulations.offloading import paths
from optedge.papers import eosdnn

# Sum over 12 tasks of the shortest paths, to the digits of an independent computation.
ALONE = {
    ("alexnet", "free"): 2.3401,
    ("vgg19", "free"): 2.5246,
    ("googlenet", "free"): 0.8853,
    ("resnet101", "free"): 1.4564,
    ("alexnet", "client"): 6.2812,
    ("vgg19", "client"): 8.8049,
    ("googlenet", "client"): 1.6454,
    ("resnet101", "client"): 2.7139,
}


@pytest.mark.parametrize(("network", "first_layer"), ALONE)
def test_shortest_paths(network, first_layer):
    """The bound without pools is the published one of each network and rule; certified."""
    p = eosdnn.instance(network, first_layer=first_layer)
    bound = p.bound("DP")
    assert bound.value == pytest.approx(ALONE[network, first_layer], abs=5e-5)
    assert p.certify(bound.certificate) == bound.value
    assert paths.bound(p.replace(pools=np.full(p.n_servers, np.inf))).value == bound.value


def test_a_certified_schedule_of_the_published_size():
    """Prices on server time prove far more than paths alone, whenever the search is cut."""
    p = eosdnn.instance("alexnet")
    r = oe.solve(p, "lagrangian", max_evaluations=20_000, time_limit=20, target_gap=0.05)
    assert p.violations(r.solution) == []
    assert p.bounds()["DP"] < r.bound <= r.objective
    assert r.objective <= p.objective(oe.solve(p, "dp").solution)
    check = oe.verify(r)
    assert check, check.message
    assert check.verdict == "certified"


def test_modules_as_graphs_are_declined():
    """The sentence says what to do instead."""
    with pytest.raises(ValueError, match=r"lagrangian declines .* contract the modules"):
        oe.solve(eosdnn.instance("googlenet", modules="dag"), "lagrangian")


def test_options_without_meaning_are_declined():
    """What prices by time would ignore is not taken in silence."""
    with pytest.raises(ValueError, match="options of cutting planes"):
        oe.solve(eosdnn.instance(n_tasks=2), "lagrangian", max_iterations=5)


def test_servers():
    """Four clients, five edges and five clouds; L-E and L-C leave one tier out."""
    whole = eosdnn.servers()
    assert [len(tier) for tier in whole.tiers] == [4, 5, 5]
    assert [server.clock_ghz for server in whole.servers[:4]] == pytest.approx([1.1, 1.5, 1.9, 2.3])
    assert whole.rates[0, 4] == 8e7
    assert whole.rates[0, 9] == 4e6
    assert whole.rates[4, 9] == 4e7
    assert whole.rates[0, 1] == 0
    assert [s.tier for s in eosdnn.servers("L-C").servers] == [0] * 4 + [2] * 5
    assert [s.tier for s in eosdnn.servers("L-E").servers] == [0] * 4 + [1] * 5


def test_draws_and_bad_arguments():
    """A seed draws clocks in their ranges; unknown names are refused with the choices."""
    drawn = [server.clock_ghz for server in eosdnn.servers(seed=1).servers]
    assert drawn != [server.clock_ghz for server in eosdnn.servers(seed=2).servers]
    assert all(1.1 <= q <= 2.3 for q in drawn[:4])
    with pytest.raises(ValueError, match="kind must be 'L-E-C', 'L-E' or 'L-C'"):
        eosdnn.servers("C")
    with pytest.raises(ValueError, match="network must be one of alexnet"):
        eosdnn.instance("lenet")
    with pytest.raises(ValueError, match="modules must be"):
        eosdnn.instance(modules="both")


def test_modules_in_parallel_are_no_slower():
    """The branches of a module side by side end no later than one after the other."""
    chain, graph = (eosdnn.instance("googlenet", modules=m) for m in ("contracted", "dag"))
    assert graph.n_subtasks == 12 * 83
    assert chain.n_subtasks == 12 * 20
    assert graph.bounds()["DP"] <= chain.bounds()["DP"]
