"""The solvers ``interval-dp`` and ``subset-dp``: proofs, fall back, what a negative saving does."""

import numpy as np
import pytest
from uploads import random_upload, worked_example

import optedge as oe
from optedge.formulations.upload import UploadProblem


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


def test_the_recursion_stops_when_asked():
    """A callback ends the recursion; the bound that needs no search is there all the same."""
    r = oe.solve(worked_example(), "interval-dp", callback=lambda run: True, bound=False)
    assert r.stop_reason == "callback"
    assert r.solution is None


def test_plans_are_saved_and_loaded(tmp_path):
    """A result with its plan survives a file."""
    r = oe.solve(worked_example(stays=[False, True, False, False]), "interval-dp")
    oe.save(r, tmp_path / "plan.json")
    again = oe.load(tmp_path / "plan.json")
    assert again.solution.partitions == r.solution.partitions
    assert again.problem.key == r.problem.key
    assert again.objective == r.problem.objective(again.solution)
