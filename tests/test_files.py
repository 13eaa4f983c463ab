"""Files: what is saved comes back to the last digit; what is broken is refused in a sentence."""

import dataclasses
import enum
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import optedge as oe
from optedge import disk, files
from optedge.formulations import makespan_rcmax
from optedge.formulations.base import Certificate, FloatArray, IntArray, Problem, array_field
from optedge.solvers.result import HISTORY, Result, Status

INF = math.inf
BEST_KNOWN = makespan_rcmax.rcmax_best_known()
BEST_KNOWN_HARD = makespan_rcmax.rcmax_best_known(hard=True)
RCMAX = [*makespan_rcmax.rcmax_files(), *makespan_rcmax.rcmax_files(hard=True)]


# ------------------------------------------------------------------ classes of a user


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """A solution that is more than an array."""

    start: FloatArray
    server: IntArray
    cost: float
    note: str = ""
    certificate: Certificate | None = None


class Rule(enum.Enum):
    """How something is done."""

    FIRST = "first"
    LAST = "last"


@dataclasses.dataclass(frozen=True, eq=False)
class Everything(Problem):
    """A problem with a field of every type that files know."""

    cube: npt.NDArray[np.float64] = array_field("a", "b", "c", negative=True)
    counts: npt.NDArray[np.int16] = array_field("a", dtype=np.int16, negative=True)
    allowed: npt.NDArray[np.bool_] = array_field("a", "b", dtype=np.bool_)
    limit: float = INF
    capacity: int = 20
    rule: Rule = Rule.FIRST
    order: tuple[str, ...] = ("one",)
    chains: tuple[FloatArray, ...] = ()
    weights: dict[str, float] = dataclasses.field(default_factory=dict)
    deadline: float | None = None
    kind: str = "a name that the header has too"
    anything: Any = None
    plan: Plan | None = None
    name: str = ""

    solution_types: ClassVar[tuple[type, ...]] = (Plan,)

    def objective(self, x: Any) -> float:
        """Return the cost that the plan states."""
        return float(x.cost)

    def violations(self, x: Any) -> list[str]:
        """Refuse nothing."""
        return []


def everything(**changes: Any) -> Everything:
    """Return an instance; fields may be changed."""
    rng = np.random.default_rng(3)
    fields = dict(cube=rng.normal(size=(2, 3, 4)), counts=[-3, 7], allowed=np.eye(2, 3) > 0)
    return Everything(**{**fields, **changes})


def small(**changes: Any) -> oe.MakespanProblem:
    """Return three tasks on two servers; task 1 cannot use server 1."""
    fields = dict(times=[[2.0, 5.5], [2.0, INF], [0.1, 3.0]], name="by hand")
    return oe.MakespanProblem(**{**fields, **changes})


def same(a: Any, b: Any) -> bool:
    """Tell whether two values agree in type and to the last digit."""
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray)
            and (a.dtype, a.shape) == (b.dtype, b.shape)
            and a.tobytes() == b.tobytes()
        )
    if dataclasses.is_dataclass(a):
        names = [f.name for f in dataclasses.fields(a)]
        return type(a) is type(b) and all(same(getattr(a, n), getattr(b, n)) for n in names)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or (a != a and b != b))


def result_of(problem: Problem, **changes: Any) -> Result:
    """Return a made-up result without a solution; fields may be changed."""
    fields: dict[str, Any] = dict(
        problem=problem, solver="by hand", status=Status.UNKNOWN, stop_reason="time_limit",
        objective=INF, bound=-INF, proof="none", solution=None, certificate=None, runtime=0.25,
        evaluations=0, seed=0, options={}, history=np.empty(0, HISTORY), info={},
    )  # fmt: skip
    return Result(**{**fields, **changes})


# --------------------------------------------------------------------- problems


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"ready": [0.0, 1 / 3]},
        {"memory": [1, 2, 3], "capacity": [4, 5]},
        {"work": [1e-300, 1e300, 0.1 + 0.2], "ready": [5e-324, 0.0]},
        {"name": 'quotes " and \\ and\nlines, π'},
        {"name": ""},
    ],
)
def test_problem_comes_back(fields: dict[str, Any], tmp_path: Path) -> None:
    """Every field of a problem survives, ``inf`` and None included, and so does its key."""
    problem = small(**fields)
    oe.save(problem, tmp_path / "p.json")
    loaded = oe.load(tmp_path / "p.json")
    assert same(problem, loaded)
    assert loaded.key == problem.key
    assert not loaded.times.flags.writeable


