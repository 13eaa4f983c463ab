"""The papers, one a file: instances, parameters, published numbers, ``reproduce()``."""
