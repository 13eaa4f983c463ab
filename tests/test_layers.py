"""The house's floors: who may import whom, what a bare import loads, and which names are taken."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import optedge

ROOT = Path(optedge.__file__).parent

# As in CONTRIBUTING.md, lowest floor first; what is named nowhere stands on the highest.
LOWEST = ("kernels", "nets", "networks", "platforms", "bridge", "disk", "plugins")
FLOORS = dict.fromkeys(LOWEST, 1) | {"formulations": 2, "solvers": 3}
TOP = 4


def module_name(path):
    """Return the dotted name of a file of the package."""
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


def lazy_names():
    """Return where the names of the face live: ``oe.solve`` -> ``optedge.solvers.front``."""
    for node in TREES["optedge"].body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_HOME":
            return {k: f"optedge.{v}" for k, v in ast.literal_eval(node.value).items()}
    raise AssertionError("optedge/__init__.py has no table _HOME.")


HOME = lazy_names()


def floor(module):
    """Return the floor on which a module stands."""
    parts = module.split(".")
    return TOP if len(parts) == 1 else FLOORS.get(parts[1], TOP)


def floor_name(module):
    """Return a floor as CONTRIBUTING.md counts it, with who stands on it."""
    number = floor(module)
    rooms = [room for room, of in FLOORS.items() if of == number]
    return f"floor {number} ({', '.join(rooms) or 'all that is built on the solvers'})"


def is_type_checking(node):
    """Tell whether a statement is ``if TYPE_CHECKING:``."""
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def statements(tree, *, at_import):
    """Return the nodes that run at import, or every node, those for type checkers left out."""
    for node in ast.iter_child_nodes(tree):
        if is_type_checking(node):
            yield from (n for branch in node.orelse for n in (branch, *ast.walk(branch)))
            continue
        if at_import and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield node
        yield from statements(node, at_import=at_import)


def imported(module, node):
    """Return the modules of the package that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name.split(".")[0] == "optedge"]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        first = node.args[0]
        found = isinstance(first, ast.Constant) and str(first.value)
        return [found] if found and found.split(".")[0] == "optedge" else []
    if not isinstance(node, ast.ImportFrom):
        return []
    source = node.module or ""
    if node.level:
        package = module if FILES[module].name == "__init__.py" else module.rpartition(".")[0]
        for _ in range(node.level - 1):
            package = package.rpartition(".")[0]
        source = f"{package}.{source}" if source else package
    if source.split(".")[0] != "optedge":
        return []
    whole = [f"{source}.{alias.name}" for alias in node.names]
    if source == "optedge":  # a module, or a name of the face that lives further down
        return [name if name in FILES else HOME.get(name[8:], "optedge") for name in whole]
    return [name if name in FILES else source for name in whole]


def all_imports(module, *, at_import=False):
    """Return the modules of the package that a module imports."""
    nodes = statements(TREES[module], at_import=at_import)
    return {name for node in nodes for name in imported(module, node)}


@pytest.mark.parametrize("module", FILES)
def test_no_import_goes_up(module):
    """Nobody imports from a higher floor, not even inside a function."""
    if module == "optedge":
        return  # the face knows everybody, and imports them by name when they are asked for
    above = {o: floor_name(o) for o in all_imports(module) if floor(o) > floor(module)}
    assert above == {}, f"{module} stands on {floor_name(module)} and must not import from above"


def test_floors_are_those_of_the_guide():
    """The numbered list in CONTRIBUTING.md names the rooms of each floor, and the tests agree."""
    guide = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    told = re.findall(r"^(\d)\. (.+?)(?=^\d\. |^\n)", guide, flags=re.DOTALL | re.MULTILINE)
    assert [int(number) for number, _ in told] == [1, 2, 3, 4]
    rooms = {name.split(".")[1] for name in FILES if name.count(".")}
    listed = {name: int(k) for k, text in told for name in re.findall(r"`(\w+)`", text)}
    wrong = {name for name in rooms if listed.get(name) != floor(f"optedge.{name}")}
    assert wrong == set(), "name them on their floor in CONTRIBUTING.md"


def test_nobody_inside_imports_the_face():
    """Inside the package names come from where they live; ``import optedge`` is for users."""
    asking = [module for module in FILES if "optedge" in all_imports(module)]
    assert asking == [], "import from optedge.formulations.base, optedge.solvers.registry and so on"


@pytest.mark.parametrize("module", FILES)
def test_imports_exist(module):
    """Every module that is imported from the package is there."""
    missing = sorted(other for other in all_imports(module) if other not in FILES)
    assert missing == []


