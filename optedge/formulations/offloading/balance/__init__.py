"""The node balance Z, solved exactly: counted once at the end, or after every decision.

Two stairs. *Final* Z knows only how many layers each server runs: begin with ``counts``; a price on
every layer gives a bound (``count_prices``), plans better than the best known have few count
vectors (``count_vectors``), of which an integer master takes the best (``count_rows``);
``count_search`` finds a plan to start from, ``count_certificates`` proves. *Running* Z depends on
offsets between counts: begin with ``offsets``, whose tables guide ``offset_labels``;
``retracing`` keeps the tables small, ``offset_certificates`` proves. The solvers are
``solvers.count_master`` and ``solvers.offset_dp``.
"""
