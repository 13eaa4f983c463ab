"""Plugins: a tiny package that pip installs, whose solver and problem class are then part of this.

Two more entry points of it fail: one module cannot be imported, one takes the name of a solver.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import optedge as oe
from optedge import plugins
from optedge.plugins import load_plugins

PROJECT = """
    [build-system]
    requires = ["hatchling"]
    build-backend = "hatchling.build"

    [project]
    name = "optedge-coins"
    version = "0.1"

    [project.entry-points."optedge.plugins"]
    coins = "coins.plugin"
    broken = "coins.broken"
    leaving = "coins.leaving"
    thief = "coins.thief"

    [tool.hatch.build.targets.wheel]
    packages = ["coins"]
"""

PLUGIN = '''
    """A problem and a solver that another package brings."""

    import dataclasses
    from typing import Any

    import numpy as np
    import pyomo.environ as pyo

    import optedge as oe


    @dataclasses.dataclass(frozen=True, eq=False)
    class Coins(oe.Problem):
        """Which coins to take: at least `due`, and as few grams as possible."""

        values: Any = oe.array_field("n")
        grams: Any = oe.array_field("n")
        due: float = 1.0
        name: str = ""

        unit = "g"

        @property
        def choices(self):
            return np.ones((self.values.size, 2), dtype=bool)

        def objective(self, x):
            taken = np.asarray(x, dtype=bool)
            enough = self.values[taken].sum() >= self.due
            return float(self.grams[taken].sum()) if enough else np.inf

        def model(self, kind=None, *, relax=False):
            m = pyo.ConcreteModel()
            n = range(self.values.size)
            m.x = pyo.Var(n, domain=pyo.UnitInterval if relax else pyo.Binary)
            m.weight = pyo.Objective(expr=sum(float(self.grams[i]) * m.x[i] for i in n))
            m.enough = pyo.Constraint(
                expr=sum(float(self.values[i]) * m.x[i] for i in n) >= self.due
            )
            return m

        def extract(self, model):
            return np.array([round(v.value) for v in model.x.values()])

        def fill(self, model, x):
            for variable, value in zip(model.x.values(), x, strict=True):
                variable.value = int(value)


    @oe.register("all-coins", problems=(Coins,), guarantee="pays", source="a plugin")
    def take_all(problem, run):
        """Take every coin."""
        return np.ones(problem.values.size, dtype=int)
'''

THIEF = '''
    """A solver by the name of another."""

    import optedge as oe


    @oe.register("lpt")
    def mine(problem, run):
        return None
'''


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return the folder into which pip installed the package, without any index."""
    root = tmp_path_factory.mktemp("plugin")
    source, target = root / "source", root / "target"
    files = {
        "pyproject.toml": PROJECT,
        "coins/__init__.py": "",
        "coins/plugin.py": PLUGIN,
        "coins/broken.py": "import a_module_that_nobody_has\n",
        "coins/leaving.py": "raise SystemExit(3)\n",
        "coins/thief.py": THIEF,
    }
    for name, text in files.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
    pip = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    command = [sys.executable, *pip, "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def python(installed, *arguments, **options):
    """Run Python where the package is installed, and return what it did."""
    paths = [str(installed), str(Path(oe.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, **options
    )


SCRIPT = """
    import warnings
    import optedge as oe

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        listed = oe.list_solvers().set_index("name")
    for warning in caught:
        print("WARNING", warning.category.__name__, warning.message)

    from coins.plugin import Coins, take_all
    assert listed.loc["all-coins", ["kind", "guarantee", "source"]].tolist() == [
        "own", "pays", "a plugin"
    ]
    p = Coins([1.0, 2.0, 5.0, 5.0], [3.0, 4.0, 9.0, 8.0], due=7.0, name="purse")
    assert oe.check_problem(p) == []
    assert {"all-coins", "highs", "annealing"} <= set(oe.list_solvers(p)["name"])
    assert oe.solve(oe.MakespanProblem([[3, 6], [2, 4]]), "lpt").solver == "lpt"
    best = oe.solve(p, "highs")
    assert (best.objective, best.status) == (12.0, "OPTIMAL")
    oe.save(p, "purse.json")
    oe.save(best, "best.json")
    again = oe.load("best.json")
    assert isinstance(again.problem, Coins)
    assert oe.verify(again).verdict == oe.verify(best).verdict
    columns = ["solver", "seed", "status", "objective", "bound", "evaluations"]
    one, two = (
        oe.compare(p, ["all-coins", "highs", "random"], seeds=2, max_evaluations=20, n_jobs=jobs)
        .runs[columns]
        for jobs in (1, 2)
    )
    assert one.equals(two)
    assert (one["status"] != "ERROR").all()
    print("DONE")
"""


@pytest.fixture(scope="module")
def session(installed, tmp_path_factory):
    """Return the folder and the output of a session that uses the plugin."""
    folder = tmp_path_factory.mktemp("session")
    done = python(installed, "-c", textwrap.dedent(SCRIPT), cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_a_plugin_is_part_of_the_package(session):
    """Its solver is listed, its problems are solved, saved, loaded, and run in two processes."""
    assert session[1].splitlines()[-1] == "DONE"


def test_failing_plugins_are_named(session):
    """Each failure is one warning that names plugin and package; the name stays with its owner."""
    told = [line for line in session[1].splitlines() if line.startswith("WARNING")]
    start = "WARNING RuntimeWarning the optedge plugin"
    package = "of the package optedge-coins failed:"
    assert told == [
        f"{start} 'broken' {package} ModuleNotFoundError: "
        "No module named 'a_module_that_nobody_has'",
        f"{start} 'leaving' {package} SystemExit: 3",
        f"{start} 'thief' {package} ValueError: there is a solver 'lpt' already, in "
        "optedge.solvers.lists; that of coins.thief needs another name.",
    ]


@pytest.mark.slow
def test_files_may_come_first(installed, session):
    """Where a file is what meets the plugins first, solvers still belong to their owners."""
    script = """
        import optedge as oe
        p = oe.load("purse.json")
        print(type(p).__name__, oe.solve(p, "all-coins").objective)
        print(oe.solve(oe.MakespanProblem([[3, 6], [2, 4]]), "lpt").objective)
    """
    done = python(installed, "-W", "ignore", "-c", textwrap.dedent(script), cwd=session[0])
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["Coins 24.0", "4.0"]


@pytest.mark.slow
def test_the_command_line_knows_plugins(installed, session):
    """A file with a problem of a plugin is solved from the command line, by its solver."""
    main = ["-W", "ignore", "-c", "from optedge.cli import main; main()", "solve", "purse.json"]
    own = python(installed, *main, "all-coins", cwd=session[0])
    assert own.returncode == 0, own.stderr
    assert "objective    24 g" in own.stdout


def test_without_the_plugin_its_files_are_refused(session):
    """Who has not installed it reads which class is missing."""
    with pytest.raises(ValueError, match=r"purse\.json: class: there is no problem class 'Coins'"):
        oe.load(session[0] / "purse.json")


def test_plugins_are_imported_once(monkeypatch):
    """Looking twice does not import, or warn, twice; what went wrong can be read."""

    class Point:
        name, value, dist = "odd", "odd.module", None
        loads = 0

        def load(self):
            Point.loads += 1
            raise ImportError("odd indeed")

    load_plugins.cache_clear()
    monkeypatch.setattr(plugins, "entry_points", lambda group: [Point()])
    try:
        with pytest.warns(RuntimeWarning, match="plugin 'odd' of the package odd.module failed"):
            assert load_plugins() == {"odd": "ImportError: odd indeed"}
        assert load_plugins() == {"odd": "ImportError: odd indeed"}
        assert Point.loads == 1
    finally:
        load_plugins.cache_clear()


@pytest.mark.slow
def test_a_name_is_not_taken_before_its_owner(tmp_path):
    """A user who registers before anything else was looked up cannot break a solver of the package.

    Otherwise its own file would fail to be imported later.
    """
    script = """
        import optedge as oe
        try:
            oe.register("lpt")(lambda problem, run: None)
        except ValueError as error:
            print(error)
        print(oe.solve(oe.MakespanProblem([[3, 6], [2, 4]]), "lpt").objective)
    """
    done = python(tmp_path, "-c", textwrap.dedent(script))
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "there is a solver 'lpt' already, in optedge.solvers.lists; that of __main__ needs another "
        "name.",
        "4.0",
    ]
