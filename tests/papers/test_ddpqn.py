"""The published environment of DDPQN: servers, prices, and the exact optima of its networks."""

import numpy as np
import pytest

import optedge as oe
from optedge import cli
from optedge.papers import ddpqn
from optedge.platforms import shannon

SC = {"phi": 1.0, "varphi": 0.0, "xi": 0.0}
PRINTED = {"xi": 0.0}
# Section 6 of the specification: optimum, and the value of all layers on the client.
VALUES = {
    ("alexnet", "MB", "SC"): (0.149747, 1.514488),
    ("alexnet", "MB", "printed"): (-0.053763, 0.908693),
    ("alexnet", "Mb", "SC"): (0.122336, 2.242701),
    ("alexnet", "Mb", "printed"): (-0.033192, 1.345621),
    ("vgg19", "MB", "SC"): (0.026558, 1.056698),
    ("vgg19", "MB", "printed"): (-0.167604, 0.634019),
    ("vgg19", "Mb", "SC"): (0.040404, 1.221965),
    ("vgg19", "Mb", "printed"): (-0.202304, 0.733179),
    ("googlenet", "MB", "SC"): (0.024369, 0.889004),
    ("googlenet", "MB", "printed"): (-0.138887, 0.533402),
    ("googlenet", "Mb", "SC"): (0.056716, 2.428041),
    ("googlenet", "Mb", "printed"): (-0.145677, 1.456824),
    ("resnet101", "MB", "SC"): (0.057346, 2.681955),
    ("resnet101", "MB", "printed"): (-0.258640, 1.609173),
    ("resnet101", "Mb", "SC"): (0.089016, 6.165648),
    ("resnet101", "Mb", "printed"): (-0.291019, 3.699389),
}


@pytest.mark.parametrize(("network", "data_unit", "objective"), VALUES)
def test_optima_of_the_specification(network, data_unit, objective):
    """The dynamic program reaches the value stated, proves it, and so costs the client."""
    weights = SC if objective == "SC" else PRINTED
    p = ddpqn.instance(network, data_unit=data_unit, weights=weights)
    best, at_home = VALUES[network, data_unit, objective]
    r = oe.solve(p, "dp")
    assert r.status == oe.Status.OPTIMAL
    assert r.objective == pytest.approx(best, abs=5.1e-7)
    assert oe.verify(r).verdict == "certified"
    assert p.objective(np.zeros(p.n_subtasks, dtype=int)) == pytest.approx(at_home, abs=5.1e-7)


def test_servers():
    """One client, five edges, five clouds; clocks and prices rise together."""
    where = ddpqn.servers()
    assert [len(tier) for tier in where.tiers] == [1, 5, 5]
    clocks = [server.clock_ghz for server in where.servers]
    hourly = [3600 * server.price for server in where.servers]
    assert clocks == pytest.approx(
        [2.3, 4.2, 7.725, 11.25, 14.775, 18.3, 40, 60, 80, 100, 120], rel=1e-14
    )
    assert hourly == pytest.approx(
        [0, 2.1, 2.1825, 2.265, 2.3475, 2.43, 0.225, 0.61875, 1.0125, 1.40625, 1.8], rel=1e-14
    )
    rates = where.rates / 8e6
    assert [rates[0, 1], rates[0, 6], rates[1, 2]] == [10, 0.5, 10]
    assert [rates[1, 6], rates[6, 7]] == [0.5, 5]
    assert (rates == rates.T).all()


def test_environments_and_numbers():
    """Two of three tiers, other numbers of servers, and drawn ones that stay when a tier goes."""
    assert [s.tier for s in ddpqn.servers("L-C").servers] == [0] + [2] * 5
    assert [s.tier for s in ddpqn.servers("L-E", n_edges=9).servers] == [0] + [1] * 9
    assert [s.tier for s in ddpqn.servers(n_edges=0).servers] == [0] + [2] * 5
    drawn = ddpqn.servers(seed=3)
    assert all(2.10 / 3600 <= s.price <= 2.43 / 3600 for s in drawn.servers[1:6])
    assert ddpqn.servers("L-C", seed=3).servers[1:] == drawn.servers[6:]
    assert ddpqn.servers(seed=4).servers != drawn.servers


