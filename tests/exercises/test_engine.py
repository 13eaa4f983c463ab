"""The engine of the exercises: what each kind of answer hears, and that nothing is raised."""

import contextlib
import csv
import signal
import sys
import threading
import time
import types

import numpy as np
import pytest

import optedge as oe
from optedge.exercises import engine, limits, registry, scores, shrinking
from optedge.exercises.answers import (
    Refused,
    differs,
    guessed,
    model_optimum,
    number,
    vector,
    whole,
)
from optedge.exercises.drawing import best_makespan, drop_task_server_or_time, tiny_makespan

check = oe.exercises.check


@pytest.fixture(autouse=True)
def own_session(monkeypatch):
    """Give each test the exercises of the package, none of another test, and no points."""
    registry.exercises()
    monkeypatch.setattr(registry, "_FOUND", dict(registry._FOUND))
    monkeypatch.setattr(scores, "_BEST", {})
    monkeypatch.setattr(engine, "SHRINK_SECONDS", 60.0)  # on a busy machine, too


def whole_makespan(rng, size):
    """Draw tasks that may use every server."""
    return oe.MakespanProblem(rng.integers(1, 10, (1 + size // 3, 1 + size // 5)).astype(float))


def earliest_completion(p):
    """Put each task where it ends earliest."""
    loads, x = np.zeros(p.n_servers), []
    for row in p.times:
        x.append(int((loads + row).argmin()))
        loads[x[-1]] += row[x[-1]]
    return np.array(x)


def round_robin(p):
    """Deal the tasks out like cards."""
    return np.arange(p.n_tasks) % p.n_servers


@pytest.fixture
def ect():
    """Register an exercise: be no longer than earliest completion."""

    @oe.exercises.exercise(
        "zz-1", draw=whole_makespan, smaller=drop_task_server_or_time, trials=20, points=3
    )
    def no_longer(answer, p):
        """Be no longer than earliest completion."""
        x = np.asarray(answer(p))
        if p.violations(x):
            return p.violations(x)[0]
        value, wanted = p.objective(x), p.objective(earliest_completion(p))
        return "" if value <= wanted else f"makespan {value:g}, wanted {wanted:g}"


# -------------------------------------------------------------------- reports and seeds


def test_a_right_function_passes(ect, capsys):
    """A right answer earns its points, and the report says on how many instances."""
    report = check("zz-1", earliest_completion, seed=5)
    assert report and report.passed and report.points == 3 and report.instance is None
    assert report.message.startswith("zz-1: right on 20 instances (seed 5); 3 points.")
    assert report.message in capsys.readouterr().out


def test_a_wrong_function_hears_an_instance_that_cannot_be_made_smaller(ect):
    """Round robin fails on the instance that is shown, and on no smaller one."""

    def fails(p):
        return p.objective(round_robin(p)) > p.objective(earliest_completion(p))

    for seed in range(20):
        report = check("zz-1", round_robin, seed=seed)
        assert not report and report.points == 0 and report.seed == seed
        assert fails(report.instance) and report.instance.times.size <= 4
        assert not any(fails(p) for p in drop_task_server_or_time(report.instance))
    assert check("zz-1", round_robin, seed=0).message.startswith(
        "zz-1: not yet: makespan 5, wanted 1; on MakespanProblem(times=[[5, 1]]) (seed 0)."
    )


def test_the_failing_instance_is_the_one_of_the_specification(ect):
    """Round robin is shown [[5, 1]], makespan 5, where a task takes 5 s on the first server."""

    @oe.exercises.exercise(
        "zz-2",
        draw=lambda rng, size: oe.MakespanProblem([[5, 3], [1, 1]]),
        smaller=drop_task_server_or_time,
        trials=1,
    )
    def no_longer(answer, p):
        value, wanted = p.objective(answer(p)), p.objective(earliest_completion(p))
        return "" if value <= wanted else f"makespan {value:g}"

    report = check("zz-2", round_robin, seed=0)
    assert "makespan 5; on MakespanProblem(times=[[5, 1]])" in report.message


def test_a_model_with_at_most_one_server_a_task_hears_of_one_task_and_one_server():
    """``<= 1`` in place of ``== 1`` shrinks to a 1 x 1 instance: optimum 0 against 1."""
    import pyomo.environ as pyo

    def at_most_one(p, memory, capacity):
        m = p.replace(memory=memory, capacity=capacity).model()
        m.assign.deactivate()
        m.loose = pyo.Constraint(
            m.I, rule=lambda m, i: sum(m.x[k, j] for k, j in m.E if k == i) <= 1
        )
        return m

    for seed in range(5):
        report = check("01-4", at_most_one, seed=seed)
        assert "your model has the optimum 0, enumeration finds 1" in report.message
        assert report.instance.times.tolist() == [[1.0]]


def test_a_fresh_seed_is_named_and_repeats_the_report(ect):
    """Without a seed one is drawn; given again it finds the same instance."""
    reports = [check("zz-1", round_robin) for _ in range(4)]
    assert len({r.seed for r in reports}) > 1
    again = check("zz-1", round_robin, seed=reports[0].seed)
    assert again.instance.key == reports[0].instance.key
    assert again.message == reports[0].message.partition("\n")[0]


@pytest.mark.parametrize("seed", [-1, 1.5, True, "7"])
def test_a_seed_is_a_whole_number(seed):
    """Anything else is refused before the answer is looked at."""
    with pytest.raises(ValueError, match="seed must be a whole number"):
        check("01-3", earliest_completion, seed=seed)


@pytest.mark.parametrize("nothing", [None, ...])
def test_no_answer_yet(nothing):
    """An answer that was not given is no error and earns nothing; so for a guess."""
    report = check("01-3", nothing)
    assert report.message == "01-3: no answer yet." and not report and report.points == 0
    assert check("01-p1", nothing).message.startswith("01-p1: no guess yet")


def test_no_exercise_of_this_id():
    """An unknown id is refused, and near ones are named."""
    with pytest.raises(ValueError, match=r"no exercise '01-33'; there are .*01-3"):
        check("01-33", 1)
    with pytest.raises(ValueError, match="no exercise 3; there are 00-1"):
        check(3, 1)


def test_that_answers_run_here_is_said_once(ect, monkeypatch):
    """The first function that runs hears where it runs, the next one does not; values never do."""
    monkeypatch.setattr(engine, "_told", False)
    assert "nothing is sent" not in check("01-1", 3).message
    assert "nothing is sent" not in check("zz-1", 3).message
    assert "runs in this Python process; nothing is sent" in check("zz-1", round_robin).message
    assert "nothing is sent" not in check("zz-1", round_robin).message


# -------------------------------------------------------------------- bad functions


def broken(p):
    """Divide by zero."""
    return 1 / 0


def changes_an_array(p):
    """Write into the input."""
    p.times[0, 0] = 1
    return round_robin(p)


def changes_by_force(p):
    """Make the input writable first."""
    p.times.setflags(write=True)
    p.times[0, 0] += 1
    return round_robin(p)


def unwritten(p):
    """Raise what a stub raises."""
    raise NotImplementedError


def leaves(p):
    """Try to end the process."""
    sys.exit(3)


def too_deep(p):
    """Call itself for ever."""
    return too_deep(p)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (broken, "your function raises ZeroDivisionError in line"),
        (changes_an_array, "your function changes its input; work on a copy"),
        (changes_by_force, "your function changes its input; work on a copy"),
        (unwritten, "your function is not written yet"),
        (leaves, "your function raises SystemExit in line"),
        (too_deep, "your function raises RecursionError in line"),
        (lambda p: None, "your function returns nothing (None)"),
        (lambda: 1, "your function raises TypeError"),
        (lambda p: "abc", "a solution holds 1 integers"),
        (lambda p: [np.nan] * p.n_tasks, "a solution holds 1 integers, got float64"),
        (lambda p: [0] * (p.n_tasks + 1), "a solution holds 1 integers"),
        (lambda p: [9] * p.n_tasks, "task 0: there is no server 9"),
        (lambda p: [[1], [1, 2]], "the check cannot use your answer (ValueError"),
        (5, "a function is expected, got int 5"),
    ],
)
def test_a_broken_function_hears_one_sentence(ect, answer, sentence):
    """Nothing is raised, and the instance is the smallest one."""
    report = check("zz-1", answer, seed=1)
    assert f"zz-1: not yet: {sentence}" in report.message and not report
    assert report.instance is None or report.instance.times.shape == (1, 1)


def test_arrays_in_tuples_are_frozen_and_lists_are_watched():
    """Whatever an instance is made of, a change is noticed."""
    guarded = limits.Guarded(lambda pair: pair[0].sort() or 1, 1.0)
    with pytest.raises(Refused, match="changes its input"):
        guarded((np.array([2, 1]), 3))
    guarded = limits.Guarded(lambda values: values["a"].append(1) or 1, 1.0)
    with pytest.raises(Refused, match="changes its input"):
        guarded({"a": [2.0]})
    assert limits.Guarded(sum, 1.0)([1, 2]) == 3


def loop(p):
    """Never end, nor be stopped by what a student catches."""
    while True:
        with contextlib.suppress(Exception):
            time.sleep(0)


def swallows(p):
    """Catch even the interrupt, and go on as if nothing was."""
    try:
        loop(p)
    except BaseException:
        return round_robin(p)


@pytest.mark.parametrize("answer", [loop, swallows])
def test_a_loop_is_stopped(ect, monkeypatch, answer):
    """A loop ends when its time is up, is not shrunk, and leaves Ctrl-C as it was."""
    monkeypatch.setattr(limits, "SECONDS", 0.2)
    before = signal.getsignal(signal.SIGINT)
    report = check("zz-1", answer, seed=1)
    assert "not done after 0.2 s" in report.message and report.instance is not None
    assert signal.getsignal(signal.SIGINT) is before
    assert check("zz-1", earliest_completion, seed=1)


def test_a_loop_met_while_shrinking_ends_the_shrinking(monkeypatch):
    """What was found so far is reported."""
    monkeypatch.setattr(engine, "SHRINK_SECONDS", 0.2)

    @oe.exercises.exercise(
        "zz-3", draw=lambda rng, size: 8, smaller=lambda k: [k - 1] if k else [], trials=1
    )
    def anything(answer, k):
        return answer(k)

    report = check("zz-3", lambda k: loop(k) if k < 5 else "wrong", seed=0)
    assert report.instance == 5 and "not yet: wrong; on 5 " in report.message


def test_ctrl_c_is_not_the_timer(ect):
    """An interrupt of the user is passed on, and the handler is put back."""
    before = signal.getsignal(signal.SIGINT)

    def interrupted(p):
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as caught:
        check("zz-1", interrupted)
    assert not isinstance(caught.value, limits.TimeUp)
    assert signal.getsignal(signal.SIGINT) is before


def test_off_the_main_thread_there_is_no_limit_and_it_is_said(ect):
    """A check in another thread works, and says that it cannot stop a loop."""
    reports = []
    thread = threading.Thread(target=lambda: reports.append(check("zz-1", earliest_completion)))
    thread.start()
    thread.join()
    assert reports[0].passed and "cannot be stopped" in reports[0].message
    assert "cannot be stopped" not in check("zz-1", earliest_completion).message


def test_nothing_goes_to_stderr(ect, capsys):
    """All that an answer prints comes out on stdout: a grader takes stderr for a failure."""

    def noisy(p):
        print("here")
        print("there", file=sys.stderr)
        return round_robin(p)

    check("zz-1", noisy, seed=1)
    said = capsys.readouterr()
    assert said.err == "" and {"here", "there"} <= set(said.out.split())
    assert said.out.count("here") <= 20  # none of the many instances of shrinking


# -------------------------------------------------------------------- values and models


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (float("nan"), "NaN is not a number"),
        (float("inf"), "a finite number is expected"),
        ("4", "one number is expected, got str '4'"),
        ([2.4], "one number is expected, got list"),
        (True, "one number is expected, got bool"),
        (2j, "one number is expected, got complex"),
        (np.array([1, 2]), "one number is expected, got ndarray"),
        (earliest_completion, "a value is expected, got a function"),
        (7, "7 is too large"),
        (-7, "-7 is too small"),
    ],
)
def test_a_wrong_value_hears_one_sentence(answer, sentence):
    """Numbers of any kind are read, and nothing else."""
    report = check("01-1", answer)
    assert report.message == f"01-1: not yet: {sentence}." or sentence in report.message
    assert not report and report.points == 0 and report.seed is None


