"""Plans built layer by layer, as learners and the environment do it.

Begin with ``base``, which says what an episode is and what is seen of it. ``pairs`` are episodes
whose costs come from tables, ``prefixes`` those in which layers wait, valued by simulation
(``tracing``); ``waiting`` says which of the two an instance needs. ``observations`` are the
features, ``evenness`` counts the balance Z, ``meter`` measures single steps.
"""
