"""The solvers ``interval-dp`` and ``subset-dp``: proofs, fall back, what a negative saving does."""

import numpy as np
import pytest
from uploads import random_upload, worked_example

import optedge as oe
from optedge.formulations.upload import UploadProblem
from optedge.formulations.upload.exact import intervals


@pytest.mark.parametrize("solver", ["interval-dp", "subset-dp"])
def test_worked_example_is_solved(solver):
    """Both prove 2077, and what they return is certified by the table of intervals."""
    r = oe.solve(worked_example(), solver)
    assert (r.objective, r.status) == (2077, "OPTIMAL")
    assert [p for part in r.solution.partitions for p in part] == [2, 1, 0, 3]
    check = oe.verify(r)
    assert check, check.message


def test_too_large_a_table_falls_back():
    """With many layers the table is not begun: the other recursion proves, and a note says so."""
    problem = UploadProblem(*np.ones((5, 30)), np.arange(1, 31))
    r = oe.solve(problem, "subset-dp")
    assert r.status == "OPTIMAL"
    assert "30 layers take time to upload" in r.info["note"]
    assert r.info["note"].endswith("interval-dp ran instead.")


def test_a_negative_saving_leaves_a_gap():
    """The order is that of a heuristic then; the bound holds, and all subsets still prove."""
    with pytest.warns(UserWarning, match="saving"):
        problem = random_upload(5, 6, negative=True)
    assert not problem.is_supermodular
    found, proved = oe.solve(problem, "interval-dp"), oe.solve(problem, "subset-dp")
    assert "a saving is negative" in found.info["note"]
    assert found.bound <= proved.objective + 1e-9
    assert proved.objective <= found.objective + 1e-9
    assert proved.status == "OPTIMAL"


@pytest.mark.parametrize("solver", ["interval-dp", "subset-dp"])
def test_the_recursions_stop_when_asked(solver):
    """A callback ends both before they have a plan."""
    r = oe.solve(worked_example(), solver, callback=lambda run: True, bound=False)
    assert r.stop_reason == "callback"
    assert r.solution is None


def test_without_proof_nothing_is_claimed():
    """Floats alone find an optimal plan of a long chain; no bound is stated beside it."""
    problem = long_chain(intervals.FEW_LAYERS + 5)
    quick = oe.solve(problem, "interval-dp", proof=False, bound=False)
    assert (quick.bound, quick.certificate) == (-np.inf, None)
    assert quick.status == "FEASIBLE"
    proved = oe.solve(problem, "interval-dp", bound=False)
    assert proved.status == "OPTIMAL"
    assert quick.objective == pytest.approx(proved.objective, rel=1e-12)
    assert quick.objective >= proved.bound


def test_the_proof_may_be_cut_short():
    """Stopped within the run in whole numbers, the plan of floats stays and a note says so."""
    problem = long_chain(intervals.FEW_LAYERS + 5)
    asked = []

    def fifty_more(run):
        asked.append(run.solution)
        return run.solution is not None and len([x for x in asked if x is not None]) > 50

    r = oe.solve(problem, "interval-dp", callback=fifty_more, bound=False)
    assert r.solution is not None
    assert (r.stop_reason, r.bound) == ("callback", -np.inf)
    assert "stopped before its proof in whole numbers ended" in r.info["note"]
    attached = oe.solve(problem, "interval-dp")
    assert attached.stop_reason == "optimal"
    assert "note" not in attached.info


def test_too_long_a_chain_is_cut():
    """Blocks that may not fit into memory are not begun: a cut chain gives a plan, and a note."""
    problem = long_chain(90)
    r = oe.solve(problem, "interval-dp", memory_mb=1, bound=False)
    assert "blocks of 90 layers may need" in r.info["note"]
    assert r.bound == -np.inf
    whole = oe.solve(problem, "interval-dp", proof=False)
    assert whole.objective <= r.objective * (1 + 1e-12)
    assert r.objective <= 1.1 * whole.objective


def long_chain(n):
    """Return a chain in which every layer hangs on its neighbours."""
    rng = np.random.default_rng(n)
    sends = rng.uniform(1, 9, n + 1)
    return UploadProblem(
        rng.uniform(5, 20, n),
        rng.uniform(0, 2, n),
        sends[:-1],
        sends[1:],
        np.zeros(n),
        rng.lognormal(0, 1, n),
    )


def test_plans_are_saved_and_loaded(tmp_path):
    """A result with its plan survives a file."""
    r = oe.solve(worked_example(stays=[False, True, False, False]), "interval-dp")
    oe.save(r, tmp_path / "plan.json")
    again = oe.load(tmp_path / "plan.json")
    assert again.solution.partitions == r.solution.partitions
    assert again.problem.key == r.problem.key
    assert again.objective == r.problem.objective(again.solution)
