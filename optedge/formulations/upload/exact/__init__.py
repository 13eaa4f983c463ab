"""The optimum of the upload plan, and its proof.

``integers`` scales an instance to whole numbers without rounding; ``intervals`` finds the best
order on them in polynomial time, ``estimates`` does so in compiled floats, ``certificates`` proves
it by another argument, ``subsets`` does so by brute force.
"""
