"""The cloud-edge paper: its instances, and every claim about splits and windows."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from optedge import learning
from optedge.formulations.split import split_table
from optedge.papers import cloud_edge
from optedge.papers.cloud_edge import best_position, instance
from optedge.papers.cloud_edge.training import together_from

NODES = (30, 20, 10)


@pytest.fixture(scope="module")
def claims():
    """Return all claims."""
    return cloud_edge.reproduce(seeds=2)


@pytest.mark.parametrize(
    ("options", "splits"),
    [
        ({}, (7, 13, 20)),
        ({"memory": "pool"}, (7, 13, 20)),
        ({"binding": "energy"}, (24, 16, 8)),
        ({"memory": "unlimited"}, (34, 34, 34)),
    ],
)
def test_splits_of_30_20_and_10_nodes(options, splits):
    """Memory gives table 1, energy the direction of the text."""
    assert tuple(best_position(instance(n, **options)) for n in NODES) == splits


def test_queueing_has_the_direction_of_the_text():
    """More nodes serve more arrivals, so that the split may be deeper."""
    splits = [best_position(instance(n, binding="queueing")) for n in NODES]
    assert splits == sorted(splits, reverse=True)
    assert len(set(splits)) == 3
    assert instance(10, binding="queueing").limit_names == ("stability",)


@pytest.mark.parametrize(
    ("pool", "splits"),
    [
        (375.92, None),
        (375.94, (7, 13, 20)),
        (377, (7, 13, 20)),
        (378.03, (7, 13, 20)),
        (378.05, None),
    ],
)
def test_pools_that_give_table_1(pool, splits):
    """Every pool in [375.93, 378.04) MB, with projections and their maps, and no other."""
    found = tuple(best_position(instance(n, pool * 1e6 / n, projection=True)) for n in NODES)
    assert (found == (7, 13, 20)) == (splits is not None)


def test_ranges_of_memory_and_pool():
    """The ranges of section 6; without projections 365 MB gives 8, 12, 20 or nearly so."""
    expected = {30: (11.188, 12.059), 20: (18.254, 19.493), 10: (35.257, 38.457)}
    for n, ends in expected.items():
        assert np.divide(cloud_edge.memory_range(n), 1e6) == pytest.approx(ends, abs=6e-4)
    low, high = np.divide(cloud_edge.pool_range(projection=True), 1e6)
    assert (low, high) == pytest.approx((375.93, 378.04), abs=6e-3)
    low, high = np.divide(cloud_edge.pool_range(projection=False), 1e6)
    assert (low, high) == pytest.approx((365.08, 361.76), abs=6e-3)
    found = [best_position(instance(n, 365e6 / n)) for n in NODES]
    assert found == [8, 12, 20]


def test_memory_at_the_edges_of_the_ranges():
    """The split changes exactly at the ends of the range."""
    for n, j in zip(NODES, (7, 13, 20), strict=True):
        low, high = cloud_edge.memory_range(n)
        assert best_position(instance(n, low * (1 + 1e-12))) == j
        assert best_position(instance(n, low * (1 - 1e-12))) == j - 1
        assert best_position(instance(n, high * (1 + 1e-12))) == j + 1


@pytest.mark.parametrize("nodes", NODES)
def test_random_memory_quantiles_agree_with_draws(nodes):
    """The exact median splits 200 drawn pools of nodes in halves."""
    problems = [instance(nodes, "uniform", seed=seed) for seed in range(200)]
    splits = np.array([best_position(p) for p in problems])
    median = cloud_edge.random_split(nodes)
    assert (splits < median).mean() < 0.6
    assert (splits > median).mean() < 0.6


def test_random_memory_has_the_direction_of_table_1():
    """Medians 8, 12, 18; between the tenths 2 to 19, 2 to 23, 4 to 29."""
    assert [cloud_edge.random_split(n) for n in NODES] == [8, 12, 18]
    assert [cloud_edge.random_split(n, 0.1) for n in NODES] == [2, 2, 4]
    assert [cloud_edge.random_split(n, 0.9) for n in NODES] == [19, 23, 29]


def test_instance_options():
    """Skip tensors, bandwidth, other aims; same seed, same instance."""
    assert instance(20, "uniform", seed=3).key == instance(20, "uniform", seed=3).key
    assert instance(20, "uniform", seed=3).key != instance(20, "uniform", seed=4).key
    plain, skip = (instance(20, skip=s, bandwidth=1e7, aim="upload") for s in (False, True))
    assert -plain.value[20] == pytest.approx(0.200704)
    assert -skip.value[20] == pytest.approx(0.401408)
    assert -skip.value[13] == -plain.value[13]
    assert -plain.value[0] == pytest.approx(0.150528), "raw images have 8 bit a number"
    tight = instance(20, deadline=0.02)
    assert tight.limit_names == ("memory", "latency")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"nodes": 15}, "memory 'given' is known for nodes"),
        ({"nodes": 0, "memory": "pool"}, "nodes must be a positive integer"),
        ({"memory": "plenty"}, "memory must be given, pool"),
        ({"binding": "time"}, "binding must be memory, energy or queueing"),
    ],
)
def test_wrong_arguments_are_refused(arguments, words):
    """The sentence names the argument."""
    with pytest.raises(ValueError, match=words):
        instance(**arguments)


# ---------------------------------------------------------------- table 2


def test_two_speeds_give_the_delays():
    """24.6527 and 2.0226 ms/GMAC, nothing on upload or constant: 25.74, 40.13, 57.13 ms."""
    fit = cloud_edge.fit_delays()
    assert fit["node"] == pytest.approx(24.6527, abs=5e-5)
    assert fit["cloud"] == pytest.approx(2.0226, abs=5e-5)
    assert fit["upload"] == fit["constant"] == 0
    assert 1e12 / fit["node"] == pytest.approx(cloud_edge.SPEED, rel=1e-5)
    assert 1e12 / fit["cloud"] == pytest.approx(cloud_edge.CLOUD_SPEED, rel=1e-5)
    ours = cloud_edge.table_2().head(3)
    assert ours["delay (ms)"].tolist() == pytest.approx([25.74, 40.13, 57.13], abs=5e-3)
    assert (ours["delay (ms)"] - ours["published delay (ms)"]).abs().max() <= 0.073


def test_delay_of_a_position_does_not_depend_on_the_nodes():
    """Nodes share tasks, not the work of one task."""
    delays = []
    for n in NODES:
        graph, platform, options = cloud_edge.setting(n)
        delays.append(split_table(graph, platform, **options).latency)
    np.testing.assert_array_equal(delays[0], delays[1])
    np.testing.assert_array_equal(delays[0], delays[2])


def test_energies_have_the_order_only():
    """38.717 J + 5.080 J/GMAC is within 0.63 J, a proportional law is not."""
    assert cloud_edge.fit_energies()["affine"] == pytest.approx((38.717, 5.080), abs=6e-4)
    ours = cloud_edge.table_2().head(3)
    assert ours["affine energy (J)"].tolist() == pytest.approx([42.84, 46.07, 49.89], abs=5e-3)
    assert ours["proportional energy (J)"].is_monotonic_increasing
    assert (ours["proportional energy (J)"] - ours["published energy (J)"]).abs().max() > 10


def test_whole_task_offloading_takes_one_of_the_ends():
    """MASM has no split: all 3.644 GMAC in the cloud, or all on a node."""
    rows = cloud_edge.table_2().set_index("system")
    assert rows.loc["whole task in the cloud", "delay (ms)"] == pytest.approx(7.3714, abs=1e-4)
    assert rows.loc["whole task on a node", "delay (ms)"] == pytest.approx(89.847, abs=1e-3)


# ---------------------------------------------------------------- figures 5 and 6


def test_figure_6_numbers():
    """At 10 Mbit/s 0.0899 s at 34 against 0.1278 at 0 and 0.668 at 7; from 100 Mbit/s on, 0."""
    delays = cloud_edge.figure_6((10.0, 100.0, 1000.0))
    assert delays[10.0][[34, 0, 7]].tolist() == pytest.approx([0.0899, 0.1278, 0.668], abs=5e-5)
    assert delays.to_numpy().argmin(axis=0).tolist() == [34, 0, 0]


def test_thresholds_of_figure_6():
    """At the bandwidth where two positions tie, they tie."""
    rate = cloud_edge.falling_below(7, 13)
    delays = cloud_edge.figure_6((rate,))[rate]
    assert delays[7] == pytest.approx(delays[13])
    assert cloud_edge.falling_below(0, 34) < 30, "raw images are small: only slow links"


def test_figures_have_units_and_the_published_limits():
    """Axes name their units; figure 5 shows the three limits of memory."""
    table = cloud_edge.reproduce(["figure 5", "figure 6"])
    assert list(table.attrs["tables"]) == list(table.attrs["figures"]) == ["figure 5", "figure 6"]
    (five,), (six,) = (draw().axes for draw in table.attrs["figures"].values())
    assert "MB" in five.get_ylabel() and "(s)" in six.get_ylabel()
    assert [t.get_text().split(":")[0] for t in five.texts] == [f"{n} nodes" for n in NODES]
    plt.close("all")


# ---------------------------------------------------------------- figure 7


def test_the_window_instance():
    """The reproducible draw: 200 tasks, 10 nodes, bound .541699."""
    p = cloud_edge.window_instance()
    assert p.times.shape == (200, 10) and p.work.sum() == pytest.approx(199.8, abs=5)
    assert p.bound("LP").value == pytest.approx(0.541699, abs=1e-6)
    assert cloud_edge.window_instance(5, 2, seed=0).key != cloud_edge.window_instance(5, 2).key


def test_windowed_runs_of_each_kind():
    """Rules have one run, searches one a seed; each is cut at 1200 evaluations a window."""
    (fcfs,) = cloud_edge.windowed("FCFS")
    assert fcfs.ratio == pytest.approx(1.15797, abs=6e-6)
    swarms = cloud_edge.windowed("particle swarm", seeds=2)
    assert [set(r.windows["evaluations"]) for r in swarms] == [{1200}] * 2
    assert swarms[0].makespan != swarms[1].makespan


def test_the_margin_over_fcfs_depends_on_the_draw():
    """Draw 3 is one of the widest: 12 %; draw 0 leaves less than 3 %."""
    margins = cloud_edge.below_fcfs(4)
    assert margins[0] < 0.03 and 0.1 < margins[3] < 0.14
    assert margins.argmax() == 3


def test_convergence_never_rises():
    """The best value over evaluations falls, and stays above the bound."""
    curves = cloud_edge.convergence(seeds=1)
    values = curves.to_numpy()
    assert (values[1:] <= values[:-1]).all() and values.min() > 1
    assert curves.index[-1] == 1200 and np.isfinite(values[-1]).all()
    assert np.isinf(curves["particle swarm"].iloc[0]), "the first swarm is priced at 30"


def test_verdicts_of_figure_7(claims):
    """Ants beat FCFS and the swarm; they do not beat a one-line rule, nor is total time balance."""
    rows = claims[claims["where"].isin(["figure 7", "eq. (3)"])].set_index("claim")
    assert rows["verdict"].to_dict() == {
        "ATSA is below FCFS": "reproduces",
        "by how much ATSA is below FCFS": "cannot be checked",
        "ants are what brings the makespan down": "differs",
        "ATSA converges faster than PSO": "reproduces",
        "the less the total execution time, the more pheromone: the load is balanced": "differs",
    }
    ratios = claims.attrs["tables"]["figure 7"].groupby("method")["ratio"]
    others = {"ATSA, as published", "ATSA, makespan", "ATSA, completion"}
    assert (
        ratios.max()[list(others)].max() < ratios.min()["FCFS"] < ratios.min()["basic ant colony"]
    )
    assert ratios.max()["earliest completion, one window"] < ratios.min()[list(others)].min()


def test_figure_7_is_drawn(claims):
    """A dot a run, a row a method; curves of best values over evaluations."""
    left, right = claims.attrs["figures"]["figure 7"]().axes
    table = claims.attrs["tables"]["figure 7"]
    assert sum(len(line.get_xdata()) for line in left.lines) == len(table)
    assert len(left.get_yticklabels()) == table["method"].nunique() == 10
    assert "evaluations" in right.get_xlabel() and "bound" in right.get_ylabel()
    plt.close("all")


# ---------------------------------------------------------------- figure 8


def test_maps_and_images():
    """Byte of the maps at 7, 13 and 20, and the dormant shares that make up for them."""
    splits = (7, 13, 20)
    assert [cloud_edge.map_bytes(j) for j in splits] == [802_816, 401_408, 200_704]
    assert [cloud_edge.map_bytes(j, 1) for j in splits] == [200_704, 100_352, 50_176]
    assert cloud_edge.map_bytes(0) == cloud_edge.map_bytes(0, 1) == 150_528
    assert [cloud_edge.dormant_share(j) for j in splits] == [0.8125, 0.625, 0.25]
    assert [cloud_edge.dormant_share(j, 1) for j in splits] == [0.25, 0, 0]
    assert cloud_edge.map_bytes(20, skip=True) == 2 * 200_704
    assert cloud_edge.map_bytes(8, 1, skip=True) == 2 * 100_352
    assert cloud_edge.map_bytes(13, skip=True) == 401_408
    assert cloud_edge.dormant_share(13, raw=3072) == 1 - 3072 / 401_408  # CIFAR-10 as it is
    assert not any(cloud_edge.dormant_share(j, 1) for j in range(8, 35))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((35,), r"split must be one of 0\.\.34, got 35"),
        ((7, 0), "bytes_per_element must be positive"),
        ((7, 4, -1.0), "raw must be at least 0 byte"),
    ],
)
def test_uploads_refused(arguments, message):
    """A split that does not exist, numbers without byte, images of less than none."""
    with pytest.raises(ValueError, match=message):
        cloud_edge.dormant_share(*arguments)


def test_verdicts_of_figure_8(claims):
    """At float32 all three splits send more than raw images; half dormant, 20 sends less."""
    found = claims[claims["where"] == "figure 8"].set_index("claim")["verdict"]
    found.index = found.index.str.extract(r"\(split (.*)\)", expand=False)
    assert {j: found[f"{j}, float32"] for j in (7, 13, 20)} == dict.fromkeys((7, 13, 20), "differs")
    half = [found[f"{j}, float32, half dormant"] for j in (7, 13, 20)]
    assert half == ["differs", "differs", "reproduces"]
    assert [found[f"{j}, 8 bit"] for j in (7, 13, 20)] == ["differs", "reproduces", "reproduces"]
    (ax,) = claims.attrs["figures"]["figure 8"]().axes
    heights = [bar.get_height() for bar in ax.patches]
    assert heights[:3] == pytest.approx([802.816, 401.408, 200.704])
    reasons = claims[claims["where"] == "figure 8"]["reason"]
    assert reasons.iloc[0].endswith("more still than an image in float32, 602112")
    assert reasons.iloc[2].endswith("less than an image in float32, 602112")
    assert "kB" in ax.get_ylabel()
    plt.close("all")


def test_figure_9(claims):
    """Both claims are told with small runs: errors fall, half of the maps are sent where told."""
    found = claims[claims["where"] == "figure 9"]
    assert (found["verdict"] == "cannot be checked").all()
    table = claims.attrs["tables"]["figure 9"]
    ends = table[table["step"] == 600].groupby("method")[["error", "upload (kB)"]].mean()
    assert (ends["error"] < 0.1).all()
    sent = ends["upload (kB)"]
    assert sent["central"] == 8 * sent["collaborative"]
    assert sent["early exit"] == pytest.approx(sent["collaborative"] / 2)
    assert sent["with dormancy"] == pytest.approx(sent["collaborative"] / 2, rel=0.15)
    curve = table[table["method"] == "collaborative"].groupby("step")["error"].mean()
    assert len(curve) == 60 and curve.iloc[-1] < curve.iloc[0] / 3
    assert set(table.groupby("method").size()) == {2 * 60, 2}
    (ax,) = claims.attrs["figures"]["figure 9"]().axes
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(legend) == ["central", "collaborative", "early exit", "with dormancy"]
    assert len(ax.collections) >= 3, "a band a curve"
    assert "2 seeds" in ax.get_legend().get_title().get_text()
    plt.close("all")


def test_when_errors_are_equal():
    """From the step on after which both stay within 0.01 of each other, if there is one."""

    def told(*gaps):
        rows = [
            {"method": method, "step": 10 * k, "error": 0.1 + (method == "collaborative") * gap}
            for k, gap in enumerate(gaps, start=1)
            for method in ("central", "collaborative")
        ]
        return together_from(pd.DataFrame(rows))

    assert told(0.2, 0.005, -0.02, 0.001, 0.002) == 40
    assert told(0.001, 0.0) == 10
    assert told(0.0, 0.2) is None


def test_trainings_of_figure_9_are_kept(tmp_path, monkeypatch):
    """A second call with the same file trains nothing and finds the same."""
    kept = tmp_path / "figure 9.json"
    first = cloud_edge.figure_9(1, 20, kept)
    monkeypatch.setattr(learning, "train", None)
    pd.testing.assert_frame_equal(cloud_edge.figure_9(1, 20, kept), first)


# ---------------------------------------------------------------- claims


def test_verdicts(claims):
    """What reproduces, what differs, what cannot be checked."""
    verdicts = claims.set_index("claim")["verdict"]
    text = "more nodes push the split farther back "
    assert verdicts["layer of the split (given memory)"] == "reproduces"
    assert verdicts["layer of the split (pool, with projections)"] == "reproduces"
    assert verdicts["layer of the split (pool, without projections)"] == "differs"
    assert verdicts[text + "(memory binds)"] == "differs"
    assert verdicts[text + "(energy binds)"] == "reproduces"
    assert verdicts["energy in joule, eqs. (18) to (20)"] == "differs"
    assert verdicts["delay and energy of B-Net with 10 nodes"] == "cannot be checked"
    assert verdicts["delay and energy of MASM (no split) with 10 nodes"] == "cannot be checked"
    jump = "the memory jumps at the end because of the fully connected layers"
    assert verdicts[jump] == "differs"
    assert verdicts["the memory of the front grows with the split"] == "reproduces"
    falls = "total delay falls as the split moves back "
    assert verdicts[falls + "(10 Mbit/s)"] == "reproduces"
    assert verdicts[falls + "(100 Mbit/s)"] == "differs"
    assert verdicts[falls + "(table 2)"] == "differs"
    assert (claims["reason"] != "").all()


def test_percentages_follow_from_table_2(claims):
    """-17.4, -21.1, -5.9 and -14.5 % are the arithmetic of the published table."""
    rows = claims[claims["claim"].str.contains(" against ")]
    assert rows["ours"].tolist() == ["-17.37 %", "-21.14 %", "-5.93 %", "-14.48 %"]
    assert (rows["verdict"] == "reproduces").all()


def test_parts(claims):
    """All parts by default; unknown ones are refused with the choices."""
    assert list(claims.attrs["tables"]) == list(cloud_edge.PARTS)
    assert cloud_edge.reproduce([]).empty
    with pytest.raises(ValueError, match="there is no part 'figure 10'; the parts are table 1"):
        cloud_edge.reproduce(["figure 10"])
