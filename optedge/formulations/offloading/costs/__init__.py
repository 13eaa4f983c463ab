"""What placing layers costs where nothing waits: tables, blocks, the cheapest path of a task.

The lowest room: it reads from no other. Begin with ``weighting``, the weighted objective, and
``pair_costs``, what it makes of each pair of servers (``weight_tables``: as compiled code reads
it). ``blocks`` and ``block_costs`` cut a task at its cut vertices; ``paths`` finds its cheapest
plan and bound; ``decisions`` are chains layer by layer, with the exact values that learners are
after.
"""
