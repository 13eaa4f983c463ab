"""What solvers that are made for no class of problems find in a problem.

A solver names the words that it needs; a problem offers a word by having its methods. One word
more is ``model``: ``kinds`` is not empty. A new hook is a row of the table.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

#: Word to the sets of methods that offer it; one complete set is enough.
OFFERS: Mapping[str, tuple[frozenset[str], ...]] = {
    # All that a metaheuristic needs: codes, one option a decision.
    "code": (frozenset({"choices"}),),
    # All solutions can be listed: by their codes, or by the problem itself.
    "enumerable": (frozenset({"choices"}), frozenset({"solutions", "values", "count_solutions"})),
    # What each option of a decision adds to the cost, given those decided before.
    "partial": (frozenset({"choices", "partial"}),),
    # A Lagrangian dual: the least cost at given prices.
    "prices": (frozenset({"priced"}), frozenset({"price_classes"})),
    # All may be put on one tier.
    "tiers": (frozenset({"everything_on"}),),
    # Which decisions a coarser search takes for one.
    "merges": (frozenset({"choices", "merged_decisions"}),),
}


@functools.cache
def offered_by(cls: type) -> frozenset[str]:
    """Return the words that a problem class offers by its methods, or by fields of that name."""
    given = {*dir(cls), *getattr(cls, "__dataclass_fields__", ())}
    return frozenset(
        word
        for word, alternatives in OFFERS.items()
        if any(methods <= given for methods in alternatives)
    )