def test_the_floors_are_seen():
    """The reader of imports finds the kinds of import that it must judge."""
    source = (
        "import optedge.solvers.front\n"
        "from optedge import kernels, solve\n"
        "from . import registry\n"
        "from .run import Run\n"
        "from ..formulations.base import Problem\n"
        "if TYPE_CHECKING:\n    from optedge import study\n"
        "def f():\n    from optedge.bridge import Arrays\n"
        "    importlib.import_module('optedge.kernels')\n"
    )
    tree = ast.parse(source)
    found = [
        name
        for node in statements(tree, at_import=False)
        for name in imported("optedge.solvers.lists", node)
    ]
    assert found == [
        "optedge.solvers.front",
        "optedge.kernels",
        "optedge.solvers.front",
        "optedge.solvers.registry",
        "optedge.solvers.run",
        "optedge.formulations.base",
        "optedge.bridge",
        "optedge.kernels",
    ]
    early = list(statements(tree, at_import=True))
    assert "optedge.bridge" not in [
        n for node in early for n in imported("optedge.solvers.run", node)
    ]


def test_no_circles_at_import():
    """Modules that import each other while they are loaded form no circle."""
    graph = {m: sorted(all_imports(m, at_import=True) & set(FILES)) for m in FILES}
    settled, path = set(), []

    def visit(module):
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module in settled:
            return
        path.append(module)
        for other in graph[module]:
            visit(other)
        settled.add(path.pop())

    for module in graph:
        visit(module)


def test_no_public_function_has_the_name_of_a_module():
    """Importing a submodule must not overwrite a function of the face."""
    modules = {name.split(".")[1] for name in FILES if name.count(".") >= 1}
    for name in optedge.__all__:
        if name in modules:
            assert getattr(optedge, name).__name__ == f"optedge.{name}"


def test_every_public_name_is_there():
    """Each name of the face can be imported, is listed once, and is found where it lives."""
    assert sorted(optedge.__all__) == list(dict.fromkeys(optedge.__all__))
    assert set(HOME) <= set(optedge.__all__)
    for name in optedge.__all__:
        assert getattr(optedge, name) is not None
    assert set(optedge.__all__) <= set(dir(optedge))
    with pytest.raises(AttributeError, match="no attribute 'nothing_here'"):
        _ = optedge.nothing_here


HEAVY = (
    "pandas",
    "matplotlib",
    "pyomo",
    "cvxpy",
    "numba",
    "scipy",
    "highspy",
    "rich",
    "typer",
    "sklearn",
)


def loaded_after(code):
    """Return which of the heavy packages a fresh process has loaded after ``code``."""
    report = f"import json, sys; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def heavy_at_import(tree):
    """Return which of the heavy packages a file imports as soon as it is imported itself."""
    found = set()
    for node in statements(tree, at_import=True):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").split(".")[0])
    return sorted(found & set(HEAVY))


def test_problems_and_solvers_import_heavy_packages_where_they_use_them():
    """A heavy package is imported inside the function that needs it, all over these two floors."""
    floors = ("optedge.formulations", "optedge.solvers")
    early = {m: heavy_at_import(TREES[m]) for m in FILES if m.startswith(floors)}
    assert {m: names for m, names in early.items() if names} == {}, "import inside the function"


def test_heavy_imports_are_seen():
    """The reader finds what runs at import, in a class or a branch, too, and nothing else."""
    source = (
        "import numpy\nimport scipy.sparse as sp\n"
        "if TYPE_CHECKING:\n    import pandas\n"
        "class A:\n    from pyomo.environ import Var\n    def f(self):\n        import cvxpy\n"
        "try:\n    import numba\nexcept ImportError:\n    numba = None\n"
    )
    assert heavy_at_import(ast.parse(source)) == ["numba", "pyomo", "scipy"]


@pytest.mark.parametrize(
    "code",
    [
        "import optedge",
        "import optedge as oe; p = oe.MakespanProblem([[1, 2], [3, 4]]); p.objective([0, 1])",
    ],
    ids=["import", "a problem and its objective"],
)
def test_a_bare_import_is_light(code):
    """Nothing heavy is loaded before it is used."""
    assert loaded_after(code) == []


# ------------------------------------------------------------------ rooms of a large floor

OFFLOADING = "optedge.formulations.offloading"
#: What each room of the offloading problem may read: its own files and those of these rooms.
ROOMS = {
    "costs": set(),
    "simulation": {"costs"},
    "plans": {"costs", "simulation"},
    "models": {"costs", "plans"},
    "prices": {"costs", "simulation", "plans"},
    "balance": {"costs"},
    "episodes": {"costs", "simulation"},
}


def room(module):
    """Return the room of offloading in which a module stands; None outside of all rooms."""
    parts = module.removeprefix(f"{OFFLOADING}.").split(".")
    return parts[0] if module.startswith(f"{OFFLOADING}.") and parts[0] in ROOMS else None


def test_every_room_is_listed():
    """The table of rooms holds the sub-packages of the offloading problem, and no others."""
    folders = {path.parent.name for path in (ROOT / "formulations/offloading").glob("*/*.py")}
    assert folders == set(ROOMS)


@pytest.mark.parametrize("module", [m for m in FILES if room(m)])
def test_rooms_read_only_what_they_may(module):
    """A file of a room imports from its own room and from those below, and from no problem."""
    inside = {other for other in all_imports(module) if other.startswith(OFFLOADING)}
    others = {room(other) or other for other in inside} - {room(module)}
    assert others <= ROOMS[room(module)]