def test_numbers_and_arrays_are_read():
    """Numbers of NumPy are numbers; arrays have the right shape and no NaN."""
    assert number(np.array(4)) == number(np.int64(4)) == number(4) == 4
    assert vector([1, 2.5], (2,)).tolist() == [1, 2.5] and whole([1.0, 2], (2,)).tolist() == [1, 2]
    for bad, sentence in [
        ([1, np.nan], "entry 1 is NaN"),
        ([[1, np.inf]], r"shape \(2,\) is expected"),
        ([1, np.inf], "entry 1 is infinite"),
        (["a", "b"], "an array of numbers"),
        ([[1], [1, 2]], "an array of numbers"),
        ([0.5, 1], "entry 0 is 0.5, a whole number"),
    ]:
        with pytest.raises(Refused, match=sentence):
            whole(bad, (2,))
    assert vector([1, np.inf], (2,), infinite=True)[1] == np.inf
    assert differs(1e9 * (1 + 1e-8), 1e9) == "" and differs(1, 2) == "1 is too small"


def test_guesses_are_compared():
    """Numbers, words, sets of numbers and truth values, alone or several."""
    assert guessed((6, 5), 6.0, 5) == guessed([6, 5], 6.0, 5) == guessed("dis ", "DIS") == ""
    assert guessed([3, 0], [0, 3]) == guessed(True, True) == guessed(6.01, 6) == ""
    assert guessed((6, 4), 6, 5) == "you said 6, 4; it is 6, 5"
    assert guessed("x", 6) == "you said 'x'; it is 6" and guessed(1, True) != ""
    assert guessed(7, [0, 3]) != ""
    with pytest.raises(Refused, match="2 things are asked for, got 6; it is 6, 5"):
        guessed(6, 6, 5)


