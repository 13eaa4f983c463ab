"""The published setting of uploads: 32 instances, their optima, and the claims on them."""

import matplotlib

matplotlib.use("Agg")

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.optimize import brentq

import optedge as oe
from optedge.formulations.upload import UploadPlan
from optedge.formulations.upload.exact import intervals
from optedge.papers import eosdnn
from optedge.papers.eosdnn import (
    model_sizes,
    partitions,
    recovered,
    staircases,
    upload_table,
    uploads,
)

# Layers that take time, the optimum, and what one partition of all costs, by another program.
CASES = {
    "alexnet 2; edge 10; Mb": (8, 42.1428, 82.0086),
    "alexnet 2; edge 10; MB": (8, 44.7909, 82.0086),
    "alexnet 2.3; edge 4.2; MB": (8, 54.5227, 71.3119),
    "alexnet 1.1; edge 18.3; Mb": (8, 63.5168, 149.1066),
    "alexnet 2; edge 4.2, edge 18.3; Mb": (8, 49.0801, 82.0086),
    "alexnet 2; edge 18.3, cloud 120; Mb": (8, 669.3352, 1568.6770),
    "alexnet 1.1; 2 stay, edge 4.2, edge 18.3, cloud 120; MB": (7, 1509.2494, 2811.8629),
    "alexnet 1.5; edge 4.2, edge 18.3, cloud 120 at random; Mb": (8, 704.3581, 1366.7280),
    "vgg19 2; edge 10; Mb": (19, 34.7964, 75.4113),
    "vgg19 2; edge 10; MB": (19, 42.6908, 75.4113),
    "vgg19 2.3; edge 4.2; MB": (19, 53.8361, 65.5750),
    "vgg19 1.1; edge 18.3; Mb": (19, 49.0403, 137.1114),
    "vgg19 2; edge 4.2, edge 18.3; Mb": (19, 41.5787, 75.4113),
    "vgg19 2; edge 18.3, cloud 120; Mb": (19, 675.7029, 1473.2623),
    "vgg19 1.1; 2 stay, edge 4.2, edge 18.3, cloud 120; MB": (17, 2142.8741, 2507.4603),
    "vgg19 1.5; edge 4.2, edge 18.3, cloud 120 at random; Mb": (19, 1191.5467, 1592.6394),
    "googlenet 2; edge 10; Mb": (13, 0.2012, 0.3365),
    "googlenet 2; edge 10; MB": (13, 0.3365, 0.3365),
    "googlenet 2.3; edge 4.2; MB": (13, 0.2926, 0.2926),
    "googlenet 1.1; edge 18.3; Mb": (13, 0.2641, 0.6119),
    "googlenet 2; edge 4.2, edge 18.3; Mb": (13, 0.2432, 0.3365),
    "googlenet 2; edge 18.3, cloud 120; Mb": (13, 4.6581, 6.1124),
    "googlenet 1.1; 2 stay, edge 4.2, edge 18.3, cloud 120; MB": (12, 7.8886, 7.8886),
    "googlenet 1.5; edge 4.2, edge 18.3, cloud 120 at random; Mb": (13, 1.9946, 2.1934),
    "resnet101 2; edge 10; Mb": (36, 4.7789, 9.5424),
    "resnet101 2; edge 10; MB": (36, 7.7638, 9.5424),
    "resnet101 2.3; edge 4.2; MB": (36, 8.1413, 8.2977),
    "resnet101 1.1; edge 18.3; Mb": (36, 6.5888, 17.3497),
    "resnet101 2; edge 4.2, edge 18.3; Mb": (36, 5.9768, 9.5424),
    "resnet101 2; edge 18.3, cloud 120; Mb": (36, 80.3822, 142.4378),
    "resnet101 1.1; 2 stay, edge 4.2, edge 18.3, cloud 120; MB": (35, 174.5986, 201.1072),
    "resnet101 1.5; edge 4.2, edge 18.3, cloud 120 at random; Mb": (36, 80.9121, 83.1055),
}

# Section 9: what one partition costs above the optimum and how far the envelope is below it, in %.
SECTION_9 = {
    "googlenet 2; edge 10; Mb": (67.27, 6.9),
    "googlenet 2; edge 4.2, edge 18.3; Mb": (38.38, 8.1),
    "resnet101 2; edge 10; Mb": (99.68, 2.8),
    "resnet101 2; edge 10; MB": (22.91, 14.9),
    "resnet101 1.1; edge 18.3; Mb": (163.32, 3.9),
    "resnet101 2; edge 18.3, cloud 120; Mb": (77.20, 32.4),
    "resnet101 1.1; 2 stay, edge 4.2, edge 18.3, cloud 120; MB": (15.18, 6.1),
}


