"""Rows of data: which there are, in what order, and how they are dealt."""