def test_models_are_read():
    """What is no linear Pyomo model with an optimum is refused; an infeasible one is ``inf``."""
    import pyomo.environ as pyo

    m = pyo.ConcreteModel()
    m.x = pyo.Var(bounds=(2, None))
    m.cost = pyo.Objective(expr=m.x)
    assert model_optimum(m) == 2
    m.row = pyo.Constraint(expr=m.x <= 1)
    assert model_optimum(m) == np.inf
    m.row.deactivate()
    m.cost.sense = pyo.maximize
    with pytest.raises(Refused, match="no optimum"):
        model_optimum(m)
    m.cost.set_value(m.x**2)
    with pytest.raises(Refused, match="your model cannot be solved"):
        model_optimum(m)
    with pytest.raises(Refused, match="ConcreteModel is expected, got int"):
        model_optimum(3)


def test_instances_are_shown_short():
    """A problem is shown by what was given, with short numbers; a large array by its shape."""
    p = oe.MakespanProblem([[1, np.inf], [0.5, 2]])
    assert shrinking.describe(p) == "MakespanProblem(times=[[1, inf], [0.5, 2]])"
    p = p.replace(ready=[0, 1.0])
    assert "ready=[0, 1]" in shrinking.describe(p)
    assert shrinking.describe((3, 0.25)) == "3, 0.25"
    assert "shape (9, 9)" in shrinking.describe(oe.MakespanProblem(np.ones((9, 9))))


