"""What the documentation shows is what happens."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
from instances import PAIRS

import optedge as oe
from optedge.exercises import registry as exercises
from optedge.solvers import registry
from optedge.solvers.registry import all_solvers

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


@pytest.mark.parametrize(
    "name",
    [
        "optedge",
        "optedge.bridge",
        "optedge.exercises",
        "optedge.learning",
        "optedge.learning.compression",
        "optedge.learning.studies",
        "optedge.online",
        "optedge.papers.cloud_edge.framework",
    ],
)
def test_examples_in_docstrings(name):
    """Examples print what they say."""
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried > 0
    assert failed == 0


def run_blocks(page, count):
    """Run the Python of a page, one block after the other, and return the names it leaves."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == count
    space: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks:
        exec(compile(block, page, "exec", dont_inherit=True), space)
    return space


def test_python_in_the_readme_runs(capsys, monkeypatch, tmp_path):
    """The blocks of the README run one after the other, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    space = run_blocks("README.md", 5)
    assert space["r"].objective == 6
    assert space["v"].objective == pytest.approx(16 / 3)
    weights = -np.array(list(space["v"].duals["capacity"].values()))
    assert weights.sum() == pytest.approx(1)
    assert (weights > 0).all()
    assert space["planned"].bound <= space["planned"].objective < 2.9
    assert {"highs", "local-search", "to_the_fastest"} == set(space["study"].runs["solver"])
    assert (tmp_path / "gaps.png").stat().st_size > 1000
    printed = capsys.readouterr().out
    assert {"guarantee", "gap_median"} <= set(printed.split())
    assert " ...  " not in printed, "pandas leaves columns out"


def test_python_in_the_guide_runs(capsys, monkeypatch):
    """The blocks of CONTRIBUTING.md run too: a solver with options, a paper, an exercise."""
    all_solvers()
    exercises.exercises()
    monkeypatch.setattr(registry, "_solvers", dict(registry._solvers))
    monkeypatch.setattr(exercises, "_FOUND", dict(exercises._FOUND))
    space = run_blocks("CONTRIBUTING.md", 3)
    assert space["r"].objective == 6
    assert space["r"].evaluations == 300
    with pytest.raises(ValueError, match="option tries must be at least 1, got 0"):
        oe.solve(space["p"], "dice", tries=0)
    assert oe.solve(space["p"], "dice", tries=1, start=[0, 1, 0, 0]).objective == 6
    rows = space["reproduce"]()
    assert rows[["ours", "verdict"]].to_numpy().tolist() == [["6 s", "differs"]]
    assert list(rows.attrs["tables"]) == ["table 1"]
    assert not space["report"]
    assert len(space["report"].instance) == 2
    assert oe.exercises.check("mine-1", max, seed=0).points == 2


def test_the_table_of_names_is_that_of_the_package():
    """Each name at the top level earns a row in the README, and each name there exists."""
    table = README.read_text(encoding="utf-8").split("## The names")[1].split("\n\n")[1]
    rows = [line.strip("|").split("|", 1) for line in table.splitlines()[2:]]
    listed = [name for names, _ in rows for name in re.findall(r"`(\w+)`", names)]
    assert sorted(set(oe.__all__) - set(listed)) == []
    assert [name for name in listed if not hasattr(oe, name)] == []
    assert len(listed) == len(set(listed))
    assert all(what.strip() for _, what in rows)


def solvers_in_the_readme():
    """Return the solvers in each row of the table of problems, by class; "" for those of all."""
    table = README.read_text(encoding="utf-8").split("## The problems")[1].split("\n\n")[1]
    rows = [line.strip("|").split("|") for line in table.splitlines()[2:]]
    classes = [re.findall(r"`(\w+)`", row[0]) for row in rows]
    listed = [re.findall(r"`([a-z0-9-]+)`", row[-1]) for row in rows]
    return {"".join(name): solvers for name, solvers in zip(classes, listed, strict=True)}


def test_the_table_of_problems_is_that_of_the_package():
    """Every class has a row, with every solver that takes it, here or in the row of all."""
    listed = solvers_in_the_readme()
    own = {c: pair for c, pair in PAIRS.items() if c.__module__.startswith("optedge.")}
    assert set(listed) == {c.__name__ for c in own} | {""}
    solvers = [s for s in all_solvers() if s.function.__module__.startswith("optedge.")]
    for cls, pair in own.items():
        row = [*listed[cls.__name__], *listed[""]]
        assert sorted(row) == sorted(s.name for s in solvers if s.accepts(pair.small)), cls


def test_the_table_of_benchmarks_is_that_of_the_folder():
    """Every script that writes a report has a row, and a smallest run among all checks."""
    scripts = {
        path.stem
        for path in (ROOT / "benchmarks").glob("*.py")
        if "Report(" in path.read_text(encoding="utf-8") and path.stem != "reporting"
    }
    table = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)\.py`", table, flags=re.MULTILINE)) == scripts | {
        "test_kernels",
        "test_smoke",
    }
    tried = (ROOT / "benchmarks" / "test_smoke.py").read_text(encoding="utf-8")
    assert set(re.findall(r'^    "(\w+)",$', tried, flags=re.MULTILINE)) == scripts
