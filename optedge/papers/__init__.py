"""The papers, one a file or folder: instances, parameters, published numbers, ``reproduce()``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optedge.papers import cloud_edge, ddpqn, edge_learning, eosdnn, task_migration

__all__ = ["cloud_edge", "ddpqn", "edge_learning", "eosdnn", "task_migration"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
