"""TMOA and the Lagrangian on split problems, and every other solver that takes them."""

import numpy as np
import pytest
from conftest import INF, examples
from hypothesis import given
from hypothesis import strategies as st

import optedge as oe
from optedge.formulations.split.certificates import exclusions


def worked(limits=(6, 8, 4)):
    """Return P-A of section 8 of the specification."""
    usage = [[0, 2, 3, 7, 12], [9, 7, 6, 5, 8], [0, 1, 3, 4, 9]]
    return oe.SplitProblem(range(5), usage, limits, ("memory", "latency", "energy"), name="P-A")


def random_split(seed, n=30, m=3, *, whole=False):
    """Return an instance whose limits most positions break."""
    rng = np.random.default_rng(seed)
    value = rng.integers(-20, 20, n) if whole else rng.normal(size=n)
    usage = rng.normal(size=(m, n)) * np.array([1e-3, 1.0, 1e8])[:m, None]
    usage[0, rng.random(n) < 0.1] = INF
    return oe.SplitProblem(value, usage, np.array([2e-4, 0.3, 3e7])[:m])


EXACT = ("enumeration", "highs", "tmoa")


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 3), st.booleans())
@examples(40)
def test_exact_methods_agree(seed, n, m, whole):
    """TMOA, enumeration and both MILPs find one optimum, or prove that there is none."""
    p = random_split(seed, n, m, whole=whole)
    best = p.position_costs.min()
    solvers = [*((name, {}) for name in EXACT), ("highs", {"kind": "dis"})]
    for name, options in solvers:
        for bound in (True, False):
            r = oe.solve(p, name, bound=bound, **options)
            assert r.status == ("OPTIMAL" if best < INF else "INFEASIBLE")
            assert r.objective == best
            assert r.bound == pytest.approx(best, rel=1e-6)
            assert oe.verify(r)


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 3), st.booleans())
@examples(60)
def test_lagrangian_reaches_the_relaxation(seed, n, m, whole):
    """Cutting planes end at the least theta with a certificate, never above the optimum."""
    p = random_split(seed, n, m, whole=whole)
    best, least = p.position_costs.min(), p.minimise_dual()
    r = oe.solve(p, "lagrangian", bound=False)
    assert r.bound <= best <= r.objective
    assert r.bound <= r.objective
    assert (r.objective < INF) == (best < INF)
    if least.theta == -INF:
        assert r.status == "INFEASIBLE"
        assert r.certificate.kind == "Farkas prices"
    else:
        bound = -least.rounded if whole else -least.theta
        assert r.bound == pytest.approx(bound, abs=1e-8) or r.status == "OPTIMAL"
        assert r.info["iterations"] <= n + 10
    assert oe.verify(r).verdict == "certified"


def test_tmoa_reports_as_the_paper():
    """Step 6 and 7: slack a limit, prices, bound, gap, and what blocks the next position."""
    r = oe.solve(worked(), "tmoa")
    assert (r.status, r.objective, r.solution.tolist()) == ("OPTIMAL", -2, [2])
    assert r.info["slack"] == {"memory": 3, "latency": 2, "energy": 1}
    assert r.info["blocking"] == {"memory": 1.0}
    assert r.info["alpha"] == {"memory": pytest.approx(0.25), "latency": 0, "energy": 0}
    assert (r.info["theta"], r.info["gap"]) == (pytest.approx(2.75), pytest.approx(0.75))
    assert r.certificate is not None
    assert oe.verify(r).verdict == "certified"
    assert r.evaluations == 5


def test_tmoa_is_certified_where_rounding_is_not_allowed():
    """The limits that the others break prove the optimum that no price proves."""
    p = worked().replace(value=[0, 1.1, 2.2, 3.3, 4.4])
    r = oe.solve(p, "tmoa")
    assert (r.status, r.certificate.kind) == ("OPTIMAL", "exclusions")
    assert oe.verify(r).verdict == "certified"
    assert r.bound == r.objective == -2.2


def test_tmoa_keeps_its_budget():
    """With fewer evaluations than positions it prices the first ones and proves nothing itself."""
    r = oe.solve(worked(), "tmoa", max_evaluations=2, bound=False)
    assert (r.evaluations, r.objective, r.bound) == (2, -1, -INF)
    assert r.stop_reason == "evaluations"


def test_ties():
    """Among equals TMOA takes the deepest position, enumeration the first."""
    p = oe.SplitProblem([1, 2, 2, 2, 3], [[0, 0, 0, 1, 9]], [5])
    assert oe.solve(p, "tmoa").solution.tolist() == [3]
    assert oe.solve(p, "enumeration").solution.tolist() == [1]
    assert oe.solve(p, "highs").objective == -2


