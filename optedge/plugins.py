"""Solvers and problems of other installed packages, found by the entry point ``optedge.plugins``.

A package names a module in its ``pyproject.toml``:

.. code-block:: toml

    [project.entry-points."optedge.plugins"]
    mine = "my_package.my_module"

Importing that module registers what it holds: its solvers by ``@oe.register``, its problem classes
by inheriting from ``oe.Problem``. Plugins are imported when solvers or classes are first looked up.
"""

from __future__ import annotations

import functools
import warnings
from importlib.metadata import entry_points

GROUP = "optedge.plugins"


@functools.cache
def load_plugins() -> dict[str, str]:
    """Import every plugin, once a process.

    Returns
    -------
    dict
        Name of the entry point to what went wrong, empty where nothing did. One that fails is
        told by a ``RuntimeWarning`` that names it; the others and the package itself still work,
        and so does what it had registered before it failed.
    """
    outcomes = {}
    for point in sorted(entry_points(group=GROUP)):
        try:
            point.load()
            outcomes[point.name] = ""
        except (Exception, SystemExit) as error:  # a module may even leave the process
            outcomes[point.name] = f"{type(error).__name__}: {error}"
            package = point.dist.name if point.dist is not None else point.value
            warnings.warn(
                f"the optedge plugin {point.name!r} of the package {package} failed: "
                f"{outcomes[point.name]}",
                RuntimeWarning,
                stacklevel=2,
            )
    return outcomes
