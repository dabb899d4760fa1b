"""Mutants that no test can see, and why: what `mutants.py` counts as argued."""

ARGUED = {}
