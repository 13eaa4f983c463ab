"""A deep neural network as a graph of layers with their work, weights and output sizes."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from optedge.networks import dag

FloatArray = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class LayerGraph:
    """The layers of a network, numbered in topological order; layer 0 is the only source.

    In the networks that ship with the package layer 0 is the input tensor (type ``"input"``, no
    work). Edges carry the output of a layer to the layers that read it.

    Parameters
    ----------
    successors
        For each layer the numbers of the layers that read its output.
    flops
        Work of each layer in FLOP (a multiply-add counts 2), shape ``(n_layers,)``.
    parameters
        Weights of each layer, shape ``(n_layers,)``, a number.
    output_bytes
        Size of the output of each layer in byte, shape ``(n_layers,)``.
    seconds
        Measured time of each layer in seconds, shape ``(n_layers,)``; None if not measured.
    clock_ghz
        Clock of the machine that ``seconds`` were measured on; None if unknown.
    names, types
        Name and kind (``"conv"``, ``"fc"``, ...) of each layer; numbered and empty by default.
    name
        Of the network.

    Raises
    ------
    ValueError
        If a shape is wrong, a size is negative or not finite, a successor does not exist, if there
        is a cycle, or more than one source. The sentence names the layer.
    """

    successors: dag.Successors
    flops: FloatArray
    parameters: FloatArray
    output_bytes: FloatArray
    seconds: FloatArray | None = None
    clock_ghz: float | None = None
    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        rows = [list(row) for row in self.successors]
        n = len(rows)
        for field, missing in (("names", [f"layer {v}" for v in range(n)]), ("types", [""] * n)):
            given = tuple(str(text) for text in getattr(self, field)) or tuple(missing)
            if len(given) != n:
                raise ValueError(f"{field} must hold {n} strings, got {len(given)}.")
            object.__setattr__(self, field, given)
        object.__setattr__(self, "successors", dag.checked_successors(rows, self.names))
        for field in ("flops", "parameters", "output_bytes", "seconds"):
            if field != "seconds" or self.seconds is not None:
                object.__setattr__(self, field, self._sizes(field))
        if self.clock_ghz is not None and not 0 < self.clock_ghz < np.inf:
            raise ValueError(f"clock_ghz must be positive, got {self.clock_ghz!r}.")

    def _sizes(self, field: str) -> FloatArray:
        try:
            values = np.array(getattr(self, field), dtype=np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"{field} must be an array of numbers.") from None
        if values.shape != (self.n_layers,):
            raise ValueError(f"{field} must have shape ({self.n_layers},), got {values.shape}.")
        wrong = np.flatnonzero(~np.isfinite(values) | (values < 0))
        if wrong.size:
            v = int(wrong[0])
            raise ValueError(
                f"{field}[{v}] ({self.names[v]}) must be finite and at least 0, got {values[v]}."
            )
        values.setflags(write=False)
        return values

    def replace(self, **changes: Any) -> Self:
        """Return a newly validated copy with some fields changed."""
        return dataclasses.replace(self, **changes)

    def __repr__(self) -> str:
        return (
            f"LayerGraph({self.name!r}: {self.n_layers} layers, {self.n_edges} edges, "
            f"{self.flops.sum() / 1e9:.4g} GFLOP, {self.parameters.sum():,.0f} parameters)"
        )

    # ---- structure

    @property
    def n_layers(self) -> int:
        """Number of layers, the input included."""
        return len(self.successors)

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return sum(len(row) for row in self.successors)

    @functools.cached_property
    def predecessors(self) -> dag.Successors:
        """For each layer those that it reads."""
        return dag.predecessors(self.successors)

    @functools.cached_property
    def cut_vertices(self) -> tuple[int, ...]:
        """The layers on every path from the input to the end: clean places to cut."""
        return dag.cut_vertices(self.successors)

    @property
    def is_chain(self) -> bool:
        """Whether every layer feeds the next one only."""
        return dag.is_chain(self.successors)

    @property
    def work_gcycles(self) -> FloatArray:
        """Measured seconds times the clock of that machine: work in 1e9 cycles, ``(n_layers,)``.

        Raises
        ------
        ValueError
            If the layers were not measured, or the clock is unknown.
        """
        if self.seconds is None or self.clock_ghz is None:
            raise ValueError(f"network {self.name!r} has no measured seconds with a clock.")
        return np.asarray(self.seconds * self.clock_ghz)

    # ---- coarser views

    def merged(self, groups: Iterable[Sequence[int]]) -> Self:
        """Return the graph in which each group of layers is one layer.

        Parameters
        ----------
        groups
            Every layer in exactly one group. The merged layer has the summed work, weights and
            seconds of its group, and name, type and output of its last layer, which must be the
            only one that is read outside of the group.

        Raises
        ------
        ValueError
            If a layer is in no group or in two, if an inner layer is read from outside, or if the
            groups feed each other in a circle.
        """
        parts = [sorted(operator.index(v) for v in group) for group in groups]
        if not all(parts):
            raise ValueError("groups: a group holds at least one layer.")
        parts.sort(key=lambda part: part[-1])
        if sorted(v for part in parts for v in part) != list(range(self.n_layers)):
            raise ValueError("groups must hold every layer exactly once.")
        home = {v: k for k, part in enumerate(parts) for v in part}
        for k, part in enumerate(parts):
            for v in part[:-1]:
                out = [w for w in self.successors[v] if home[w] != k]
                if out:
                    raise ValueError(
                        f"groups: layer {v} ({self.names[v]}) is read by layer {out[0]} outside "
                        "of its group, of which it is not the last."
                    )
        last = [part[-1] for part in parts]

        def total(values: FloatArray | None) -> Any:
            return None if values is None else [float(values[part].sum()) for part in parts]

        return self.replace(
            successors=[sorted({home[w] for w in self.successors[v]} - {home[v]}) for v in last],
            flops=total(self.flops),
            parameters=total(self.parameters),
            seconds=total(self.seconds),
            output_bytes=self.output_bytes[last],
            names=tuple(self.names[v] for v in last),
            types=tuple(self.types[v] for v in last),
        )

    def contracted(self) -> Self:
        """Return the chain of modules: what lies between two cut vertices joins the second.

        A module has the summed work of its branches and the output of the layer that joins them.
        What comes after the last cut vertex, if the network has several ends, is the last module
        (its output is that of its last layer).
        """
        ends = list(self.cut_vertices)
        if ends[-1] != self.n_layers - 1:
            ends.append(self.n_layers - 1)
        starts = [0, *(v + 1 for v in ends[:-1])]
        return self.merged(range(a, b + 1) for a, b in zip(starts, ends, strict=True))

    def weighted_chain(self, side: Literal["drop", "add"] = "drop") -> Self:
        """Return the input and the layers with weights on the path that has most of them.

        The layers of a residual network that are counted in its name; the positions of the split
        problem (Xu et al. 2020, section 3.1). Layers without weights are left out, and so is what
        they would send and compute.

        Parameters
        ----------
        side
            What becomes of weighted layers beside that path (projections): ``"drop"`` leaves them
            out as the paper does, ``"add"`` adds work, weights and output to the first chain layer
            after the fork.
        """
        if side not in ("drop", "add"):
            raise ValueError(f"side must be 'drop' or 'add', got {side!r}.")
        weighted = self.parameters > 0
        # Most weighted layers on a path to each layer, and the layer that the path comes from.
        most = np.zeros(self.n_layers, dtype=np.int64)
        origin = [-1] * self.n_layers
        for v in range(1, self.n_layers):
            origin[v] = max(self.predecessors[v], key=lambda u: (most[u], -u))
            most[v] = most[origin[v]] + int(weighted[v])
        path = [int(np.flatnonzero(most == most.max())[0])]
        while origin[path[-1]] >= 0:
            path.append(origin[path[-1]])
        path.reverse()
        if not weighted.any():
            raise ValueError(f"network {self.name!r} has no layer with parameters.")
        chain = [0, *(v for v in path if v > 0 and weighted[v])]
        sums = {f: getattr(self, f)[chain].copy() for f in ("flops", "parameters", "output_bytes")}
        seconds = None if self.seconds is None else self.seconds[chain].copy()
        if side == "add":
            on_path = set(path)
            for v in np.flatnonzero(weighted).tolist():
                if v in on_path or v == 0:
                    continue
                fork = v
                while fork not in on_path:
                    fork = self.predecessors[fork][0]
                k = next((i for i, u in enumerate(chain) if u > fork), len(chain) - 1)
                for field, values in sums.items():
                    values[k] += getattr(self, field)[v]
                if seconds is not None and self.seconds is not None:
                    seconds[k] += self.seconds[v]
        return self.replace(
            successors=[[k + 1] for k in range(len(chain) - 1)] + [[]],
            seconds=seconds,
            names=tuple(self.names[v] for v in chain),
            types=tuple(self.types[v] for v in chain),
            **sums,
        )

    # ---- files

    def to_csv(self, path: str) -> None:
        """Write the layers to a CSV file (see :func:`optedge.networks.read_csv`)."""
        from optedge.networks.tables import write_csv

        write_csv(self, path)

    def to_json(self, path: str) -> None:
        """Write the layers to a JSON file (see :func:`optedge.networks.read_json`)."""
        from optedge.networks.tables import write_json

        write_json(self, path)