@pytest.fixture(scope="module")
def cases():
    """Return the 32 instances by name."""
    return uploads.upload_cases()


def test_the_names_of_the_cases(cases):
    """Each network in eight surroundings."""
    assert list(cases) == list(CASES)


@pytest.mark.parametrize("name", CASES)
def test_all_cases_are_solved_and_proved(cases, name):
    """Optimum and number of decisions to the digit; the value on whole numbers is the proof."""
    problem = cases[name]
    m, optimum, at_once = CASES[name]
    assert problem.is_supermodular
    assert problem.layers.size == m
    found = intervals.best_order(problem)
    assert found.exact
    plan = problem.plan_of_order(found.order)
    assert problem.objective(plan) == pytest.approx(optimum, abs=6e-5)
    assert problem.objective(plan) == pytest.approx(float(found.value), rel=1e-12)
    whole = UploadPlan((tuple(np.flatnonzero(~problem.stays)),))
    assert problem.objective(whole) == pytest.approx(at_once, rel=1e-6, abs=6e-5)


@pytest.mark.parametrize("name", SECTION_9)
def test_columns_of_section_nine(cases, name):
    """One partition and the envelope beside the optimum, in per cent as printed."""
    problem, (above, below) = cases[name], SECTION_9[name]
    optimum = problem.bound("interval DP").value
    at_once = problem.total_seconds * problem.base_delay
    assert 100 * (at_once / optimum - 1) == pytest.approx(above, abs=6e-3)
    assert 100 * (1 - problem.bound("envelope").value / optimum) == pytest.approx(below, abs=0.06)


def test_the_solver_proves_a_case():
    """From the setting to a verified optimum in one line."""
    result = oe.solve(uploads.upload_instance("resnet101", 2.0, data_unit="Mb"), "interval-dp")
    assert result.status == oe.Status.OPTIMAL
    assert result.objective == pytest.approx(4.7789, abs=6e-5)
    assert oe.verify(result)


def test_uploading_may_never_pay(cases):
    """GoogLeNet with data in MB and one edge: the client alone is as fast at any time."""
    problem = cases["googlenet 2; edge 10; MB"]
    assert problem.least_delay == pytest.approx(problem.base_delay)
    assert problem.bound("interval DP").value == pytest.approx(
        problem.total_seconds * problem.base_delay
    )


def test_published_upload_times():
    """Four times in the text fit sizes in MiB used as MB at 10 MB/s to the digit."""
    t = dict(enumerate(1000 * uploads.upload_instance("alexnet").seconds))
    conv1, conv2, conv3, fc7 = t[0], t[2], t[4], t[9]
    assert conv2 == pytest.approx(234.47, abs=5e-3)
    assert conv2 + conv3 == pytest.approx(572.12, abs=5e-3)
    assert math.fsum(t.values()) - conv1 == pytest.approx(23782.12, abs=5e-3)
    assert math.fsum(t.values()) - conv1 - fc7 == pytest.approx(17380.56, abs=5e-3)


def test_settings_that_do_not_exist():
    """Kinds of servers, layers that stay and plans are checked."""
    with pytest.raises(ValueError, match=r"\('edge', GHz\) or \('cloud', GHz\), got 'fog'"):
        uploads.upload_instance(servers=[("fog", 1.0)])
    with pytest.raises(ValueError, match="stay must be 0 to 11 layers, got 12"):
        uploads.upload_instance(stay=12)
    with pytest.raises(TypeError, match="give plan or stay"):
        uploads.upload_instance(plan=[1] * 11, stay=2)
    with pytest.raises(ValueError, match="network must be one of"):
        uploads.upload_instance("lenet")


def test_all_layers_may_stay():
    """Then nothing is uploaded."""
    assert uploads.upload_instance(stay=11).stays.all()


# -------------------------------------------------------------------- table IV


def test_table_four():
    """Weights and MiB agree with the printed ones; work does as multiply-adds."""
    table = model_sizes.table_4().set_index("network")
    assert table["size"].round(2).to_dict() == {
        "alexnet": 237.95,
        "vgg19": 548.05,
        "googlenet": 26.70,
        "resnet101": 169.94,
    }
    assert table["parameters (M)"].round(2).tolist() == [62.38, 143.67, 7.0, 44.55]
    claims = eosdnn.reproduce("table 4")
    assert claims["verdict"].tolist() == ["reproduces"] * 3
    assert claims["ours"][2] == "238 / 548 / 26.7 / 169.9"