def test_file_is_plain_json(tmp_path: Path) -> None:
    """The file is JSON that any program reads: header, fields, null for ``inf``."""
    oe.save(small(), str(tmp_path / "p.json"))
    assert json.loads((tmp_path / "p.json").read_text(encoding="utf-8")) == {
        "format": "optedge", "version": 1, "kind": "problem", "class": "MakespanProblem",
        "times": [[2.0, 5.5], [2.0, None], [0.1, 3.0]], "ready": [0.0, 0.0],
        "memory": None, "capacity": None, "work": None, "name": "by hand",
    }  # fmt: skip


def test_fields_with_defaults_may_be_left_out() -> None:
    """A file typed by hand needs only what the class needs; whole numbers are fine."""
    text = b'{"format":"optedge","version":1,"kind":"problem","class":"MakespanProblem",'
    problem = files.decode_problem(text + b'"times":[[3,6],[2,null]]}')
    assert same(problem, oe.MakespanProblem([[3, 6], [2, INF]]))


@given(
    times=hnp.arrays(
        np.float64, st.tuples(st.integers(1, 6), st.integers(1, 4)),
        elements=st.floats(0, allow_nan=False, allow_infinity=True),
    ),
    name=st.text(st.characters(exclude_categories=["Cs"])),
    memory=st.booleans(),
)  # fmt: skip
def test_any_problem_comes_back(times: FloatArray, name: str, memory: bool) -> None:
    """Whatever the numbers and the name, the copy is equal to the last digit."""
    times[:, 0] = np.where(np.isinf(times[:, 0]), 1.0, times[:, 0])  # each task has a server
    extra: dict[str, Any] = {}
    if memory:
        room = np.full(times.shape[1], 1.79e308)
        extra = {"memory": np.minimum(times[:, 0], 1e308), "capacity": room}
    problem = oe.MakespanProblem(times, name=name, **extra)
    assert same(files.decode_problem(files.encode_problem(problem)), problem)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"limit": 0.1, "capacity": np.int64(3), "rule": Rule.LAST, "order": ("b",), "kind": "k"},
        {"limit": -INF, "deadline": INF, "weights": {"a": 1.5, "$type": INF}},
        {"chains": (np.array([1.0, INF, math.nan]), np.empty((0, 3)))},
        {"anything": {"a": (1, [2.0, None, True]), "b": np.array([[1], [2]], dtype=np.uint8)}},
        {"anything": {1: "one", "$type": "array"}},
        {"plan": Plan(np.array([1.0]), np.array([2]), INF, "deep")},
    ],
)
def test_fields_of_every_type(fields: dict[str, Any]) -> None:
    """A class defined outside the package needs nothing but its declarations to be stored."""
    problem = everything(**fields)
    loaded = files.decode_problem(files.encode_problem(problem))
    if "capacity" in fields:
        problem = problem.replace(capacity=3)  # a NumPy scalar comes back as a plain one
    assert same(problem, loaded)


def test_class_typed_again_is_found() -> None:
    """A notebook's cell may be run twice: old instances are saved, the newest class is read."""

    def define() -> type[Problem]:
        @dataclasses.dataclass(frozen=True, eq=False)
        class Retyped(Problem):
            values: FloatArray = array_field("n")

            def objective(self, x: int) -> float:
                return float(self.values[x])

        return Retyped

    old, new = define(), define()
    loaded = files.decode_problem(files.encode_problem(old([1.0, 2.0])))  # type: ignore[call-arg]
    assert type(loaded) is new


def test_name_of_a_shipped_class_is_taken() -> None:
    """A user's class with the name of ours would come back as ours, so it is not written."""
    other = dataclasses.make_dataclass(
        "MakespanProblem", [], bases=(oe.MakespanProblem,), frozen=True, eq=False
    )
    with pytest.raises(ValueError, match=r"cannot be saved: in a file that name means the class"):
        files.encode_problem(other([[1.0]]))
    assert type(files.decode_problem(files.encode_problem(small()))) is oe.MakespanProblem


