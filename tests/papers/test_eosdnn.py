"""The published environment of EosDNN: its servers, what no pool can better, and its claims."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import optedge as oe
from optedge import cli
from optedge.formulations.offloading.costs import paths
from optedge.papers import claims as claims_of_papers
from optedge.papers import eosdnn
from optedge.papers.eosdnn import clients, environments, methods, tasks, tiers

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


# ---------------------------------------------------------------- claims


SMALL = {
    "seeds": 2,
    "evaluations": 200,
    "time_limit": 1.0,
    "networks": ("alexnet",),
    "n_tasks": 2,
    "tasks": (1, 2, 3),
    "clients": (1, 2),
}


@pytest.fixture(scope="module")
def reproduced():
    """Return all claims, of two tasks and with few candidates."""
    return eosdnn.reproduce(**SMALL)


def test_every_claim_has_a_row_with_a_verdict(reproduced):
    """Each claim of table IV, figures 12 to 18, of the tiers and of equation (16)."""
    assert reproduced["where"].value_counts().to_dict() == {
        "table IV": 3,
        "figure 12": 2,
        "section VII-C": 1,
        "figure 13": 1,
        "figure 13(a)": 1,
        "figure 13(a), (b)": 1,
        "figure 13(b)": 2,
        "figure 13(c)": 1,
        "figure 14": 1,
        "figure 14(a)": 1,
        "figure 14(b)": 1,
        "figure 14(c)": 1,
        "figure 15": 6,
        "figure 16": 3,
        "figure 17": 4,
        "figure 18": 8,
        "title, section III": 2,
        "figures 15 to 18": 1,
        "eq. (16)": 1,
    }
    assert set(reproduced["verdict"]) <= {"reproduces", "differs", "cannot be checked"}
    against = reproduced[reproduced["verdict"] != "reproduces"]
    assert against["reason"].str.len().min() > 0
    assert reproduced["claim"].is_unique


def test_every_delay_stands_beside_a_bound(reproduced):
    """No delay is below the certified bound of its row, and gaps are those of the two."""
    tables = reproduced.attrs["tables"]
    assert list(tables) == list(eosdnn.PARTS)
    for name in ("figure 15", "figure 16", "figure 18", "tiers"):
        table = tables[name]
        assert (table["delay (s)"] >= table["bound (s)"]).all()
        assert (table["bound (s)"] > 0).all()
        gap = (table["delay (s)"] - table["bound (s)"]) / table["delay (s)"]
        assert table["proved gap"].to_numpy() == pytest.approx(gap.to_numpy())
    curves = tables["figure 17"]
    for method in tasks.METHODS:
        assert (curves[f"{method} (s)"] >= curves["bound (s)"]).all()


def test_parts_of_the_delay_sum_to_it(reproduced):
    """Execution, transmission and waiting; what waits at clients is part of the last."""
    for name in ("figure 15", "figure 18"):
        table = reproduced.attrs["tables"][name]
        parts = table[list(environments.PARTS_OF_DELAY)].sum(axis=1).to_numpy()
        assert parts == pytest.approx(table["delay (s)"].to_numpy())
    assert (table["at clients (s)"] <= table["waiting (s)"] + 1e-9).all()


def test_methods_of_figure_16(reproduced):
    """Thirteen methods; searches price the same number of candidates; two runs of the paper's."""
    table = reproduced.attrs["tables"]["figure 16"].set_index("method")
    assert set(table.index) == {"lagrangian", "pso-ga", *methods.RIVALS, *methods.OTHERS}
    searches = ["pso-ga", "genetic", "pre-pso", "annealing", "particle-swarm", "random"]
    assert (table.loc[searches, "evaluations"] == SMALL["evaluations"]).all()
    assert table.loc[["pso-ga", "genetic", "pre-pso"], "runs"].tolist() == [2, 2, 2]
    assert table.loc["greedy", "runs"] == 1
    assert (table["worst (s)"] >= table["delay (s)"]).all()


def test_figures_are_drawn_in_seconds(reproduced):
    """Figures 12 to 18 and the tiers can be drawn; an axis says what it shows."""
    figures = reproduced.attrs["figures"]
    assert list(figures) == [*(f"figure {k}" for k in range(12, 19)), "tiers"]
    for name in ("figure 15", "figure 16", "figure 17", "figure 18", "tiers"):
        figure = figures[name]()
        words = [ax.get_ylabel() + ax.get_xlabel() for ax in figure.axes]
        assert any(("(s)" in w) for w in words) or name in ("figure 16", "tiers")
    plt.close("all")