def test_a_wrong_table_is_told():
    """In 1e6 byte the sizes would differ."""
    table = model_sizes.table_4()
    claim = model_sizes.judge(table.assign(size=table["size, 1e6 byte"]))[2]
    assert claim.verdict == "differs"
    assert "5.3 % apart (alexnet)" in claim.reason


# -------------------------------------------------------------------- figures 12 to 14


@pytest.fixture(scope="module")
def figures():
    """Return the claims on uploads, all networks."""
    return eosdnn.reproduce(["figure 12", "figure 13", "figure 14"])


def rows_of(figures, part, **where):
    """Return rows of the table of a part."""
    table = figures.attrs["tables"][part]
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def test_every_sum_stands_beside_the_proved_optimum(figures):
    """No plan is below the optimum of its surrounding, which interval-dp reaches."""
    for part in ("figure 12", "figure 13", "figure 14"):
        table = figures.attrs["tables"][part]
        sums, optima = table[upload_table.SSD], table[upload_table.BOUND]
        assert (sums >= optima * (1 - 1e-9)).all()
        own = table["method"] == upload_table.OPTIMUM
        assert table["proved gap"][own].max() <= 1e-6
        assert own.sum() == len(table) / len(upload_table.METHODS)


def test_optima_and_whole_uploads_are_those_of_the_cases(figures):
    """Surroundings and cases are the same instances."""
    for network, where, case in (
        ("alexnet", "2 and 10 GHz, data in MB", "alexnet 2; edge 10; MB"),
        ("vgg19", "2.3 and 4.2 GHz, data in MB", "vgg19 2.3; edge 4.2; MB"),
        ("resnet101", "1.1 and 18.3 GHz, data in Mb", "resnet101 1.1; edge 18.3; Mb"),
    ):
        rows = rows_of(figures, "figure 12", network=network, surrounding=where)
        sums = dict(zip(rows["method"], rows[upload_table.SSD], strict=True))
        assert sums[upload_table.OPTIMUM] == pytest.approx(CASES[case][1], abs=6e-5)
        assert sums[upload_table.WHOLE] == pytest.approx(CASES[case][2], abs=6e-5)


def test_verdicts_of_the_figures(figures):
    """What reproduces with clocks in the middle, and what does not."""
    verdicts = dict(zip(figures["claim"], figures["verdict"], strict=True))
    wrong = {claim for claim, verdict in verdicts.items() if verdict == "differs"}
    assert len(verdicts) == 14
    assert wrong == {
        "the largest partition of LMU is smaller than that of IONN",
        "the largest partition of LMU is smaller than that of recursive efficiency",
        "the SSD of LMU is below that of IONN from 234.47 to 572.12 and 17380.56 to 23782.12 ms",
        "the SSD of LMU is near that of recursive efficiency on AlexNet",
    }
    (saving,) = figures["ours"][figures["where"] == "figure 13(a)"]
    assert saving.startswith("45.3")
    (steps,) = figures["ours"][figures["claim"] == "steps of the staircase of LMU on AlexNet"]
    assert steps.startswith("234.47 / 572.12 / 17380.56 / 23782.12 ms; order conv2, conv3,")
    assert steps.endswith(", fc7")


def test_two_printed_savings_hold_together():
    """With the partitions that the intervals imply: two numbers by two clocks in their ranges."""
    runs = eosdnn.Runs()
    found = recovered.savings(runs)
    assert found.whole == pytest.approx(45.16, abs=5e-3)
    assert found.parts == pytest.approx(13.41, abs=5e-3)
    assert found.inside == pytest.approx(1, abs=1e-5)  # times are printed in 0.01 ms
    assert recovered.judge_recovered(runs).verdict == "reproduces"


@pytest.mark.parametrize("client", [1.1, 1.7, 2.3])
def test_in_megabits_they_do_not(client):
    """Where LMU saves 45.16 % against one partition, it saves less than 13.1 % against IONN."""
    runs = eosdnn.Runs()

    def saved(edge):
        return recovered.savings(runs, upload_table.Surrounding(client, edge, "Mb", stay=1))

    edge = brentq(lambda ghz: saved(ghz).whole - 45.16, 4.2, 18.3, xtol=1e-3)
    assert saved(edge).parts < 13.1


