"""Compiled kernels: the one wrapper of numba's compiler, and the generic names that problems give.

Three things stand here, and none of them imports numba before a kernel is called.

* :func:`kernel` marks a function on plain arrays to be compiled at its first call and kept in a
  cache on disk. Numba's own cache looks only at the file of the *caller*; here the cache folder is
  named by a hash of every file of the package that holds kernels, so that an edited callee is
  noticed wherever it stands.
* :func:`start`, :func:`price`, :func:`apply`, :func:`guide`, :func:`propose`, :func:`settle` and
  :func:`descend` are what a metaheuristic asks of a problem about moves. They have no body: a
  problem gives one for the type of its data with :func:`overload`, and a kernel that calls them is
  compiled for that type. With :class:`Plain` data, costs in NumPy, the same kernels run uncompiled.
* :func:`compile_seconds` and :func:`cache_misses` tell what compilation cost in this process.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import sys
import threading
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")

_lock = threading.RLock()
_kernels: list[Kernel[..., Any]] = []
_overloads: dict[tuple[str, Any], Kernel[..., Any]] = {}


# ------------------------------------------------------------------ the wrapper


class Kernel(Generic[P, R]):
    """A function that numba compiles at its first call; made by :func:`kernel`.

    Kernels may call kernels: inside compiled code the name stands for the compiled function.
    """

    def __init__(self, function: Callable[P, R]) -> None:
        self.python: Callable[P, R] = function
        functools.update_wrapper(self, function)
        _kernels.append(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the compiled function, compiling it first if these types are new.

        With :class:`Plain` data the same function runs uncompiled.
        """
        if args and isinstance(args[0], Plain):
            return self.python(*args, **kwargs)
        result: R = self.dispatcher(*args, **kwargs)
        return result

    @functools.cached_property
    def dispatcher(self) -> Any:
        """The numba dispatcher behind this kernel, made at the first use."""
        with _lock:
            numba = _numba()
            before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(cache_folder())
            try:
                made = numba.njit(cache=True, nogil=True, no_cfunc_wrapper=True)(self.python)
            finally:
                numba.config.CACHE_DIR = before
            return _forgetting_constants(made, numba.types.unliteral)

    @property
    def _numba_type_(self) -> Any:
        # How numba asks an object met inside compiled code for its type.
        return self.dispatcher._numba_type_


def kernel(function: Callable[P, R]) -> Kernel[P, R]:
    """Mark ``function`` to be compiled by numba at its first call, with a cache on disk.

    Parameters
    ----------
    function
        A function of arrays, numbers, NamedTuples of arrays and NumPy generators, in the subset of
        Python that numba compiles. A constant in a call of another kernel reaches it as any number
        does: there it cannot be the place of an entry in a tuple.

    Returns
    -------
    Kernel
        Called like the function; ``.python`` is the plain function, for debugging.
    """
    return Kernel(function)


def _forgetting_constants(dispatcher: Any, forget: Callable[[Any], Any]) -> Any:
    """Return ``dispatcher``, which compiled callers ask without the values of their constants.

    A constant is a type of its own to numba: a kernel that is called with 0 here and with a number
    there would be compiled twice, and all that it calls. There is no option that says so.
    """
    ask = dispatcher.get_call_template

    def ask_without(args: Any, kws: Any) -> Any:
        return ask([forget(a) for a in args], {name: forget(a) for name, a in kws.items()})

    dispatcher.get_call_template = ask_without
    return dispatcher


@functools.cache
def cache_folder() -> Path:
    """Return the folder of this version's compiled code, named by a hash of all kernel sources.

    It lies in ``NUMBA_CACHE_DIR`` if that is set, else in the user's cache folder. The files of a
    user's own overloads count too.
    """
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        source = path.read_bytes()
        if b"kernels" in source:  # a file with kernels imports this module
            digest.update(source)
    for body in sorted(_users_bodies(), key=lambda k: (k.__module__, k.python.__name__)):
        digest.update(source_of(body.python))
    base = os.environ.get("NUMBA_CACHE_DIR") or _user_cache()
    return Path(base) / f"optedge-{digest.hexdigest()[:16]}"


def _users_bodies() -> list[Kernel[..., Any]]:
    """Return the overloads that stand outside of the package: a cached caller depends on them."""
    package = __name__.partition(".")[0]
    return [k for k in _overloads.values() if k.__module__.partition(".")[0] != package]


def source_of(function: Any) -> bytes:
    """Return the whole file of a function, or its compiled form where it was typed in."""
    try:
        return Path(function.__code__.co_filename).read_bytes()
    except OSError:
        return _compiled_form(function.__code__)