def test_speed() -> None:
    """A problem of 600 tasks and 10 servers takes milliseconds each way (50 allowed here)."""
    import time

    problem = oe.MakespanProblem(np.random.default_rng(0).random((600, 10)))
    best = INF
    for _ in range(5):
        began = time.perf_counter()
        files.decode_problem(files.encode_problem(problem))
        best = min(best, time.perf_counter() - began)
    assert best < 0.05


def test_import_is_light() -> None:
    """Importing the files imports none of the heavy libraries."""
    heavy = ("pandas", "matplotlib", "pyomo", "numba", "scipy", "highspy", "cvxpy")
    code = f"import sys, optedge.files; sys.exit(str([m for m in {heavy} if m in sys.modules]))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.strip() == "[]"


# ---------------------------------------------------------------------- results


@pytest.mark.parametrize(
    "solver", ["highs", "annealing", "local-search", "greedy", "lst", "enumeration", "random"]
)
def test_result_comes_back(solver: str, tmp_path: Path) -> None:
    """A result survives with its problem and certificate, and is verified as before."""
    rng = np.random.default_rng(5)
    problem = oe.MakespanProblem(rng.uniform(1, 9, size=(6, 3)), ready=[0, 1, 2], name="six")
    result = oe.solve(problem, solver, max_evaluations=500, time_limit=2)
    oe.save(result, tmp_path / "r.json")
    loaded = oe.load(tmp_path / "r.json")
    assert same(result, loaded)
    assert oe.verify(loaded) == oe.verify(result)
    assert loaded.gap == result.gap


@pytest.mark.parametrize("bound", [True, False])
def test_infeasible_result_comes_back(bound: bool) -> None:
    """A proof that there is no solution survives, with the sentence that says why."""
    problem = small(memory=[4, 4, 4], capacity=[5, 5])
    result = oe.solve(problem, "highs", bound=bound, max_evaluations=500, time_limit=2)
    assert result.status == "INFEASIBLE"
    assert result.info["reason"]
    loaded = files.decode_result(files.encode_result(result))
    assert same(result, loaded)
    assert oe.verify(loaded) == oe.verify(result)


def test_infinite_bound_comes_back() -> None:
    """A bound of ``inf``, which proves that there is no solution, survives with its certificate."""
    weights = {"servers": np.array([0.25, 0.75])}
    certificate = Certificate("prices", INF, weights)
    result = result_of(small(), bound=INF, status=Status.INFEASIBLE, certificate=certificate)
    assert same(result, files.decode_result(files.encode_result(result)))


def test_result_without_solution_comes_back() -> None:
    """A run that found nothing has objective ``inf``, bound ``-inf`` and no solution."""
    result = oe.solve(small(), lambda problem, run: None, bound=False, time_limit=2)
    assert (result.objective, result.bound, result.solution) == (INF, -INF, None)
    loaded = files.decode_result(files.encode_result(result))
    assert same(result, loaded)
    assert oe.verify(loaded) == oe.verify(result)


@pytest.mark.parametrize(
    "solution",
    [
        np.array([0, 1, 0], dtype=np.int32),
        np.array([[0.1, INF], [-INF, math.nan]]),
        np.array([True, False]),
        np.array([2**64 - 1], dtype=np.uint64),
        np.empty((0, 2), dtype=np.int64),
        (1, 2.5, [None, "x"]),
    ],
)
def test_solutions_of_any_type(solution: Any) -> None:
    """Solutions are arrays of any number type and shape, or plain values."""
    result = result_of(small(), solution=solution)
    assert same(result, files.decode_result(files.encode_result(result)))


def test_dataclass_solution() -> None:
    """A solution may be a dataclass that its problem names."""
    certificate = Certificate("kind", INF, {"weights": np.array([1.0, -INF])})
    plan = Plan(np.array([0.5]), np.array([3]), 7.0, "n", certificate)
    result = result_of(everything(), solution=plan, objective=7.0)
    assert same(result, files.decode_result(files.encode_result(result)))