def test_parts_and_options():
    """A part alone; unknown parts, networks and numbers out of range are refused."""
    (row,) = eosdnn.reproduce(["inertia"]).itertuples()
    assert row.ours.startswith("0.2000, 0.5749, 0.7998, 0.8000 at")
    assert row.verdict == "reproduces"
    for given, words in (
        ({"parts": ["figure 9"]}, "there is no part 'figure 9'; the parts are table 4"),
        ({"parts": ["tiers"], "networks": ("lenet",)}, "network must be one of alexnet"),
        ({"seeds": 0}, "seeds must be a positive integer, got 0"),
        ({"tasks": (4, 8)}, "tasks must be at least 3 different ones"),
    ):
        with pytest.raises(ValueError, match=words):
            eosdnn.reproduce(**given)


def test_the_command_saves_table_and_claims(tmp_path, capsys):
    """`optedge reproduce eosdnn --part inertia` prints and saves both."""
    cli.reproduce("eosdnn", ["inertia"], out=tmp_path)
    assert "0.5749" in capsys.readouterr().out
    saved = sorted(file.name for file in tmp_path.iterdir())
    assert saved == ["eosdnn, claims.csv", "eosdnn, inertia.csv"]


def test_runs_are_made_once():
    """Equal instances, methods and seeds share a run, whatever figure asks for them."""
    runs = eosdnn.Runs(evaluations=100, n_tasks=2)
    first = runs.search(runs.problem("alexnet"), "genetic")
    assert runs.search(runs.problem("alexnet", n_clients=4), "genetic") is first
    assert runs.search(runs.problem("alexnet"), "genetic", 1) is not first
    assert first.evaluations == 100


def test_interrupted_parts_are_left_out():
    """Ctrl-C keeps the parts that are finished; without any it is passed on."""

    def interrupted():
        raise KeyboardInterrupt

    claim = claims_of_papers.Claim("c", "figure 1", "1", "1", "reproduces")
    part = claims_of_papers.Part([claim], pd.DataFrame({"x": [1]}))
    known = {"a": lambda: part, "b": interrupted, "c": lambda: part}
    found = claims_of_papers.gather(None, known)
    assert list(found.attrs["tables"]) == ["a"]
    with pytest.raises(KeyboardInterrupt):
        claims_of_papers.gather(["b", "c"], known)


# ---------------------------------------------------------------- verdicts follow the tables


def delays(**changes):
    """Return a table of figure 15 in which all claims hold, but for what is changed.

    Values are execution, transmission, waiting and bound of an environment, the same for both
    methods.
    """
    parts = {"L-E-C": (2, 2, 0, 3.9), "L-E": (5, 1, 1, 6.9), "L-C": (1, 6, 0, 6.9)}
    parts |= {name.replace("_", "-"): values for name, values in changes.items()}
    columns = [*environments.PARTS_OF_DELAY, "bound (s)"]
    rows = [
        {"network": "n", "environment": e, "method": m, **dict(zip(columns, values, strict=True))}
        for m in environments.METHODS
        for e, values in parts.items()
    ]
    table = pd.DataFrame(rows)
    table["delay (s)"] = table[list(environments.PARTS_OF_DELAY)].sum(axis=1)
    return table


@pytest.mark.parametrize(
    ("changes", "differ"),
    [
        ({}, ()),
        ({"L_C": (6, 6, 0, 11.9)}, ("execution",)),
        ({"L_E": (5, 7, 1, 12.9)}, ("transmission",)),
        ({"L_E_C": (4, 4, 0, 3.9)}, ("total (PSO-GA)",)),
        ({"L_E_C": (4, 4, 0, 7.9)}, ("total (PSO-GA)", "total (optimum)")),
    ],
)
def test_environments_are_judged_by_their_table(changes, differ):
    """One value moved makes its claim differ; an optimum only where bounds refute it."""
    found = {c.claim: c.verdict for c in environments.judge(delays(**changes))}
    expected = {
        "the total delay is lowest in L-E-C (PSO-GA)": "total (PSO-GA)",
        "the total delay is lowest in L-E-C (optimum)": "total (optimum)",
    }
    for label in environments.METHODS.values():
        expected[f"the execution delay is highest in L-E ({label})"] = "execution"
        expected[f"the transmission delay is highest in L-C ({label})"] = "transmission"
    assert found == {
        claim: "differs" if word in differ else "reproduces" for claim, word in expected.items()
    }


def test_lower_for_certain_or_up_to_the_gap():
    """Below the bounds of the others it is proved, else it may be equal."""
    sure = environments.judge(delays())[-1]
    assert sure.reason == "proved to be lower for n"
    open_ = environments.judge(delays(L_E=(5, 1, 1, 3.95)))[-1]
    assert (open_.verdict, open_.reason) == ("reproduces", "equal up to the proved gap for n")


