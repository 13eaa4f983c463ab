"""The solvers, one algorithm a file; ``registry`` and ``run`` are what all of them share."""