def test_dataclass_solution_must_be_named() -> None:
    """Without that, saving says what to add to the class."""
    plan = Plan(np.array([0.5]), np.array([3]), 7.0)
    with pytest.raises(TypeError, match=r"solution: .* MakespanProblem must name it: solution_ty"):
        files.encode_result(result_of(small(), solution=plan))


def test_options_and_info_are_kept() -> None:
    """Facts about a run: NumPy scalars become plain, what has no form becomes its text."""
    info = {"n": np.int64(3), "x": np.float64(0.1), "inf": INF, "a": np.arange(3), "f": print}
    result = result_of(small(), info=info, options={"rule": None, "pair": (1, 2)}, seed=2**100)
    loaded = files.decode_result(files.encode_result(result))
    expected = {**info, "n": 3, "x": 0.1, "f": "<built-in function print>"}
    assert same(loaded.info, expected)
    assert same(loaded.options, {"rule": None, "pair": (1, 2)})
    assert loaded.seed == 2**100


def test_what_cannot_be_written_is_named() -> None:
    """An object in a solution or in a field is refused before anything is written."""
    with pytest.raises(TypeError, match=r"^solution\[1\]: a set cannot be written to a file\.$"):
        files.encode_result(result_of(small(), solution=[1, {2}]))
    with pytest.raises(TypeError, match=r"^anything\['a'\]: a object cannot be written"):
        files.encode_problem(everything(anything={"a": object()}))
    with pytest.raises(ValueError, match=r"^capacity must be int, got 2\.5\.$"):
        files.encode_problem(everything(capacity=2.5))
    with pytest.raises(TypeError, match=r"chains\[0\]: an array of complex128 cannot be written"):
        files.encode_problem(everything(chains=(np.array([1j]),)))
    with pytest.raises(TypeError, match="a problem, a result or a network is expected, got list"):
        oe.save([1], "nowhere.json")  # type: ignore[arg-type]


# ----------------------------------------------------------------- broken files

HEADER = {"format": "optedge", "version": 1, "kind": "problem", "class": "MakespanProblem"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"times": None}, "times: expected a list, got null."),
        ({"times": ...}, "the field times is missing."),
        ({"times": [[1, 2], [3, "x"]]}, "times[1][1]: expected a number or null, got a string."),
        ({"times": [[1, True]]}, "times[0][1]: expected a number or null, got true or false."),
        ({"times": [[1, 2], [3]]}, "times[1]: expected 2 entries as in the first row, got 1."),
        ({"times": [[1, 2], 3]}, "times[1]: expected a list, got a whole number."),
        ({"times": []}, "times must have shape (n_tasks, n_servers) and be non-empty, got (0,)."),
        ({"times": [[1, -2]]}, "times[0, 1] is negative."),
        ({"times": [[1, 2], [None, None]]}, "times: task 1 can use no server."),
        ({"memory": [1, None], "capacity": [1, 1]}, "memory[1]: expected a number, got null."),
        ({"memory": [1, 2]}, "memory and capacity belong together; capacity is missing."),
        ({"ready": [1]}, "ready must have shape (n_servers,) = (2,), got (1,)."),
        ({"name": 3}, "name: expected a string, got a whole number."),
        ({"speed": 3}, "there is no field speed."),
        ({"a\nb" * 99: 3}, "there is no field " + "a?b" * 20 + "...."),
        ({"format": ...}, "not an optedge file: format must be 'optedge'."),
        ({"format": "other"}, "not an optedge file: format must be 'optedge'."),
        ({"version": 2}, "version: written by a newer optedge: version 2, this one reads up to 1."),
        ({"version": "1"}, "version: expected a whole number from 1, got '1'."),
        ({"version": "2" * 99}, f"version: expected a whole number from 1, got '{'2' * 59}...."),
        ({"version": True}, "version: expected a whole number from 1, got True."),
        ({"version": ...}, "the field version is missing."),
        ({"kind": "plan"}, "kind: expected 'problem' or 'result' or 'network', got 'plan'."),
        ({"kind": []}, "kind: expected 'problem' or 'result' or 'network', got []."),
        ({"class": ...}, "the field class is missing."),
    ],
)  # fmt: skip
def test_broken_problem_is_refused(changes: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    """Each error is one sentence with the file, the field and what is wrong."""
    members = HEADER | {"times": [[3, 6], [2, 4]]} | changes
    path = tmp_path / "p.json"
    path.write_text(json.dumps({k: v for k, v in members.items() if v is not ...}))
    with pytest.raises(ValueError) as caught:
        oe.load(path)
    assert str(caught.value) == f"{path}: {sentence}"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the file is empty."),
        (b"100 20\n1 2\n", "not JSON: trailing characters (byte 5)."),
        (b"\x89PNG\r\n", "not JSON: invalid character (byte 0)."),
        (b"{'a': 1}", "not JSON: object keys must be strings (byte 1)."),
        (b'{"format": "\xff"}', "not JSON: its text is not UTF-8."),
        (b"[1, 2]", "not an optedge file: its JSON is no object."),
        (b'{"a": 1}', "not an optedge file: format must be 'optedge'."),
        (b'{"a": NaN}', "not JSON: invalid character (byte 6)."),
        (b'{"a":' * 100_000, "its JSON is nested too deeply."),
    ],
)
def test_other_files_are_refused(content: bytes, sentence: str, tmp_path: Path) -> None:
    """What is no file of ours is refused in a sentence too, whatever it is."""
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        oe.load(path)
    assert str(caught.value) == f"{path}: {sentence}"


