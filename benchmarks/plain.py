"""Settings of one network on the rows as they are, with which older figures were measured."""

PLAIN = {"cv": None, "input_scaling": None, "numeric_embedding": None}
