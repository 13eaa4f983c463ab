"""What a plan is, which rules it may break, what it is worth, and what one can see of it.

Begin with ``schedule``. ``evaluation`` makes schedules of assignments and times them,
``indicators`` is the weighted objective from its formula, in plain NumPy; ``views`` are splits,
shares and charts.
"""