def test_unknown_class_is_named(tmp_path: Path) -> None:
    """A class that was not defined yet is named, with those that are known."""
    (tmp_path / "p.json").write_text(json.dumps(HEADER | {"class": "Foo", "times": [[1]]}))
    with pytest.raises(ValueError, match=r"p\.json: class: there is no problem class 'Foo' \(kno"):
        oe.load(tmp_path / "p.json")


def test_every_truncated_file_is_refused() -> None:
    """Wherever a file was cut off, the sentence says so."""
    data = files.encode_result(oe.solve(small(), "greedy", max_evaluations=10, time_limit=2))
    for length in range(1, len(data.rstrip())):
        with pytest.raises(ValueError, match=r"^truncated: its JSON ends too early\.$"):
            files.decode_result(data[:length])


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        (["problem", "times", 1, 0], "x", "problem.times[1][0]: expected a number or null, got "),
        (["problem", "times", 1, 0], -1, "problem: times[1, 0] is negative."),
        (["problem", "speed"], 1, "there is no field problem.speed."),
        (["status"], "GOOD", "status: 'GOOD' is none of its values."),
        (["objective"], "x", "objective: 'x' is none of its values."),
        (["objective"], None, "objective: expected a number or 'inf', got null."),
        (["seed"], 0.5, "seed: expected a whole number, got a number."),
        (["solution", "data", 1], "inf", "solution.data[1]: expected a whole number, got 'inf'."),
        (["solution", "data", 1], None, "solution.data[1]: expected true or false or a number or"),
        (["solution", "data", 1], 2**70, "solution: "),
        (["solution", "shape", 0], 4, "solution.data: shape (4,) needs 4 entries, got 3."),
        (["solution", "shape"], [3, 10**30, 0], "solution.data: shape"),
        (["solution", "dtype"], "object", "solution.dtype: 'object' is none of its values."),
        (["solution", "$type"], "Plan", "solution.$type: 'Plan' is none of its values."),
        (["solution", "$type"], [1], "solution.$type: expected a string, got a list."),
        (["certificate", "arrays"], 1, "certificate.arrays: expected an object, got a whole numb"),
        (["certificate", "arrays", "servers"], 1, "certificate.arrays['servers']: expected an obj"),
        (["certificate", "arrays", "servers", "data"], [], "certificate.arrays['servers'].data: s"),
        (["history", "bound"], [], "history.bound: expected "),
        (["history", "evaluations", 0], 0.5, "history.evaluations[0]: expected a whole number, g"),
        (["history", "evaluations", 0], 2**70, "history.evaluations: "),
        (["info", "x"], {"$type": "float", "value": 1}, "info['x'].value: expected a string"),
        (["options"], [], "options: expected an object, got a list."),
    ],
)  # fmt: skip
def test_broken_result_is_refused(place: list[Any], value: Any, sentence: str) -> None:
    """In a result the sentence names the field by its whole path."""
    result = oe.solve(small(), "annealing", max_evaluations=50, time_limit=2)
    document = json.loads(files.encode_result(result))
    inner = document
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    with pytest.raises(ValueError) as caught:
        files.decode_result(json.dumps(document).encode())
    assert str(caught.value).startswith(sentence)