def test_the_oracle_is_enumeration():
    """Trying everything on the tiny instances agrees with the package's own enumeration."""
    for size in range(1, 21):
        p = tiny_makespan(np.random.default_rng(size), size)
        assert best_makespan(p) == oe.solve(p, "enumeration").objective


def test_smaller_instances_stay_instances():
    """Every instance on the way down can be built, and the way ends."""
    p = tiny_makespan(np.random.default_rng(1), 20).replace(ready=None)
    p = p.replace(memory=np.arange(p.n_tasks) + 1.0, capacity=np.full(p.n_servers, 30.0))
    found = []
    shrinking.shrink((p, "no"), drop_task_server_or_time, lambda q: "no", found.append, 60)
    assert found[-1][0].times.tolist() == [[1.0]] and found[-1][0].memory.tolist() == [1.0]


# -------------------------------------------------------------------- registering, files, points


def test_an_id_is_taken_once(ect):
    """A second exercise of one id is refused, but a cell of a notebook may run again."""
    with pytest.raises(ValueError, match="'zz-1' exists"):
        oe.exercises.exercise("zz-1")(lambda answer: "")
    for _ in range(2):
        test = types.FunctionType((lambda answer: "").__code__, {"__name__": "__main__"})
        oe.exercises.exercise("zz-9")(test)
    with pytest.raises(ValueError, match="kind must be one of"):
        oe.exercises.exercise("zz-8", kind="riddle")
    with pytest.raises(ValueError, match="trials must be at least 1"):
        oe.exercises.exercise("zz-8", trials=0)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"draw": lambda rng: 1}, r"draw must be a function of \(rng, size\), got one of \(rng\)"),
        ({"draw": 5}, r"draw must be a function of \(rng, size\), got 5"),
        ({"smaller": lambda: []}, r"smaller must be a function of \(instance\)"),
        ({"draw": None}, r"the test must be a function of \(answer\), got one of \(answer, p\)"),
    ],
)
def test_a_wrong_signature_is_refused_when_it_is_registered(wrong, sentence):
    """Nobody has to call check to learn that draw, smaller or the test takes something else."""
    with pytest.raises(TypeError, match=f"exercise zz-6: {sentence}"):
        oe.exercises.exercise("zz-6", **{"draw": whole_makespan, **wrong})(lambda answer, p: "")
    with pytest.raises(ValueError, match="no exercise 'zz-6'"):
        check("zz-6", 1)


def test_a_test_returns_a_sentence():
    """A test that returns something else is the author's error, and is raised."""
    oe.exercises.exercise("zz-7")(lambda answer: True)
    with pytest.raises(TypeError, match="zz-7 must return a sentence, got True"):
        check("zz-7", 1)