def test_lagrangian_finds_what_prices_propose():
    """On ResNet-34 under 18.9 MB prices prove 13, yet propose 0, 15 and deeper only."""
    sizes = [812_224] + 6 * [237_568] + [174_080] + 7 * [247_808] + [345_088] + 11 * [640_000]
    sizes += [1_204_736] + 5 * [2_384_384] + [513_000]
    memory = 4.0 * np.cumsum([0, *sizes])
    p = oe.SplitProblem(range(35), [memory], [0.8 * 18.9e6], ("memory",))
    r = oe.solve(p, "lagrangian", bound=False, repair=False)
    assert (r.bound, r.objective, r.status) == (-13, 0, "FEASIBLE")
    assert r.info["dual_value"] == pytest.approx(-13.674618, abs=5e-7)
    assert r.info["prices"] * 1e6 == pytest.approx([0.904406], abs=5e-7)
    assert (r.certificate.kind, r.stop_reason) == ("rounded prices", "converged")
    for solver in ("tmoa", "lagrangian"):  # stepping back from 15 finds 13
        r = oe.solve(p, solver)
        assert (r.status, r.objective) == ("OPTIMAL", -13)


def test_lagrangian_of_the_worked_example():
    """P-A: the prices end at 1/4 for memory, tie positions 2 and 3, and prove the optimum 2."""
    r = oe.solve(worked(), "lagrangian", bound=False)
    assert (r.status, r.objective, r.bound) == ("OPTIMAL", -2, -2)
    half = worked().replace(value=[0, 1, 2, 3.0, 4.5])
    r = oe.solve(half, "lagrangian", bound=False)
    assert r.info["dual_value"] == pytest.approx(-half.minimise_dual().theta)
    assert r.bound == pytest.approx(-half.minimise_dual().theta)
    assert (np.diff(r.history["bound"]) >= 0).all()


def test_lagrangian_options():
    """Iterations, evaluations and a start are respected; no price is better than its bound."""
    p = random_split(2)
    one = oe.solve(p, "lagrangian", max_iterations=1, bound=False)
    assert one.info["iterations"] == 1
    assert one.bound == -p.value[p.possible].max()
    few = oe.solve(p, "lagrangian", max_evaluations=2, bound=False)
    assert (few.evaluations, few.stop_reason) == (2, "evaluations")
    start = int(np.argmin(p.position_costs))
    assert oe.solve(p, "lagrangian", start=[start]).objective == p.position_costs.min()
    with pytest.raises(ValueError, match="max_iterations must be at least 1"):
        oe.solve(p, "lagrangian", max_iterations=0)


@pytest.mark.parametrize("solver", ["enumeration", "highs", "lagrangian", "random", "tmoa"])
def test_infeasible_instances(solver):
    """Every solver states that there is no solution, with the sentence and a certificate."""
    for p in (worked((6, 4, 4)), oe.SplitProblem([1, 2], [[0, 2], [2, 0]], [1, 1])):
        r = oe.solve(p, solver)
        assert (r.status, r.stop_reason, r.bound) == ("INFEASIBLE", "infeasible", INF)
        assert r.info["reason"] == p.explain()
        assert oe.verify(r).verdict == "certified"


@pytest.mark.parametrize("solver", ["highs", "lagrangian", "tmoa"])
def test_infeasible_instances_without_attached_bounds(solver):
    """These prove it by themselves, and say the same."""
    p = worked((6, 4, 4))
    r = oe.solve(p, solver, bound=False)
    assert r.status == "INFEASIBLE"
    assert r.info["reason"] == p.explain()


def test_compare():
    """The solvers stand side by side; TMOA has no gap, metrics are columns."""
    s = oe.compare([worked(), (random_split(1), {"case": "random"})], [*EXACT, "lagrangian"])
    runs = s.runs.set_index(["instance", "solver"])
    assert (runs.loc["P-A", "gap_to_best"] == 0).all()
    assert runs.loc[("P-A", "tmoa"), "memory_slack"] == 3
    assert {"position", "value", "case"} <= set(s.runs.columns)
    assert not s.runs["status"].isin(["ERROR", "SKIPPED"]).any()


def test_a_heuristic_of_ones_own():
    """A function may return a plain integer."""
    r = oe.solve(worked(), lambda problem, run: 1)
    assert (r.objective, r.bound, r.gap) == (-1, -2, 0.5)
    assert oe.verify(r)


def test_a_relaxed_certificate_of_exclusions():
    """Dropping exclusions weakens the bound, and can never strengthen it."""
    p = random_split(5)
    full = exclusions(p)
    rng = np.random.default_rng(0)
    for _ in range(20):
        kept = np.where(rng.random(p.n_positions) < 0.5, full.arrays["limit"], -1)
        weaker = oe.Certificate("exclusions", 0.0, {"limit": kept})
        assert p.certify(weaker) <= full.value == p.position_costs.min()