def test_solution_fields_are_checked() -> None:
    """A broken dataclass solution is refused by the name of its field."""
    plan = Plan(np.array([0.5]), np.array([3]), 7.0)
    document = json.loads(files.encode_result(result_of(everything(), solution=plan)))
    document["solution"]["cost"] = []
    with pytest.raises(ValueError, match=r"^solution\.cost: expected a number or 'inf', got a"):
        files.decode_result(json.dumps(document).encode())
    del document["solution"]["cost"]
    with pytest.raises(ValueError, match=r"^the field solution\.cost is missing\.$"):
        files.decode_result(json.dumps(document).encode())


def test_deep_nesting_is_refused() -> None:
    """JSON that is nested deeper than Python can follow is an error, not a crash."""
    document = files.encode_result(result_of(small())).decode()
    for depth in (300, 600, 100_000):
        deep = document.replace('"info": {}', '"info": {"x":' + "[" * depth + "]" * depth + "}")
        try:
            files.decode_result(deep.encode())
        except ValueError as error:
            assert str(error) == "its JSON is nested too deeply."


def test_kinds_are_told_apart() -> None:
    """The store asks for a result and does not take a problem for one, and vice versa."""
    problem = small()
    with pytest.raises(ValueError, match=r"^kind: expected 'result', got 'problem'\.$"):
        files.decode_result(files.encode_problem(problem))
    with pytest.raises(ValueError, match=r"^kind: expected 'problem', got 'result'\.$"):
        files.decode_problem(files.encode_result(result_of(problem)))


def test_missing_file(tmp_path: Path) -> None:
    """A file that does not exist stays a FileNotFoundError."""
    with pytest.raises(FileNotFoundError):
        oe.load(tmp_path / "none.json")
    with pytest.raises(FileNotFoundError):
        oe.read_rcmax(tmp_path / "none.txt")


def test_huge_file_is_not_read(tmp_path: Path) -> None:
    """Above 2 GiB nothing is read (the file here has no blocks on the disk)."""
    path = tmp_path / "huge.json"
    with open(path, "wb") as file:
        file.truncate(3 * 2**30)
    for read in (oe.load, oe.read_rcmax):
        with pytest.raises(ValueError, match=r"huge\.json: the file has 3\.0 GiB, at most 2 are"):
            read(path)