@pytest.mark.parametrize(("genetic", "expected"), [(3.0, "reproduces"), (1.0, "differs")])
def test_methods_are_judged_by_medians(genetic, expected):
    """PSO-GA must be lower than the other method on every network."""
    values = {"pso-ga": [2.0, 2.5, 1.5], "genetic": [genetic] * 3, "pre-pso": [4.0] * 3}
    rows = [
        {"network": "n", "method": m, "seed": k, "delay (s)": v, "bound (s)": 1.0}
        for m, found in {**values, "greedy": [2.2]}.items()
        for k, v in enumerate(found)
    ]
    every = pd.DataFrame(rows).assign(**{"proved gap": 0.0, "seconds": 0.0, "evaluations": 1})
    found = methods.judge(methods._summary(every), every)
    assert [c.verdict for c in found] == [expected, "reproduces", "reproduces"]
    assert "lower in 2 of 3" in found[2].ours


def curve(**changes):
    """Return a table of figure 17 in which all claims hold, but for what is changed."""
    n = np.array([4, 8, 12, 16])
    wild = np.array([1, -1, -1, 1])
    found = {"lagrangian": 1 * n, "pso-ga": 2 * n, "genetic": 3 * n, "pre-pso": 3 * n}
    found |= {"greedy": 4 * n + 2 * wild, **changes}
    columns = {f"{m} (s)": y for m, y in found.items()}
    return pd.DataFrame({"network": "n", "tasks": n, **columns})


@pytest.mark.parametrize(
    ("changes", "verdicts"),
    [
        ({}, "rrrr"),
        ({"lagrangian": np.array([1, 1, 1, 9])}, "rdrr"),
        ({"genetic": np.array([4, 8, 12, 16])}, "rrdr"),
        ({"greedy": np.array([16, 32, 48, 64]), "pso-ga": np.array([9, 16, 24, 31])}, "rrrd"),
    ],
)
def test_lines_are_judged_by_their_fit(changes, verdicts):
    """Linear twice, least steep, most erratic: each can fail."""
    found = tasks.judge(curve(**changes))
    assert "".join(c.verdict[0] for c in found) == verdicts


def test_a_fit_by_hand():
    """Points (1, 1), (2, 3), (3, 2): slope 1/2, R^2 1/4, deviation sqrt(1/2) over mean 2."""
    line = tasks.fit([1, 2, 3], [1, 3, 2])
    assert line == pytest.approx((0.5, 0.25, np.sqrt(0.5) / 2))


@pytest.mark.parametrize(
    ("last", "verdicts"),
    [
        ((1, 1, 2), ("reproduces", "reproduces")),
        ((1, 3, 1), ("reproduces", "differs")),
        ((3, 1, 9), ("differs", "differs")),
    ],
)
def test_clients_are_judged_by_their_table(last, verdicts):
    """The delay must fall at each step, and transmission more than the other parts."""
    rows = [
        {
            "network": "n",
            "first layer": rule,
            "clients": k,
            "method": method,
            **dict(zip(environments.PARTS_OF_DELAY, values, strict=True)),
            "at clients (s)": 0.0,
            "delay (s)": sum(values),
            "bound (s)": sum(values),
        }
        for rule in clients.RULES
        for method in environments.METHODS
        for k, values in ((2, (1, 4, 3)), (4, last))
    ]
    found = clients.judge(pd.DataFrame(rows))
    assert [c.verdict for c in found] == [*verdicts] * 4


def test_waiting_at_clients():
    """Three tasks of one layer at one client of one pool wait 0, 1 and 2 s; nobody elsewhere."""
    p = oe.OffloadingProblem.chains(
        [[1.0]] * 3,
        [[0.0]] * 3,
        clients=[0, 0, 0],
        speeds_ghz=[1.0, 1.0],
        rates_mb_s=[[0, 1], [1, 0]],
        pools=[1, 1],
        tiers=[0, 1],
    )
    assert clients.client_waiting(p, p.schedule([0, 0, 0])) == pytest.approx(3.0)
    assert clients.client_waiting(p, p.schedule([1, 1, 1])) == 0


def test_an_idle_tier_is_no_collaboration():
    """All three tiers must take layers, on every network."""
    shares = {f"{t}, layers": v for t, v in zip(tiers.TIERS, (0.2, 0.3, 0.5), strict=True)}
    rows = [
        {"network": "n", "method": m, **shares, "bound (s)": 1.0, "delay (s)": 1.0}
        for m in environments.METHODS
    ]
    assert [c.verdict for c in tiers.judge(pd.DataFrame(rows))][:2] == ["reproduces"] * 2
    rows[1]["clients, layers"] = 0.0
    found = tiers.judge(pd.DataFrame(rows))
    assert [c.verdict for c in found] == ["reproduces", "differs", "cannot be checked"]
    assert found[1].reason == "idle: clients of n"
