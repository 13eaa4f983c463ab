"""Rules for the order of upload, published ones and ours.

``merging`` is LMU, ``paths`` IONN, ``efficiency`` recursive efficiency, ``blocks`` Sidney's
decomposition; ``runs`` finds the densest run of layers for three of them.
"""
