r"""Delay, energy, cost, coordination and balance: the weighted objective of the DDPQN paper.

Layer k, read from server a and run on b, has a delay :math:`T = T_1 + T_2` (execution and
transmission, s), an energy E (J) and a cost U ($),

.. math::

   E = e\,T_1 + p\,T_2, \qquad U = T_1 \frac{y_b}{3600} + \frac{g}{1000}\, y_{ab},

with e = 70 W on a client and 10 W elsewhere (the client idles meanwhile), p = 0.2 W if exactly one
end is a client, else 0, prices :math:`y_b` in $/h and :math:`y_{ab}` in $/GB, data g in MB. With
each indicator standardised (a hat), a plan costs

.. math::

   Q = \sum_k \big( \phi (\theta \hat T_k + \vartheta \hat E_k + \eta \hat U_k)
       - \varphi H_k \big) + \xi Z,

where waiting is part of :math:`T_k`. H is the coordination degree :math:`\sqrt{C Y}` of the three
indicators, with their mean :math:`Y = .33 \hat T + .33 \hat E + .34 \hat U` and :math:`C = 3
\sqrt[r]{\hat T \hat E \hat U / (\hat T + \hat E + \hat U)^3}`. Z tells how unevenly layers are
spread: the sum of :math:`|B_s - B_{s'}|` over pairs of edges and pairs of clouds, with B the layers
on each.

Without waiting all but Z is a cost of pairs (layer, a, b), and what waiting adds is
:math:`\phi\theta / (T_{hi} - T_{lo})` a second. So the objective is a weight times the flow time,
plus costs of pairs, plus Z; ``pair_costs`` holds them in tables.

Source: the DDPQN paper, section 3 and the unnumbered Q; the standardisation, which it does not
give, is ours. Graph tasks, which it does not value: the delay is that of the flow time; a layer
that reads several others pays for each transmission, and its coordination is that of its execution.
The way back of results counts as delay only.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import numpy as np

from optedge.formulations.base import FloatArray

NOTHING = 1e-12  # below it a standardised indicator is 0 in H


@dataclasses.dataclass(frozen=True)
class Weighting:
    """Weights and options of the objective that adds delay, energy, cost, coordination, balance.

    Parameters
    ----------
    theta, vartheta, eta
        Weights of delay, energy and cost, at least 0.
    phi, varphi, xi
        Weights of their sum, of the coordination degree H (rewarded) and of the node balance Z.
    standardisation
        ``"min-max"`` (default): (X - lo) / (hi - lo) with the least and largest X over all allowed
        pairs of the instance, without waiting. ``"max"``: X / hi. ``"std"``: X over its standard
        deviation over these pairs. Constants of the instance, all three. What does not vary (with
        ``"max"``: what is 0) is 0 then.
    standards
        Shift and scale of delay, energy and cost in their place, six numbers in this order: those
        of another instance (its ``standards``), so that the values of both can be compared. None
        (default) for the instance's own.
    coupling_root
        r in the coupling degree: 2 as printed (H is at most 0.76 then), 3 as usual.
    h_indicators
        ``"cost"``: H of the indicators as printed, which rewards waste; ``"benefit"``: of 1 minus
        each of them, not below 0.
    h_weights
        Weights of the mean Y.
    h_wait
        Whether waiting counts in H too. Then it is no cost of pairs, and nothing bounds it.
    z_mode
        ``"running"``: Z after each decision, task by task and layer by layer, summed; ``"final"``:
        Z of all layers.
    z_normalised
        Whether Z is divided by N (m - 1), N the layers of all tasks and m the larger number of
        edges or clouds.
    client_watt, idle_watt, radio_watt
        Power of a client that executes, of one that waits for another server, and of its radio.

    Raises
    ------
    ValueError
        If a number is negative or not finite, or an option unknown.
    """

    theta: float = 0.5
    vartheta: float = 0.3
    eta: float = 0.2
    phi: float = 0.6
    varphi: float = 0.2
    xi: float = 0.2
    standardisation: Literal["min-max", "max", "std"] = "min-max"
    standards: tuple[float, ...] | None = None
    coupling_root: Literal[2, 3] = 2
    h_indicators: Literal["cost", "benefit"] = "cost"
    h_weights: tuple[float, ...] = (0.33, 0.33, 0.34)
    h_wait: bool = False
    z_mode: Literal["running", "final"] = "running"
    z_normalised: bool = True
    client_watt: float = 70.0
    idle_watt: float = 10.0
    radio_watt: float = 0.2

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "h_weights", tuple(self.h_weights))
        except TypeError:
            raise ValueError(f"h_weights must hold 3 numbers, got {self.h_weights!r}.") from None
        if len(self.h_weights) != 3:
            raise ValueError(f"h_weights must hold 3 numbers, got {len(self.h_weights)}.")
        self._check_standards()
        numbers = {f: getattr(self, f) for f in _NUMBERS}
        numbers |= {f"h_weights[{k}]": value for k, value in enumerate(self.h_weights)}
        for name, value in numbers.items():
            real = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if not real or not 0 <= value < math.inf:
                raise ValueError(f"{name} must be a number of at least 0, got {value!r}.")
        for field, choices in _CHOICES.items():
            if getattr(self, field) not in choices:
                raise ValueError(f"{field} must be one of {choices}, got {getattr(self, field)!r}.")
        for field in ("h_wait", "z_normalised"):
            if not isinstance(getattr(self, field), bool):
                raise ValueError(f"{field} must be True or False, got {getattr(self, field)!r}.")
        # Equal weights have equal keys and files, whatever type of number they came as.
        for name in _NUMBERS:
            object.__setattr__(self, name, float(getattr(self, name)))
        object.__setattr__(self, "h_weights", tuple(float(x) for x in self.h_weights))
        object.__setattr__(self, "coupling_root", int(self.coupling_root))

    def _check_standards(self) -> None:
        if self.standards is None:
            return
        try:
            numbers = tuple(float(x + 0.0) for x in self.standards)  # digits are no numbers
        except (TypeError, ValueError):
            raise ValueError(f"standards must hold 6 numbers, got {self.standards!r}.") from None
        if len(numbers) != 6:
            raise ValueError(f"standards must hold 6 numbers, got {len(numbers)}.")
        for k, value in enumerate(numbers):
            if not 0 <= value < math.inf:
                raise ValueError(f"standards[{k}] must be at least 0 and finite, got {value!r}.")
        object.__setattr__(self, "standards", numbers)

    def coordination(self, delay: FloatArray, energy: FloatArray, cost: FloatArray) -> FloatArray:
        """Return H of standardised indicators; 0 where all of them are 0.

        One that is 0 but for rounding is 0: H has an infinite slope there.
        """
        if self.h_indicators == "benefit":
            delay, energy, cost = 1.0 - delay, 1.0 - energy, 1.0 - cost
        delay, energy, cost = (np.where(x < NOTHING, 0.0, x) for x in (delay, energy, cost))
        total = delay + energy + cost
        safe = np.where(total > 0, total, 1.0)
        product = (delay / safe) * (energy / safe) * (cost / safe)
        coupling = 3 * (np.sqrt(product) if self.coupling_root == 2 else np.cbrt(product))
        a, b, c = self.h_weights
        return np.asarray(np.sqrt(coupling * (a * delay + b * energy + c * cost)))


_NUMBERS = (
    *("theta", "vartheta", "eta", "phi", "varphi", "xi"),
    *("client_watt", "idle_watt", "radio_watt"),
)
_CHOICES: dict[str, tuple[object, ...]] = {
    "standardisation": ("min-max", "max", "std"),
    "coupling_root": (2, 3),
    "h_indicators": ("cost", "benefit"),
    "z_mode": ("running", "final"),
}