def _compiled_form(code: types.CodeType) -> bytes:
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]  # their repr has addresses
    consts = [c for c in code.co_consts if not isinstance(c, types.CodeType)]
    parts = [code.co_code, repr((consts, code.co_names)).encode()]
    return b"".join([*parts, *(_compiled_form(c) for c in inner)])


def _user_cache() -> str:
    if sys.platform == "win32":
        return os.environ.get("LOCALAPPDATA") or str(Path.home())
    return os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")


# ------------------------------------------------------- what a problem gives to metaheuristics


def start(data: Any, x: Any) -> Any:
    """Return the state of code ``x`` ``(n_decisions,)``: what :func:`price` needs to be quick."""
    return _plain("start", data)(data, x)


def price(data: Any, state: Any, x: Any, i: int, k: int) -> float:
    """Return the cost of ``x`` with decision ``i`` set to option ``k``; nothing is changed."""
    return float(_plain("price", data)(data, state, x, i, k))


def apply(data: Any, state: Any, x: Any, i: int, k: int) -> None:
    """Set decision ``i`` of ``x`` to option ``k`` and bring ``state`` up to date, both in place."""
    _plain("apply", data)(data, state, x, i, k)


def guide(data: Any, state: Any, x: Any, i: int, k: int, scale: float) -> float:
    """Return how a smooth stand-in of cost / ``scale`` changes when decision ``i`` takes ``k``.

    For problems whose cost has plateaus, such as a maximum: annealing follows the stand-in and
    keeps the code of least cost. A problem that gives none is annealed on its cost.
    """
    return float(_plain("guide", data)(data, state, x, i, k, scale))


def propose(data: Any, state: Any, x: Any, rng: Any) -> float:
    """Write a random move into ``state`` and return its cost; ``x`` is left alone.

    For problems with moves that change several decisions in a way that makes sense together.
    :func:`settle` follows before anything else is asked. A problem that gives neither has single
    decisions changed.
    """
    return float(_plain("propose", data)(data, state, x, rng))


def settle(data: Any, state: Any, x: Any, taken: bool) -> None:
    """Make the proposed move in ``x``, or take it back from ``state``."""
    _plain("settle", data)(data, state, x, taken)


def descend(data: Any, state: Any, x: Any, choices: Any, limit: int) -> tuple[int, bool]:
    """Improve ``x`` and ``state`` in place to a local optimum of the problem's neighbourhood.

    ``choices`` (n_decisions, n_options) tells which options a decision may take. At most ``limit``
    moves are priced. Returns how many were, and whether ``x`` is a local optimum now. A problem
    that gives none gets :func:`reassign`.
    """
    priced, local = _plain("descend", data)(data, state, x, choices, limit)
    return int(priced), bool(local)


class Plain:
    """The data of a problem without kernels: moves are priced by ``costs``, whole codes at once.

    Parameters
    ----------
    costs
        Codes (k, n_decisions) to their costs (k,), in plain NumPy.
    """

    def __init__(self, costs: Callable[[Any], Any]) -> None:
        self.costs = costs


#: The names that :func:`overload` takes.
GENERIC = (start, price, apply, guide, propose, settle, descend)


def overload(generic: Callable[..., Any], data: type) -> Callable[[Callable[P, R]], Kernel[P, R]]:
    """Give ``generic`` (one of :data:`GENERIC`) a body for problems whose data is of type ``data``.

    Parameters
    ----------
    generic
        One of :data:`GENERIC`.
    data
        The NamedTuple class of the problem's ``data``, defined at the top of an importable module.

    Returns
    -------
    callable
        A decorator; the function takes the same parameters as ``generic``.
    """
    if generic not in GENERIC:
        raise ValueError(f"{generic!r} is no generic kernel: {[g.__name__ for g in GENERIC]}.")

    def give(function: Callable[P, R]) -> Kernel[P, R]:
        wanted, given = (list(inspect.signature(f).parameters) for f in (generic, function))
        if wanted != given:
            raise ValueError(f"{generic.__name__} takes the parameters {wanted}, got {given}.")
        body = kernel(function)
        _overloads[generic.__name__, data] = body
        if body in _users_bodies():  # the cache folder changes, and with it every compiled caller
            cache_folder.cache_clear()
            for made in _kernels:
                vars(made).pop("dispatcher", None)
        return body

    return give


def gives(data: type, generic: Callable[..., Any]) -> bool:
    """Tell whether problems with data of type ``data`` give the generic kernel."""
    return (generic.__name__, data) in _overloads