def test_prices_and_pools_of_an_instance():
    """Prices come from the servers and the table of tiers; pools only if asked for."""
    p = ddpqn.instance("alexnet", 3, n_clients=2, pools="eosdnn", order="planned")
    assert p.price_per_hour == pytest.approx([0, 0, *np.linspace(2.1, 2.43, 5),
                                              *np.linspace(0.225, 1.8, 5)], rel=1e-14)  # fmt: skip
    between = p.price_per_gb
    assert [between[0, 2], between[0, 7], between[2, 3], between[2, 7], between[7, 8]] == [
        0.16, 0.8, 0.16, 0.8, 0.4,
    ]  # fmt: skip
    assert p.pools.tolist() == [1] * 2 + [2] * 5 + [8] * 5
    assert (p.clients.tolist(), p.order, p.weights) == ([0, 1, 0], "planned", oe.Weighting())
    assert np.isinf(ddpqn.instance().pools).all()
    assert ddpqn.instance(pools=[3] * 11).pools.tolist() == [3] * 11
    flow = ddpqn.instance(weights=None)
    assert (flow.weights, flow.unit) == (None, "s")


def test_modules_as_graphs():
    """Branches in parallel never cost more than modules in one piece, balance aside."""
    whole = ddpqn.instance("googlenet", weights=SC)
    branches = ddpqn.instance("googlenet", weights=SC, modules="dag")
    assert branches.n_subtasks > whole.n_subtasks
    bound = branches.bound("DP")
    assert bound.info["exact"]
    assert branches.objective(oe.solve(branches, "dp").solution) == pytest.approx(bound.value)


def test_rates_by_a_function():
    """A channel of one's own in place of the table."""

    def rate(a, b):
        return shannon(1e6 * (1 + a.tier + b.tier), 0.2, 1.0, 0.2)

    where = ddpqn.servers(rate_fn=rate)
    assert where.rates[0, 6] == pytest.approx(3e6)
    p = ddpqn.instance(rate_fn=rate)
    assert p.rates_mb_s[0, 1] == pytest.approx(0.25)
    with pytest.raises(ValueError, match=r"rates\[0, 1\] must be at least 0"):
        ddpqn.instance(rate_fn=lambda a, b: -1.0)


@pytest.mark.slow
def test_balance_of_one_task():
    """The model of counts proves the optimum with balance at the end, found in another way too."""
    r = oe.solve(ddpqn.instance(weights={"z_mode": "final"}), "highs")
    assert r.status == oe.Status.OPTIMAL
    assert r.objective == pytest.approx(-0.029654, abs=5.1e-7)


def test_generated_on_the_command_line(monkeypatch, tmp_path):
    """The command writes an instance; a mapping changes some of the weights."""
    path, weights = tmp_path / "p.json", 'weights={"xi": 0, "coupling_root": 3}'
    words = ["generate", "ddpqn", "--out", str(path), "-o", "network=vgg19", "-o", weights]
    monkeypatch.setattr("sys.argv", ["optedge", *words])
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    expected = ddpqn.instance("vgg19", weights=oe.Weighting(xi=0.0, coupling_root=3))
    assert oe.load(path).key == expected.key


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"network": "lenet"}, "network must be one of alexnet"),
        ({"modules": "none"}, "modules must be 'contracted' or 'dag'"),
        ({"environment": "E"}, "kind must be 'L-E-C'"),
        ({"pools": "two"}, "pools must be None, 'eosdnn' or numbers"),
        ({"n_clients": 0}, "n_clients must be an integer of at least 1, got 0"),
        ({"n_edges": -1}, "n_edges must be an integer of at least 0, got -1"),
        ({"weights": {"xi": -1.0}}, "xi must be a number of at least 0"),
    ],
)
def test_refusals(arguments, words):
    """What is out of range is named."""
    with pytest.raises(ValueError, match=words):
        ddpqn.instance(**arguments)