TEACHERS = '''
import optedge as oe

@oe.exercises.exercise("{id}", points=5)
def double(answer):
    """Say what twice 21 is."""
    return "" if answer == 42 else "think again"
'''


def test_a_file_of_a_teacher(tmp_path):
    """Its exercises are checked like ours; an id that exists is refused, and all of that file."""
    path = tmp_path / "mine.py"
    path.write_text(TEACHERS.format(id="mine-1"), encoding="utf-8")
    assert oe.exercises.load(path) == ["mine-1"]
    assert check("mine-1", 42).points == 5
    assert check("mine-1", 41).message == "mine-1: not yet: think again."
    with pytest.raises(ValueError, match="'mine-1' exists"):
        oe.exercises.load(path)
    taken = tmp_path / "taken.py"
    taken.write_text(TEACHERS.format(id="mine-2") + TEACHERS.format(id="01-3"), encoding="utf-8")
    with pytest.raises(ValueError, match="'01-3' exists"):
        oe.exercises.load(taken)
    with pytest.raises(ValueError, match="no exercise 'mine-2'"):
        check("mine-2", 42)
    assert oe.exercises.list_exercises().set_index("id").loc["mine-1", "points"] == 5


def test_a_file_without_exercises_is_refused(tmp_path):
    """A missing file, one that adds nothing and one that fails leave nothing behind."""
    with pytest.raises(ValueError, match="there is no such file"):
        oe.exercises.load(tmp_path / "none.py")
    empty = tmp_path / "empty.py"
    empty.write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="it adds no exercise"):
        oe.exercises.load(empty)
    empty.write_text(TEACHERS.format(id="mine-3") + "1 / 0\n", encoding="utf-8")
    with pytest.raises(ZeroDivisionError):
        oe.exercises.load(empty)
    assert "mine-3" not in registry._FOUND


def read(path):
    """Return the rows of a CSV file."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_points_are_recorded(tmp_path, ect):
    """A row a student, the best answer counts, a second record replaces the row."""
    path = tmp_path / "points.csv"
    check("zz-1", earliest_completion)
    check("zz-1", round_robin)
    check("01-p1", (0, 10))  # a prediction scores nothing
    total = sum(e.points for e in registry.exercises())
    assert oe.exercises.record(path, student="s17") == (3, total)
    assert oe.exercises.record(path, "Müller, A.", ids=["zz-1", "01-1"]) == (3, 4)
    check("01-1", 2.38)
    oe.exercises.record(path, "s17", ids=["zz-1", "01-1"])
    assert read(path) == [
        ["student", "points", "total", "version"],
        ["Müller, A.", "3", "4", oe.__version__],
        ["s17", "4", "4", oe.__version__],
    ]
    assert [file.name for file in tmp_path.iterdir()] == ["points.csv"]


def test_a_foreign_file_is_not_overwritten(tmp_path):
    """A file of something else, a student without a name and an unknown id are refused."""
    path = tmp_path / "marks.csv"
    path.write_text("name,mark\nA,1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no file of points"):
        oe.exercises.record(path, "s17")
    assert path.read_text(encoding="utf-8") == "name,mark\nA,1\n"
    for student in ("", "  ", "a\nb", 17):
        with pytest.raises(ValueError, match="student must be a name"):
            oe.exercises.record(tmp_path / "new.csv", student)
    with pytest.raises(ValueError, match="ids must be a list"):
        oe.exercises.record(tmp_path / "new.csv", "s17", ids="01-1")
    with pytest.raises(ValueError, match="there is no exercise"):
        oe.exercises.record(tmp_path / "new.csv", "s17", ids=["01-77"])
    assert not (tmp_path / "new.csv").exists()


def test_the_graders_read_a_report(ect):
    """A last line ``r.points`` scores for nbgrader; otter asserts the report, shows the message."""
    right, wrong = check("zz-1", earliest_completion, seed=7), check("zz-1", round_robin, seed=7)
    assert right.points == 3 and wrong.points == 0
    assert right, right.message
    with pytest.raises(AssertionError, match="zz-1: not yet"):
        assert wrong, wrong.message


def test_every_exercise_has_a_title():
    """The table lists every exercise once, with points for all but predictions."""
    table = oe.exercises.list_exercises()
    assert table["id"].is_unique and (table["title"].str.len() > 10).all()
    assert ((table["kind"] == "prediction") == table["id"].str.contains("-p")).all()
    assert ((table["points"] == 0) == (table["kind"] == "prediction")).all()
