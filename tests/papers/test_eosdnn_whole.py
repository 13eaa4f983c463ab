"""The whole paper in one call: servers, uploads, and queries played meanwhile."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

import optedge as oe
from optedge.papers import eosdnn

SMALL = {"n_tasks": 3, "n_clients": 2, "plan_solver": "pso-ga", "evaluations": 400}


@pytest.fixture(scope="module")
def found():
    """Return three tasks of AlexNet on two clients, edges alone, servers by PSO-GA."""
    return eosdnn.run("alexnet", environment="L-E", **SMALL)


def test_every_result_stands_beside_its_bound(found):
    """Uploads are proved optimal; the migration is feasible and not below what paths prove."""
    assert found.problem.return_result
    assert found.problem.violations(found.migration.solution) == []
    assert found.migration.bound <= found.migration.objective
    assert list(found.uploads) == [0, 1]
    for client, result in found.uploads.items():
        assert result.status == oe.Status.OPTIMAL
        assert int(result.problem.chain[-1]) + 1 == (found.problem.clients == client).sum()
        assert oe.verify(result)


def test_queries_are_played_with_pools(found):
    """Waiting only adds; at first all layers that take time to upload run at the clients."""
    table = found.table
    assert (table["waiting (s)"] >= 0).all()
    assert table["waiting (s)"].max() > 0
    assert (table["played delay (s)"] >= table["model delay (s)"] - 1e-12).all()
    for client, result in found.uploads.items():
        mine = table[table["client"] == client]
        model = mine["model delay (s)"].to_numpy()
        assert (np.diff(model) <= 1e-12).all()
        assert model[-1] == pytest.approx(result.problem.least_delay)
        assert mine["time (s)"].is_monotonic_increasing
        until = np.append(mine["time (s)"].iloc[1:], np.inf).clip(max=result.problem.total_seconds)
        steps = (until - mine["time (s)"].to_numpy()).clip(min=0)
        assert (model * steps).sum() == pytest.approx(result.objective)
        played = (mine["played delay (s)"].to_numpy() * steps).sum()
        assert found.summary()["with pools (s^2)"][client] == pytest.approx(played)
        assert mine["usable layers"].iloc[-1] == (~result.problem.stays).sum()


def test_without_limits_on_pools_nobody_waits():
    """Then the system delay of the model is what queries take."""
    pools = np.full(7, np.inf)
    found = eosdnn.run("googlenet", environment="L-E", pools=pools, **SMALL)
    assert (found.table["waiting (s)"] == 0).all()
    summary = found.summary()
    assert summary["with pools (s^2)"].to_numpy() == pytest.approx(
        summary["sum of system delay (s^2)"].to_numpy()
    )


def test_forced_use_as_in_the_paper():
    """What is uploaded is used at once: delays may rise, and at last all servers are used."""
    found = eosdnn.run("vgg19", environment="L-E", use="forced", upload_solver="lmu", **SMALL)
    assert all(result.objective >= result.bound > 0 for result in found.uploads.values())
    assert found.table["model delay (s)"].groupby(found.table["client"]).diff().max() > 0
    assert (found.table["waiting (s)"] >= 0).all()
    servers = found.problem.encode(found.migration.solution)
    last = found.table.groupby("client")["played delay (s)"].last().sum()
    assert last == pytest.approx(found.problem.flows(servers).sum())


def test_servers_with_a_certified_gap():
    """The default finds servers within the gap that it proves."""
    found = eosdnn.run("alexnet", 2, n_clients=2, time_limit=3.0)
    assert found.migration.gap < 0.05
    summary = found.summary()
    assert summary["client"].tolist() == [0, 1]
    assert summary["tasks"].tolist() == [1, 1]
    assert (summary["gap"] <= 1e-6).all()
    assert (summary["delay at last (s)"] < summary["delay at first (s)"]).all()


def test_the_figure(found):
    """A panel a client with both delays, in seconds."""
    figure = found.draw()
    assert len(figure.axes) == 2
    assert figure.axes[0].get_ylabel().endswith("(s)")
    assert [line.get_label() for line in figure.axes[0].lines] == ["with pools", "model, no pools"]
    assert "upload proved optimal" in figure.axes[1].get_title()
    plt.close(figure)


def test_arguments_without_meaning_are_refused():
    """Branches cannot be uploaded one by one; solvers are known by name."""
    with pytest.raises(ValueError, match="a module is uploaded as one layer"):
        eosdnn.run("googlenet", modules="dag")
    with pytest.raises(ValueError, match="quickest"):
        eosdnn.run("alexnet", 1, upload_solver="quickest", evaluations=10, plan_solver="random")