# ------------------------------------------------------------------------ writing


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failed_write_leaves_the_old_file(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that fails at any step leaves the old file whole and no other behind."""
    path = tmp_path / "p.json"
    oe.save(small(), path)
    before = path.read_bytes()

    def fail(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(disk.os, step, fail)
    with pytest.raises(OSError, match="disk full"):
        oe.save(small(name="new"), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_unwritable_thing_leaves_the_old_file(tmp_path: Path) -> None:
    """What cannot be encoded does not touch the file."""
    path = tmp_path / "r.json"
    oe.save(small(), path)
    with pytest.raises(TypeError):
        oe.save(result_of(small(), solution={1, 2}), path)
    assert same(oe.load(path), small())


@pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
def test_modes_and_links_stay(tmp_path: Path) -> None:
    """A replaced file keeps its mode, a link stays a link, and a folder is not replaced."""
    path, link = tmp_path / "p.json", tmp_path / "link.json"
    oe.save(small(), path)
    path.chmod(0o640)
    link.symlink_to(path)
    oe.save(small(name="new"), link)
    assert link.is_symlink()
    assert oe.load(path).name == "new"
    assert path.stat().st_mode & 0o777 == 0o640
    with pytest.raises(ValueError, match="not a file"):
        oe.save(small(), tmp_path)
    with pytest.raises(FileNotFoundError):
        oe.save(small(), tmp_path / "no folder" / "p.json")


# ------------------------------------------------------------------------- rcmax


def test_rcmax_files() -> None:
    """All 24 packaged instances are listed by number, each with a best known value."""
    stems = [path.stem for path in makespan_rcmax.rcmax_files()]
    assert len(stems) == 24
    assert stems == sorted(stems, key=int) == list(BEST_KNOWN)
    assert BEST_KNOWN["1066"] == (532, True)
    assert BEST_KNOWN["19"] == (30, True)


def test_hard_rcmax_files() -> None:
    """The 23 hard instances are listed by number, others than the 24, each with a known value."""
    stems = [path.stem for path in makespan_rcmax.rcmax_files(hard=True)]
    assert len(stems) == 23
    assert stems == sorted(stems, key=int) == list(BEST_KNOWN_HARD)
    assert not set(stems) & set(BEST_KNOWN)
    assert BEST_KNOWN_HARD["1305"] == (2296, True)
    assert BEST_KNOWN_HARD["921"] == (17028, False)


@pytest.mark.parametrize("path", RCMAX, ids=lambda path: path.stem)
def test_rcmax_file_is_read(path: Path) -> None:
    """Sizes are those of ``bks.csv``, and the best known value is not below a simple bound."""
    rows = (path.parent / "bks.csv").read_text(encoding="utf-8").split()
    row = next(row.split(",") for row in rows if row.startswith(path.name))
    problem = oe.read_rcmax(path)
    assert problem.times.shape == (int(row[1]), int(row[2]))
    assert problem.name == path.stem
    assert (problem.times == problem.times.round()).all()
    assert (problem.times > 0).all()
    fastest = problem.times.min(axis=1)
    assert (
        max(fastest.max(), fastest.sum() / problem.n_servers)
        <= (BEST_KNOWN | BEST_KNOWN_HARD)[path.stem][0]
    )


@pytest.mark.parametrize(
    ("file", "value"),
    [
        ("1066", 532),
        ("1305", 2296),
        ("324", 1700),
        ("529", 1728),
        ("559", 10839),
        ("921", 17028),
        ("931", 13013),
        ("1113", 1320),
        ("1131", 655),
        ("1141", 504),
        ("1190", 1283),
    ],
)
def test_packaged_assignment(file: str, value: int) -> None:
    """The packaged assignments have the best known makespans of their files."""
    path = next(path for path in RCMAX if path.stem == file)
    words = path.with_name(f"{file}_{value}.txt").read_text(encoding="utf-8").split()
    assert oe.read_rcmax(path).objective(np.array(words, dtype=int)) == value
    assert (BEST_KNOWN | BEST_KNOWN_HARD)[file][0] == value


def test_rcmax_layout_is_free(tmp_path: Path) -> None:
    """Spaces, tabs, blank lines and a byte order mark do not matter."""
    path = tmp_path / "tiny.txt"
    path.write_bytes(b"\xef\xbb\xbf 2\t3 \r\n\r\n1 2 3.5 \r\n4 5\t6 \n\n\n")
    problem = oe.read_rcmax(str(path))
    assert problem.times.tolist() == [[1, 2, 3.5], [4, 5, 6]]
    assert problem.name == "tiny"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "the header, two numbers n and m, is missing."),
        ("2", "the header, two numbers n and m, is missing."),
        ("2 2\n1 2\n3", "too few numbers: the header says 2 x 2 = 4 times, there are 3."),
        ("2 2\n1 2\n3 4 5", "too many numbers: the header says 2 x 2 = 4 times, there are 5."),
        ("99999999 99999999", "too few numbers: the header says 99999999 x 99999999 = 9999999800"),
        ("2 2\n1 2\n\n3 x", "line 4: 'x' is not a number."),
        ("2 2\n1 nan 3 4", "line 2: 'nan' is not a number."),
        ("2 2\n1 inf 3 4", "line 2: 'inf' is not a number."),
        ("2 2\n1 -2 3 4", "line 2: -2 is negative."),
        ("0 2\n", "header: n must be a whole number from 1, got 0."),
        ("2 1.5\n1 2", "header: m must be a whole number from 1, got 1.5."),
        ("a" * 99, f"line 1: '{'a' * 60}...' is not a number."),
    ],
)
def test_broken_rcmax_file_is_refused(content: str, sentence: str, tmp_path: Path) -> None:
    """Each error names the file and says what is wrong."""
    path = tmp_path / "broken.txt"
    path.write_text(content)
    with pytest.raises(ValueError) as caught:
        oe.read_rcmax(path)
    assert str(caught.value).startswith(f"{path}: {sentence}")
