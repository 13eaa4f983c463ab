"""The command line: what it prints, its exit codes, and never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from conftest import run_command as run

import optedge as oe
from optedge.formulations import makespan_rcmax


@pytest.fixture
def small(tmp_path):
    """Return the path of a saved instance."""
    path = tmp_path / "small.json"
    oe.save(oe.MakespanProblem([[3, 6], [2, 4], [2, 4], [1, 2]], name="small"), path)
    return path


def test_solve_prints_bound_and_gap(monkeypatch, capsys, small, tmp_path):
    """Objective, bound with its verdict, gap; result and figure are saved."""
    out, plot = tmp_path / "r.json", tmp_path / "r.png"
    code, text, _ = run(monkeypatch, capsys, "solve", small, "lpt", "--out", out, "--plot", plot)
    assert code == 0
    assert "objective    6 s" in text
    assert "5.33333333 s (certified)" in text
    assert "11.1111%" in text
    assert oe.load(out).objective == 6
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_solve_reads_the_benchmark_format(monkeypatch, capsys):
    """A .txt file is an instance of the R||Cmax set."""
    code, text, _ = run(monkeypatch, capsys, "solve", makespan_rcmax.rcmax_files()[0], "lpt")
    assert code == 0
    assert "FEASIBLE" in text


def test_solve_without_a_solution_is_code_1(monkeypatch, capsys, tmp_path):
    """An infeasible instance is a status with its reason, not an error."""
    path = tmp_path / "tight.json"
    p = oe.MakespanProblem([[1, 1], [1, 1], [1, 1]], memory=[2, 2, 2], capacity=[3, 2])
    oe.save(p, path)
    code, text, _ = run(monkeypatch, capsys, "solve", path, "highs")
    assert code == 1
    assert "INFEASIBLE" in text
    assert "servers 0 and 1: memory short by 1." in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["solve", "{small}", "nonsense"], "there is no solver 'nonsense'; the choices are"),
        (["solve", "{small}", "annealing", "-o", "colling=0.9"], "has no option 'colling'"),
        (["solve", "{small}", "annealing", "-o", "cooling=1.5"], "cooling must be above 0"),
        (["solve", "{small}", "annealing", "-o", "cooling"], "name=value"),
        (["solve", "{absent}", "lpt"], "absent.json"),
        (["solve", "{broken}", "lpt"], "broken.json"),
        (["solve", "{result}", "lpt"], "holds a Result, a problem is expected"),
        (["export", "{small}"], "say where to write"),
        (["reproduce", "nobody"], "there is no paper 'nobody'; the papers are cloud-edge, "),
        (["reproduce", "edge-learning", "--part", "figure 99"], "there is no part 'figure 99'"),
        (["generate", "edge-learning", "--out", "{out}", "-o", "stage=4"], "stage must be one of"),
        (["compare", "{small}", "-s", "lpt", "--store", "{broken}"], "is not an optedge store"),
    ],
)
def test_what_is_wrong_is_one_line_and_code_2(
    monkeypatch, capsys, small, tmp_path, arguments, words
):
    """Bad input never shows a traceback."""
    broken, result = tmp_path / "broken.json", tmp_path / "result.json"
    broken.write_text('{"format": "optedge", "version": 1')
    oe.save(oe.solve(oe.load(small), "lpt"), result)
    places = dict(
        small=small,
        absent=tmp_path / "absent.json",
        broken=broken,
        result=result,
        out=tmp_path / "out.json",
    )
    given = [a.format(**places) for a in arguments]
    code, out, err = run(monkeypatch, capsys, *given)
    assert code == 2
    assert words in err
    assert err.startswith("optedge: ")
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in out + err


def test_compare_prints_a_table_and_saves_runs(monkeypatch, capsys, small, tmp_path):
    """One line a solver; a row a run in the CSV."""
    csv, plot = tmp_path / "runs.csv", tmp_path / "gaps.png"
    code, text, _ = run(
        monkeypatch,
        capsys,
        "compare",
        small,
        "-s",
        "lpt",
        "-s",
        "highs",
        "--csv",
        csv,
        "--plot",
        plot,
    )
    assert code == 0
    assert "lpt" in text and "highs" in text
    assert len(csv.read_text().splitlines()) == 3
    assert plot.exists()


def test_solvers_lists_guarantees_and_options(monkeypatch, capsys):
    """The register can be read without Python."""
    code, text, _ = run(monkeypatch, capsys, "solvers")
    assert code == 0
    assert "lst" in text and "2 T*" in text
    code, text, _ = run(monkeypatch, capsys, "solvers", "annealing")
    assert code == 0
    assert "cooling" in text and "above 0 and below 1" in text


def test_generate_export_round_trip(monkeypatch, capsys, tmp_path):
    """A generated instance can be exported, and HiGHS reads the file with the same optimum."""
    import highspy

    path, lp, mps = (tmp_path / f"p.{ending}" for ending in ("json", "lp", "mps"))
    code, *_ = run(
        monkeypatch,
        capsys,
        "generate",
        "edge-learning",
        "--out",
        path,
        "-o",
        "stage=2",
        "-o",
        "n_tasks=12",
        "-o",
        "n_servers=3",
        "-o",
        "seed=5",
    )
    assert code == 0
    assert json.loads(path.read_text())["class"] == "MakespanProblem"
    code, *_ = run(monkeypatch, capsys, "export", path, "--lp", lp, "--mps", mps, "--relax")
    assert code == 0
    expected = oe.load(path).bounds()["LP"]
    for file in (lp, mps):
        solver = highspy.Highs()
        solver.silent()
        solver.readModel(str(file))
        solver.run()
        assert solver.getInfo().objective_function_value == pytest.approx(expected, rel=1e-6)
    assert "capacity" in lp.read_text()


def test_reproduce_saves_claims(monkeypatch, capsys, tmp_path):
    """Each claim has a verdict; the table is saved."""
    code, text, _ = run(
        monkeypatch, capsys, "reproduce", "edge-learning", "-p", "theorem 1", "--out", tmp_path
    )
    assert code == 0
    assert "2.457" in text and "differs" in text
    assert (tmp_path / "edge-learning, claims.csv").exists()


def test_the_command_is_installed():
    """`optedge --help` lists the commands, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", "from optedge.cli import main; main()", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    for name in ("solve", "compare", "reproduce", "solvers", "generate", "import", "export"):
        assert name in done.stdout
