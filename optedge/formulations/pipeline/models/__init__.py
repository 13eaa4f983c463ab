"""The explicit models in Pyomo.

Begin with ``explicit``, which states them all, builds them and reads them back. ``ordering`` (the
kind ``disjunctive``) and ``positions`` (``position``) hold the rows of each.
"""
