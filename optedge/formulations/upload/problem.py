r"""The upload plan: in which order to send a network so that queries are fast while it uploads.

Layer j takes :math:`A_j` seconds at the client and :math:`C_j` on its server; in and out go
:math:`B^{in}_j` and :math:`B^{out}_j` seconds from and to the client, or :math:`O_j` from the
server of the layer before. Its upload takes :math:`t_j`. While the set S is used, a query takes

.. math:: f(S) = \sum_j A_j - \mathrm{TDA}(S), \qquad
   \mathrm{TDA}(S) = \sum_{j \in S} a_j + \sum_{j, j+1 \in S} s_j ,

   a_j = A_j - C_j - B^{in}_j - B^{out}_j, \qquad s_j = B^{out}_j + B^{in}_{j+1} - O_{j+1} .

Partitions :math:`p_1, p_2, \dots` are sent one after the other; least is to be the sum of system
delay, :math:`\mathrm{SSD} = \sum_k t(p_k)\, g(S_{k-1})`, with :math:`S_k` what is usable after k
uploads and :math:`g(S) = \min_{S' \subseteq S} f(S')`, or f itself under forced use. Its *variable
part* is what it exceeds :math:`g` of all layers times all upload time by. If no :math:`s_j` is
negative, the benefit is supermodular, and an optimal order is found in polynomial time.

Source: Xue, Wu, Li, Xu, Jiao, "EosDNN: An Efficient Offloading Scheme for DNN Inference
Acceleration in Local-Edge-Cloud Collaborative Environments", definitions 1-8, eqs. (18)-(25).
Departures: the paper forces the use of what was uploaded, here the client does best by default;
(24) holds where the direct link is no slower than the way over the client, which is stronger than
printed; sums of several tasks are taken as they are, input sizes count in ELDA only.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from optedge.formulations.base import (
    BoolArray,
    Bound,
    Certificate,
    FloatArray,
    IntArray,
    Lane,
    array_field,
)
from optedge.formulations.base.rows import lp_bound
from optedge.formulations.upload import bounds, building, coding, models, plans
from optedge.formulations.upload.derived import DerivedData, frozen
from optedge.formulations.upload.exact import certificates
from optedge.formulations.upload.plans import UploadPlan as UploadPlan
from optedge.networks.graph import LayerGraph
from optedge.platforms import Platform

if TYPE_CHECKING:
    from optedge.formulations.offloading import OffloadingProblem, Schedule

Use = Literal["best", "forced"]


@dataclasses.dataclass(frozen=True, eq=False)
class UploadProblem(DerivedData):
    """Layers of one or several chains that one client uploads to given servers.

    A solution is an :class:`UploadPlan`.

    Parameters
    ----------
    client_times, server_times
        Seconds of each layer at the client and on its server, ``(n_layers,)``.
    sends_in, sends_out
        Seconds for the input of each layer from the client to its server, and for its output back.
    hops
        Seconds for the input of each layer from the server of the layer before; 0 if it is the
        same one. The first layer of a chain has none: its entry does not count.
    upload_times
        Seconds to upload each layer; size-0 layers take 0.
    stays
        Which layers have no server and stay at the client; none if left out. Of their times only
        that at the client counts.
    chain
        The task of each layer: 0, ..., 0, 1, ..., 1, 2, ...; all 0 if left out. Between chains
        nothing is saved; the delays of tasks are summed.
    input_sizes
        Input of each task, ``(n_chains,)``, positive, any unit: ELDA is per unit. 1 if left out.
    use
        ``"best"`` (default): a query uses the best part of what is uploaded. ``"forced"``: it uses
        all that is switched on.
    name
        Label used in tables and plots.

    Raises
    ------
    ValueError
        If an array has the wrong shape, holds a NaN, a negative or infinite entry, if chains are
        not numbered in turn, an input size is 0, or ``use`` is another word.

    Warns
    -----
    UserWarning
        If a saving is negative (going through the client beats the direct link): guarantees that
        rest on supermodularity are withdrawn. Bounds still hold.
    """

    client_times: FloatArray = array_field("n_layers")
    server_times: FloatArray = array_field("n_layers")
    sends_in: FloatArray = array_field("n_layers")
    sends_out: FloatArray = array_field("n_layers")
    hops: FloatArray = array_field("n_layers")
    upload_times: FloatArray = array_field("n_layers")
    stays: BoolArray = array_field("n_layers", dtype=np.bool_, default=None)
    chain: IntArray = array_field("n_layers", dtype=np.int64, default=None)
    input_sizes: FloatArray = array_field("n_chains", default=None)
    use: Use = "best"
    name: str = ""

    solution_types: ClassVar[tuple[type, ...]] = (UploadPlan,)
    unit: ClassVar[str] = "s^2"
    objective_name: ClassVar[str] = "sum of system delay"
    objective_is_time: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        n = self.client_times.size
        self._fill_in("stays", np.zeros(n, dtype=bool))
        self._fill_in("chain", np.zeros(n, dtype=np.int64))
        steps = np.diff(self.chain)
        if self.chain[0] != 0 or not np.isin(steps, (0, 1)).all():
            raise ValueError("chain must number the tasks in turn: 0, ..., 0, 1, ..., 1, 2, ...")
        n_chains = int(self.chain[-1]) + 1
        self._fill_in("input_sizes", np.ones(n_chains))
        if self.input_sizes.size != n_chains:
            raise ValueError(
                f"input_sizes must hold a size for each of {n_chains} chains, got "
                f"{self.input_sizes.size}."
            )
        for k in np.flatnonzero(self.input_sizes == 0)[:1]:
            raise ValueError(f"input_sizes[{k}] is 0.")
        if self.use not in ("best", "forced"):
            raise ValueError(f"use must be 'best' or 'forced', got {self.use!r}.")
        self._warn_of_savings()

    def _fill_in(self, field: str, default: npt.NDArray[Any]) -> None:
        if getattr(self, field) is None:
            object.__setattr__(self, field, frozen(default))

    def _warn_of_savings(self) -> None:
        for j in np.flatnonzero(self.savings < 0)[:1]:
            warnings.warn(
                f"the saving of layers {j} and {j + 1} is {self.savings[j]:g} s: hops[{j + 1}] "
                "exceeds the way through the client. Guarantees are withdrawn, bounds hold.",
                stacklevel=4,
            )

    # ---- other ways to build it

    @classmethod
    def from_network(
        cls,
        graph: LayerGraph,
        platform: Platform,
        plan: npt.ArrayLike,
        *,
        client: int | None = None,
        bytes_per_parameter: float = 4.0,
        **fields: Any,
    ) -> Self:
        """Build the upload of one network, or of several tasks of it, by a client.

        Parameters
        ----------
        graph
            Its layer 0 is the input tensor. A network that is no chain is contracted: modules are
            uploaded as one layer.
        platform
            Servers and links; the client's links carry uploads and data of queries alike.
        plan
            The server of each layer, ``(n_layers,)`` without the input; the client means that the
            layer stays. ``(n_tasks, n_layers)`` for several tasks: what tasks have in common is
            uploaded for each of them.
        client
            The server where queries begin and end; the first one of tier 0 by default.
        bytes_per_parameter
            What is uploaded of a layer, byte a weight.
        **fields
            Other fields of the problem. Inputs are measured in MB.

        Raises
        ------
        ValueError
            If layer 0 is no input tensor, the plan does not fit the network or names a server that
            does not exist, or a link is missing.
        """
        made = building.of_network(graph, platform, plan, client, bytes_per_parameter)
        return cls(**{**made, **fields})

    @classmethod
    def from_offloading(
        cls,
        problem: OffloadingProblem,
        schedule: Schedule | npt.ArrayLike,
        client: int,
        upload_mb: npt.ArrayLike,
        **fields: Any,
    ) -> Self:
        """Build the upload of what a migration plan places away from one of its clients.

        Parameters
        ----------
        problem
            With tasks that are chains; those born at ``client`` are chains of the upload. Pools
            do not matter here: a query meets no other.
        schedule
            A solution of it; only its servers count.
        client
            The server where the tasks are born.
        upload_mb
            MB of each layer, ``(n_subtasks,)``, or of the layers of one task if all have as many.
        **fields
            Other fields of the problem.

        Raises
        ------
        ValueError
            If tasks are graphs, the client has none, the sizes do not fit, the schedule is broken,
            or a link is missing; results travel back to the client.
        """
        return cls(**{**building.of_offloading(problem, schedule, client, upload_mb), **fields})

    @classmethod
    def joined(cls, problems: Iterable[UploadProblem], **fields: Any) -> Self:
        """Build the upload of all chains of several problems of one client.

        Parameters
        ----------
        problems
            In the order in which their chains are numbered; of one ``use``.
        **fields
            Other fields of the problem.

        Raises
        ------
        ValueError
            If there are none, or their ``use`` differs.
        """
        return cls(**{**building.of_problems(problems), **fields})

    # ---- evaluation of plans

    def delays(self, x: UploadPlan) -> FloatArray:
        """Return the system delay before each upload of a feasible plan and after the last one."""
        on = plans.switched_on(self, x)
        delay = self.forced_delay if self.use == "forced" else self.best_delay
        return np.array([delay(np.flatnonzero(on < k)) for k in range(len(x.partitions) + 1)])

    def upload_ends(self, x: UploadPlan) -> FloatArray:
        """Return when each partition has been sent, ``(n_partitions,)``, s."""
        return np.cumsum([math.fsum(self.seconds[list(p)]) for p in x.partitions])

    def stairs(self) -> tuple[FloatArray, FloatArray]:
        """Return from when on no plan has a smaller delay than which: seconds both, ``(k,)``.

        The area below, to the end of all uploads, is the bound ``staircase``.
        """
        return bounds.stairs(self)

    def ssd(self, x: UploadPlan, tail: float = 0.0) -> float:
        """Return the sum of system delay of a feasible plan, and of ``tail`` seconds after it.

        Raises
        ------
        ValueError
            If the tail is negative or no number.
        """
        if not 0 <= tail < math.inf:
            raise ValueError(f"tail must be a number of seconds, got {tail!r}.")
        lengths = [math.fsum(self.seconds[list(p)]) for p in x.partitions]
        return math.fsum(self.delays(x) * np.array([*lengths, tail]))

    def objective(self, x: UploadPlan) -> float:
        """Return the sum of system delay, in seconds squared; ``inf`` if infeasible."""
        return math.inf if self.violations(x) else self.ssd(x)

    def violations(self, x: UploadPlan) -> list[str]:
        """Return a sentence for each rule that ``x`` breaks; empty if it is feasible."""
        return plans.violations(self, x)

    def metrics(self, x: UploadPlan) -> dict[str, float]:
        """Return the delay after all uploads and the variable part of the sum."""
        constant = self.total_seconds * self.least_delay
        return {"final_delay": float(self.delays(x)[-1]), "variable_part": self.ssd(x) - constant}

    def lanes(self, x: UploadPlan) -> list[Lane]:
        """Return the uplink, a bar a partition."""
        ends = [0.0, *self.upload_ends(x).tolist()]
        bars = tuple(
            (begin, end - begin, ", ".join(map(str, part)))
            for (begin, end), part in zip(itertools.pairwise(ends), x.partitions, strict=True)
        )
        return [Lane("uplink", bars, link=True)]

    # ---- explicit models and bounds

    @property
    def kinds(self) -> tuple[str, ...]:  # type: ignore[override]  # fewer with a negative saving
        """The explicit models."""
        return models.kinds(self)

    @property
    def bound_names(self) -> tuple[str, ...]:  # type: ignore[override]  # fewer for many layers
        """The bounds that need no search."""
        return bounds.names(self)

    @property
    def cheap_bounds(self) -> tuple[str, ...]:
        """The optimum by intervals, the largest of all, or the staircase of long chains."""
        return bounds.cheap(self)

    def model(self, kind: str | None = None, *, relax: bool = False) -> Any:
        """Return the explicit model (``models``).

        Parameters
        ----------
        kind
            ``"ordering"`` (default): which of two layers goes first, and when each is switched on.
            ``"position"``: which layer is sent at which place; weak, for teaching, and the only one
            with a negative saving.
        relax
            Whether shares replace the binary decisions.
        """
        return models.build(self, self.check_kind(kind), relax)

    def model_size(self, kind: str | None = None) -> tuple[int, int]:
        """Return about how many rows and columns the model has."""
        return models.size(self, self.check_kind(kind))

    def extract(self, model: Any) -> UploadPlan | None:
        """Return the plan that a solved model holds; None if its pairs are fractions."""
        return models.extract(self, model)

    def fill(self, model: Any, x: UploadPlan) -> None:
        """Write a plan into the variables of ``model``."""
        models.fill(self, model, x)

    def bound(self, name: str) -> Bound:
        """Return one of the bounds, computed at the first call.

        Raises
        ------
        ValueError
            If there is none of that name, or if it is left out for so many layers.
        """
        if reason := bounds.why_not(self, name):
            raise ValueError(reason)
        return super().bound(name)

    def compute_bound(self, name: str) -> Bound:
        """Return one of the bounds on the sum of system delay (``bounds``)."""
        return lp_bound(self) if name == "LP" else bounds.compute(self, name)

    def certify(self, certificate: Certificate) -> float:
        """Return the bound that ``certificate`` proves.

        Multipliers of the rows of the model, or last layers of intervals (``certificates``).
        """
        if certificate.kind == certificates.KIND:
            return certificates.certify(self, certificate)
        return super().certify(certificate)

    # ---- codes

    @functools.cached_property
    def choices(self) -> BoolArray:
        """The keys of each layer whose upload takes time, ``(m, m)``: all."""
        return frozen(np.ones((self.layers.size, self.layers.size), dtype=bool))

    @functools.cached_property
    def data(self) -> Any:
        """What moves priced by difference read (``moves``)."""
        return coding.data_of(self)

    def costs(self, codes: npt.ArrayLike) -> FloatArray:
        """Return the objective of each row of ``codes`` (k, m)."""
        return coding.costs(self, codes)

    def plan_of_order(self, order: npt.ArrayLike) -> UploadPlan:
        """Return the plan that sends layers one by one, those of size 0 first and together.

        Parameters
        ----------
        order
            The layers whose upload takes time, in the order of upload, ``(m,)``.
        """
        return coding.plan_of_order(self, order)

    def decode(self, code: npt.ArrayLike) -> UploadPlan:
        """Return the plan of a code (m,): layers by rising key, ties by number."""
        return self.plan_of_order(self.layers[np.argsort(np.asarray(code), kind="stable")])

    def encode(self, x: UploadPlan) -> IntArray:
        """Return the code of the order in which ``x`` sends its layers."""
        return coding.encode(self, x)