def test_signs_of_section_seven(figures):
    """How many layers lose by themselves, as in the table of section 7."""
    rows = rows_of(figures, "figure 12", method=upload_table.LMU).groupby("network")["LDA* < 0"]
    assert rows.get_group("alexnet").tolist() == [3, 0, 4, 0]
    assert rows.get_group("vgg19").tolist()[:3] == [23, 13, 23]


def test_sums_within_intervals():
    """Parts of the upload add up to the sum of system delay; a step inside is split."""
    problem = upload_table.instance_in("alexnet", upload_table.SURROUNDINGS[0])
    plan = oe.solve(problem, "interval-dp").solution
    total = problem.total_seconds
    parts = [
        upload_table.ssd_between(problem, plan, a, b)
        for a, b in ((0.0, 0.1), (0.1, 7.0), (7.0, total))
    ]
    assert sum(parts) == pytest.approx(problem.ssd(plan))
    assert upload_table.ssd_between(problem, plan, total, total + 2) == pytest.approx(
        2 * problem.delays(plan)[-1]
    )


def test_figures_12_to_14_are_drawn(figures):
    """Shares of bytes as bars, delays as staircases over the upload time."""
    drawn = {name: draw() for name, draw in figures.attrs["figures"].items()}
    assert drawn["figure 12"].axes[0].get_ylabel() == "largest partition, share of all bytes"
    for name, network in (("figure 13", "alexnet"), ("figure 14", "vgg19")):
        first = drawn[name].axes[0]
        assert first.get_xlabel() == f"upload time (s); {network}, 2 and 10 GHz, data in MB"
        labels = [text.get_text() for text in first.get_legend().get_texts()]
        assert [text.split(":")[0] for text in labels[:5]] == list(staircases.DRAWN)
    plt.close("all")


def a_table(network="alexnet", **changes):
    """Return a table in which all claims hold, but for changed sums of system delay."""
    import pandas as pd

    sums = {"LMU": 54.84, "IONN": 63.33, "recursive efficiency": 55.0, "non-uploading": 100.0}
    sums |= {"optimum": 54.0, upload_table.AT_ONCE: 55.0, upload_table.POOLS_FIRST: 54.84}
    if network == "vgg19":
        sums["recursive efficiency"] = 80.0
    sums |= {name.replace("_", " "): value for name, value in changes.items()}
    where = (*upload_table.SURROUNDINGS, *upload_table.FIRST_STAYS)
    columns = [upload_table.SSD, *(f"{a:g} to {b:g} s (s^2)" for a, b in upload_table.INTERVALS)]
    return pd.DataFrame(
        [
            {"network": network, "surrounding": str(w), "method": m, **dict.fromkeys(columns, v)}
            for w in where
            for m, v in sums.items()
        ]
    )


@pytest.mark.parametrize(
    ("changes", "verdicts"),
    [
        ({}, "rrr"),
        ({"non_uploading": 100.0, "LMU": 60.0}, "ddd"),
        ({"IONN": 70.0}, "rdr"),
        ({"recursive_efficiency": 70.0}, "rrd"),
    ],
)
def test_alexnet_is_judged_by_its_table(changes, verdicts):
    """Savings in per cent, near and not near."""
    claims = staircases.judge_alexnet(a_table(**changes))
    assert [claim.verdict[0] for claim in claims] == list(verdicts)


@pytest.mark.parametrize(
    ("changes", "verdicts"),
    [({}, "rrr"), ({"IONN": 50.0}, "rdr"), ({"recursive_efficiency": 56.0}, "rrd")],
)
def test_vgg_is_judged_by_its_table(changes, verdicts):
    """Lower than each rival, and much lower than one."""
    claims = staircases.judge_vgg(a_table("vgg19", **changes))
    assert [claim.verdict[0] for claim in claims] == list(verdicts)
    assert all(bool(claim.reason) == (claim.verdict == "differs") for claim in claims)


def test_partitions_are_judged_by_their_table():
    """Strictly smaller partitions reproduce; equal ones do not."""
    table = a_table().assign(**{"LDA* < 0": 2, "layers": 11, upload_table.LARGEST: 0.7})
    assert [c.verdict for c in partitions.judge(table)] == ["differs", "differs", "reproduces"]
    table.loc[table["method"] == "LMU", upload_table.LARGEST] = 0.6
    assert [c.verdict for c in partitions.judge(table)] == ["reproduces"] * 3
    worse = partitions.judge(table.assign(**{"LDA* < 0": 6}))[2]
    assert (worse.verdict, "not so with" in worse.reason) == ("differs", True)