@kernel
def reassign(data: Any, state: Any, x: Any, choices: Any, limit: int) -> tuple[int, bool]:
    """Set one decision after the other to a better option until none has one.

    Parameters and result as for :func:`descend`.
    """
    n, options = choices.shape
    cost = price(data, state, x, 0, x[0])
    priced, settled, i = 0, 0, 0
    while settled < n:
        settled += 1
        for k in range(options):
            if not choices[i, k] or k == x[i]:
                continue
            if priced == limit:
                return priced, False
            priced += 1
            candidate = price(data, state, x, i, k)
            if candidate < cost:
                apply(data, state, x, i, k)
                cost, settled = candidate, 0
        i = (i + 1) % n
    return priced, True


class _Moves:
    """What the generic names do with :class:`Plain` data; there is no state."""

    @staticmethod
    def start(data: Plain, x: Any) -> None:
        return None

    @staticmethod
    def price(data: Plain, state: None, x: Any, i: int, k: int) -> float:
        y = x.copy()
        y[i] = k
        return float(data.costs(y[None])[0])

    @staticmethod
    def apply(data: Plain, state: None, x: Any, i: int, k: int) -> None:
        x[i] = k

    @staticmethod
    def descend(data: Plain, state: None, x: Any, choices: Any, limit: int) -> tuple[int, bool]:
        """Do what :func:`reassign` does, all options of a decision at once, the best of them."""
        n = len(x)
        cost, priced, settled, i = float(data.costs(x[None])[0]), 0, 0, 0
        while settled < n:
            others = choices[i].copy()
            others[x[i]] = False
            options = others.nonzero()[0]
            if priced + options.size > limit:
                return priced, False
            settled += 1
            if options.size:
                codes = x[None].repeat(options.size, axis=0)
                codes[:, i] = options
                costs = data.costs(codes)
                priced += options.size
                best = int(costs.argmin())
                if costs[best] < cost:
                    x[i], cost, settled = options[best], float(costs[best]), 0
            i = (i + 1) % n
        return priced, True


def _plain(name: str, data: Any) -> Callable[..., Any]:
    if isinstance(data, Plain) and hasattr(_Moves, name):
        return cast(Callable[..., Any], getattr(_Moves, name))
    try:
        return _overloads[name, type(data)]
    except KeyError:
        raise TypeError(f"{type(data).__name__} gives no kernel {name!r}.") from None


# --------------------------------------------------------------------- numba, loaded late


@functools.cache
def _numba() -> Any:
    """Import numba, teach it the generic names and listen to its compiler."""
    global _spent
    began = time.perf_counter()
    import numba
    from numba.core import event
    from numba.extending import overload as numba_overload

    _spent += time.perf_counter() - began  # the import is part of compiling

    for generic in GENERIC:
        numba_overload(generic, inline="never")(_body_of(generic))
    event.register("numba:compiler_lock", _stopwatch())
    return numba


def _body_of(generic: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that numba asks for the body of ``generic`` for given types."""

    def find(data: Any) -> Any:
        given = getattr(data, "instance_class", None)
        body: Any = _overloads.get((generic.__name__, given))
        if body is None and generic is descend and (price.__name__, given) in _overloads:
            body = reassign
        return None if body is None else _bare(body.python)

    # Numba matches the parameters of this function by name with those of the stub.
    if generic is start:
        return lambda data, x: find(data)
    if generic is descend:
        return lambda data, state, x, choices, limit: find(data)
    if generic is propose:
        return lambda data, state, x, rng: find(data)
    if generic is settle:
        return lambda data, state, x, taken: find(data)
    if generic is guide:
        return lambda data, state, x, i, k, scale: find(data)
    return lambda data, state, x, i, k: find(data)


def _bare(function: Any) -> Any:
    """Return a copy without annotations, which numba would compare with those of the stub."""
    return types.FunctionType(function.__code__, function.__globals__, function.__name__)


_spent = 0.0


def compile_seconds() -> float:
    """Return the seconds this process has spent on compiling kernels or reading them from disk."""
    return _spent


def cache_misses() -> int:
    """Return how many kernel signatures this process had to compile anew."""
    made = [k.dispatcher for k in _kernels if "dispatcher" in vars(k)]
    return sum(sum(d.stats.cache_misses.values()) for d in made)


def _stopwatch() -> Any:
    from numba.core.event import Listener

    class Stopwatch(Listener):  # type: ignore[misc]
        depth, since = 0, 0.0

        def on_start(self, event: Any) -> None:
            if self.depth == 0:
                self.since = time.perf_counter()
            self.depth += 1

        def on_end(self, event: Any) -> None:
            global _spent
            self.depth -= 1
            if self.depth == 0:
                _spent += time.perf_counter() - self.since

    return Stopwatch()
