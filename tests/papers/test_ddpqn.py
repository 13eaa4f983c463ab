"""The published environment of DDPQN: servers, prices, and the exact optima of its networks."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import optedge as oe
from optedge import cli
from optedge.papers import ddpqn
from optedge.papers.ddpqn import (
    environments,
    learners,
    measures,
    reference,
    sweeps,
    tasks,
    variants,
    weights,
)
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


# ---------------------------------------------------------------- claims


SMALL = {
    "seeds": 1,
    "others": 1,
    "steps": 1400,
    "networks": ("alexnet",),
    "tasks": (1, 2, 3),
}
CHEAP = ["reference", "figure 4", "figure 8", "figure 9", "figure 10", "figure 11", "settings"]
VERDICTS = {"reproduces", "differs", "cannot be checked"}


@pytest.fixture(scope="module")
def reproduced():
    """Return the claims of some parts, of AlexNet alone and with little learning."""
    return ddpqn.reproduce(CHEAP, **SMALL)


def test_every_claim_has_a_row_with_a_verdict(reproduced):
    """Columns, verdicts and reasons; each printed percentage stands beside ours."""
    assert list(reproduced) == ["claim", "where", "published", "ours", "verdict", "reason"]
    assert set(reproduced["verdict"]) <= VERDICTS
    assert reproduced["claim"].is_unique
    assert reproduced[reproduced["verdict"] != "reproduces"]["reason"].str.len().min() > 0
    assert not (reproduced[["published", "ours"]] == "").any(axis=None)
    percent = reproduced[reproduced["published"].str.endswith(" %")]
    assert set(percent["published"]) == {"+117.53 %", "+13.70 %"}
    assert percent["ours"].str.contains(r"^[+-]\d+\.\d\d % ").all()
    assert list(reproduced.attrs["tables"]) == CHEAP


def test_eight_learners_beside_the_optimum(reproduced):
    """Same seeds; no mean, least or largest regret is below 0."""
    table = reproduced.attrs["tables"]["figure 4"]
    assert table.groupby("objective")["learner"].apply(list).map(len).tolist() == [8, 8]
    regrets = table.filter(regex="^(regret|last rollout|best played)")
    assert (regrets >= -1e-9).all(axis=None)
    assert (table["loss, min"] <= table["loss, mean"]).all()
    (late,) = reproduced[reproduced["claim"].str.contains("start to learn later")].itertuples()
    assert late.verdict == "cannot be checked"


def test_variants_obey_what_a_weighted_sum_implies(reproduced):
    """Of optima: B cannot lower H, X cannot raise Z, and A has the least sum of T, E, U."""
    table = reproduced.attrs["tables"]["figure 8"]
    for reading in ("printed", "benefit"):
        best = table[(table["method"] == "optimum") & (table["reading"] == reading)]
        best = best.set_index("variant")
        assert best.loc["A-B", "H"] >= best.loc["A", "H"] - 1e-9
        assert best.loc["A-X", "Z"] <= best.loc["A", "Z"] + 1e-9
        assert best["SC"].min() == pytest.approx(best.loc["A", "SC"], abs=1e-9)
        assert (best["proved gap"] <= 1e-8).all()
    assert (table["regret"] >= -1e-9).all()
    # A has neither H nor Z: 0.6 times the optimum of the sum alone.
    a = table[(table["variant"] == "A") & (table["method"] == "optimum")]["value"]
    assert a.to_numpy() == pytest.approx(0.6 * 0.149747, abs=5.1e-7)


def test_sixteen_instances_and_their_discounts():
    """All four columns as computed independently; 0.8 misses 6 of 16, 0.99 none."""
    runs = ddpqn.Runs()
    part = reference.judge_reference(runs)
    assert [c.verdict for c in part.claims] == ["reproduces"] * 5
    assert part.claims[0].ours == "16 of 16 equal to six digits"
    assert "within 0.002 in 13;" in part.claims[4].ours
    table = ddpqn.discount_table(runs)
    missed = (table[["0", "0.8", "0.99", "1"]] > 1e-9).sum()
    assert missed.tolist() == [9, 6, 0, 0]


@pytest.mark.slow
def test_all_parts_with_little_learning():
    """Every part has claims, a table and, settings aside, a figure; equal seeds, equal tables."""
    found, again = (ddpqn.reproduce(**SMALL) for _ in range(2))
    assert list(found.attrs["tables"]) == list(ddpqn.PARTS)
    assert set(found["verdict"]) <= VERDICTS
    assert found["claim"].is_unique
    pd.testing.assert_frame_equal(found, again)
    assert set(found.attrs["figures"]) == set(ddpqn.PARTS) - {"settings"}
    for name, draw in found.attrs["figures"].items():
        figure = draw()
        assert any(ax.get_ylabel() + ax.get_xlabel() for ax in figure.axes), name
        plt.close(figure)


@pytest.mark.slow
def test_a_learner_that_discounts_lands_on_the_discounted_plan():
    """VGG19, Mb, SC: the best plan for 0.8, not the optimum, as dynamic programming says."""
    claim = reference._lands(ddpqn.Runs(networks=("vgg19",)))
    assert "0.060018, optimum 0.040404" in claim.published
    assert claim.verdict == "reproduces"


@pytest.mark.parametrize("objective", [{}, {"z_mode": "final", "h_indicators": "benefit"}])
def test_measures_add_up_to_the_objective(objective):
    """The sum, H and Z of random plans, each with its weight, are what the problem values."""
    p = ddpqn.instance("alexnet", 2, weights=objective)
    rng = np.random.default_rng(0)
    for _ in range(5):
        x = rng.integers(0, 11, p.n_subtasks)
        found = measures.measures(p, x)
        z = found["Z final"] if objective else found["Z"]
        assert found["value"] == pytest.approx(
            0.6 * found["SC"] - 0.2 * found["H"] + 0.2 * z, rel=1e-12
        )
        assert found["SC"] == pytest.approx(
            0.5 * found["T"] + 0.3 * found["E"] + 0.2 * found["U"], rel=1e-12
        )


def test_balance_by_hand():
    """Layers on edges 1, 2, 1, 1 of two: Z is 1, 0, 1, 2, over four times one."""
    p = oe.OffloadingProblem.chains(
        [[1.0] * 4], [[1.0] * 4], clients=[0], speeds_ghz=[1.0] * 3,
        rates_mb_s=[[1.0] * 3] * 3, pools=[4] * 3, tiers=[0, 1, 1], weights=oe.Weighting(),
    )  # fmt: skip
    assert measures.balances(p, [1, 2, 1, 1]) == (1.0, 0.5)


def test_percent_and_regret():
    """Of positive totals; a regret is a share of the way to the client."""
    assert measures.in_percent(3.0, 2.0) == pytest.approx(50)
    assert np.isnan(measures.in_percent(1.0, 0.0))
    assert measures.normalised_regret(-0.5, -1.0, 1.0) == 0.25
    assert measures.normalised_regret(1.0, 1.0, 1.0) == 0.0


def test_runs_are_made_once_and_refused_with_a_sentence():
    """Equal runs are shared, whatever figure asks; numbers out of range are named."""
    runs = ddpqn.Runs(**{**SMALL, "steps": 200})
    p = runs.problem("alexnet")
    assert runs.learn(p) is runs.learn(runs.problem("alexnet", n_clients=1))
    assert runs.learn(p, seed=1) is not runs.learn(p)
    assert (
        runs.exact(runs.problem("alexnet", weights={"z_mode": "final", "xi": 0.0})).solver == "dp"
    )
    for given, words in (
        ({"parts": ["figure 2"]}, "there is no part 'figure 2'; the parts are reference"),
        ({"parts": ["figure 7"], "networks": ("lenet",)}, "network must be one of alexnet"),
        ({"seeds": 0}, "seeds must be a positive integer, got 0"),
        ({"tasks": (1, 2)}, "tasks must be at least 3 different ones"),
    ):
        with pytest.raises(ValueError, match=words):
            ddpqn.reproduce(**given)


def test_runs_too_short_to_learn_are_not_judged():
    """Before the first update there is no loss: such claims cannot be checked, and figures draw."""
    runs = ddpqn.Runs(**{**SMALL, "steps": 200})
    claims = learners.judge_figure_4(runs).claims + sweeps._best(sweeps.figure_3(runs), "batch")
    found = {c.verdict for c in claims if "loss" in c.claim}
    assert found == {"cannot be checked"}
    plt.close(learners._draw(runs, learners.figures_4_and_5(runs), "loss"))


def test_the_command_saves_table_and_claims(tmp_path, capsys):
    """`optedge reproduce ddpqn --part settings` prints and saves both."""
    cli.reproduce("ddpqn", ["settings"], out=tmp_path)
    assert "cannot be checked" in " ".join(capsys.readouterr().out.split())
    saved = sorted(file.name for file in tmp_path.iterdir())
    assert saved == ["ddpqn, claims.csv", "ddpqn, settings.csv"]


# ---------------------------------------------------------------- verdicts follow the tables


def test_a_ripple_is_found_where_there_is_one():
    """A sawtooth of period 100 on a falling loss; noise has none, and short runs are not judged."""
    rng = np.random.default_rng(1)
    u = np.arange(11.0, 3000, 11)
    noise = np.exp(-u / 800) * np.exp(0.1 * rng.standard_normal(u.size))
    found = sweeps.wave(u, noise * np.exp(0.3 * (u % 100) / 100))
    assert found["best"] == 100
    assert sweeps._ripple(found).verdict == "reproduces"
    assert sweeps._ripple(sweeps.wave(u, noise)).verdict == "differs"
    assert sweeps._ripple(sweeps.wave(u[:5], noise[:5])).verdict == "cannot be checked"


def learnt(**means):
    """Return a summary of eight learners whose reward is 1, but for what is changed."""
    rows = []
    for name in ("ddpqn", "dqn", "double-dqn"):
        value = means.get(name.replace("-", "_"), 1.0)
        row = {"network": "n", "objective": "published", "learner": name, "greedy": 0.1}
        for column in ("reward", "loss", "regret", "normalised regret", "last rollout"):
            row |= {f"{column}, {word}": value for word in ("mean", "min", "max")}
        rows.append(row | {"best played, mean": 0.0})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("means", "reward", "loss"),
    [
        ({}, "reproduces", "reproduces"),
        ({"dqn": 2.0}, "differs", "reproduces"),
        ({"double_dqn": 0.5}, "reproduces", "differs"),
    ],
)
def test_learners_are_judged_by_means(means, reward, loss):
    """DDPQN must have the largest reward, the least loss and the least regret; ties count."""
    table, case = learnt(**means), ("n", "published")
    assert learners._first(table, case, "reward", "figure 5").verdict == reward
    found = learners._first(table, case, "loss", "figure 4")
    assert found.verdict == loss
    assert ("apart from" in found.reason) == bool(means)
    assert learners._kept(table, case).verdict == loss


@pytest.mark.parametrize(
    ("changes", "differ"),
    [
        ({}, ""),
        ({"ddpqn": (4.0, 9.0, 1.0)}, "delay"),
        ({"dqn": (4.0, 9.0, 1.0)}, "energy"),
        ({"greedy": (4.0, 2.0, 0.5)}, "near"),
    ],
)
def test_methods_of_figure_6_are_judged_by_their_table(changes, differ):
    """Slopes a task of delay, energy and cost: one value moved makes its claim differ."""
    slopes = {"ddpqn": (1.0, 5.0, 1.0), "dqn": (2.0, 4.0, 1.0), "greedy": (2.0, 2.0, 1.0)}
    slopes |= {"optimum": (1.0, 5.0, 1.0), **changes}
    names = ("delay (s)", "energy (J)", "cost ($)")
    rows = [
        {"network": "n", "tasks": n, "method": m, **{c: n * v for c, v in zip(names, values)}}  # noqa: B905
        for n in (1, 2, 3)
        for m, values in slopes.items()
    ]
    found = tasks.judge(pd.DataFrame(rows))
    assert [c.verdict for c in found[:3]] == ["reproduces"] * 3
    against = [c.claim for c in found[3:] if c.verdict == "differs"]
    assert len(against) == bool(differ)
    assert all(differ in claim for claim in against)


def test_bent_lines_are_no_lines():
    """Powers of four are not linear in the number of tasks."""
    rows = [
        {
            "network": "n",
            "tasks": n,
            "method": m,
            "delay (s)": 4.0**n,
            "energy (J)": n,
            "cost ($)": n,
        }
        for n in (1, 2, 3, 4)
        for m in tasks.METHODS
    ]
    found = tasks.judge(pd.DataFrame(rows))[0]
    assert found.verdict == "differs"
    assert found.reason.endswith("delay (s) of n")


@pytest.mark.parametrize(("values", "falls"), [((3, 2, 2), True), ((3, 2, 2.1), False)])
def test_weights_are_judged_by_each_step(values, falls):
    """A term must get better, or stay, with each rise of its weight; H the other way round."""
    rows = [
        {"panel": "shares: theta", "network": "n", "theta": w, "phi": w, "T": v, "SC": v, "H": -v}
        for w, v in zip((0.1, 0.5, 0.9), values, strict=True)
    ]
    table = pd.DataFrame(rows)
    expected = "reproduces" if falls else "differs"
    assert weights._monotone(table, "shares", ["theta"], ["T"]).verdict == expected
    assert weights._ordered(table, "phi", "SC", "x").verdict == expected
    assert weights._ordered(table, "phi", "H", "x").verdict == expected
    assert weights._best(table, "theta", "T", "x").verdict == expected


def test_variants_are_judged_by_their_table():
    """Directions of percentages, orders on all networks, equality where nothing moves."""
    wide = pd.DataFrame({"A": [2.0], "A-B": [3.0], "A-X": [2.0], "A-B-X": [1.0]}, index=["vgg19"])

    def order(better, worse, sign):
        return variants._order(wide, "c", "w", better, worse, sign=sign, note="").verdict

    assert variants._percent("m", wide, "vgg19", 84.08, "H").verdict == "differs"
    assert variants._percent("m", wide, "vgg19", 7.51, "Z").ours.startswith("+50.00 %")
    assert (
        variants._percent("m", wide, "vgg19", 50.1, "Z").reason
        == "the size is within a tenth of it"
    )
    assert [order("A-B", "A", 1), order("A-B", "A", -1), order("A-X", "A", 1)] == [
        "reproduces", "differs", "differs",
    ]  # fmt: skip
    assert variants._dearer(wide, "optimum", "T").verdict == "differs"
    assert variants._least_sum(wide.assign(A=0.5), "optimum").verdict == "reproduces"


def places(key, values):
    """Return a table of one network whose delay, cost and objective are these."""
    rows = [{"network": "n", key: place, "delay (s)": v, "value": v} for place, v in values.items()]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("last", "trend", "value"),
    [(1.0, "reproduces", "reproduces"), (2.5, "differs", "differs"), (3.0, "differs", "differs")],
)
def test_edges_are_judged_step_by_step(last, trend, value):
    """Delay must fall with every finite ratio; what has no clouds is not on the same line."""
    rows = places("ratio", {"0": 3.0, "1": 2.0, "1.8": last, "inf": 9.0})
    assert environments._trend(rows, "delay (s)", "falls", "w").verdict == trend
    assert environments._objective(rows, "SC", "ratio", "1.8").verdict == value
    flat = places("ratio", {"0": 3.0, "1": 3.0, "inf": 9.0})
    assert environments._trend(flat, "delay (s)", "falls", "w").verdict == "differs"


def test_environments_are_judged_by_their_table():
    """L-E-C must be least, ties included; a pair must be strictly in order."""
    rows = places("environment", {"L-E-C": 1.0, "L-E": 1.0, "L-C": 2.0})
    assert environments._least(rows, "delay (s)", "w").verdict == "reproduces"
    assert environments._pair(rows, "delay (s)", "L-E", "L-C", "w").verdict == "reproduces"
    assert environments._pair(rows, "delay (s)", "L-C", "L-E", "w").verdict == "differs"
    worse = places("environment", {"L-E-C": 2.0, "L-E": 1.0, "L-C": 2.0})
    assert environments._least(worse, "delay (s)", "w").verdict == "differs"
    assert environments._objective(worse, "SC", "environment", "L-E-C").verdict == "differs"
