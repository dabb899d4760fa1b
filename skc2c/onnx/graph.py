"""Nodes of an ONNX graph that grows, in one floating-point type."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Graph:
    """Where the nodes of an operator are added.

    Parameters
    ----------
    scope : skl2onnx.common._topology.Scope
        Gives names.
    container : skl2onnx.common._container.ModelComponentContainer
        Takes nodes and constants.
    dtype : dtype
        Of all floating-point numbers, float32 or float64.
    """

    scope: object
    container: object
    dtype: np.dtype

    def node(self, kind, *inputs, output=None, **attributes):
        """Add a node.

        Parameters
        ----------
        kind : str
            An operator of ONNX.
        *inputs : str or array-like
            Names of results, or constants.
        output : str, optional
            Name of the result, which must be new.
        **attributes : dict
            Of the node.

        Returns
        -------
        output : str
        """
        output = output or self.scope.get_unique_variable_name(kind.lower())
        name = self.scope.get_unique_operator_name(kind)
        names = [one if isinstance(one, str) else self.constant(one) for one in inputs]
        self.container.add_node(kind, names, [output], name=name, **attributes)
        return output

    def cast(self, x, dtype, output=None):
        """Add a node that changes the type."""
        return self.node("Cast", x, output=output, to=_tensor_type(np.dtype(dtype)))

    def constant(self, values):
        """Add an array of strings, of integers, or of numbers in the type of the graph."""
        values = np.asarray(values)
        if values.dtype.kind == "f":
            with np.errstate(over="ignore"):  # those that are too large become the largest
                values = np.nan_to_num(values.astype(self.dtype))
        name = self.scope.get_unique_variable_name("parameter")
        entries = values.ravel().tolist()
        self.container.add_initializer(name, _tensor_type(values.dtype), values.shape, entries)
        return name

    def columns(self, rows, index):
        """Take columns of rows."""
        return self.node("Gather", rows, np.asarray(index, np.int64), axis=1)


def _tensor_type(dtype):
    """The number by which ONNX knows a type."""
    from onnx.helper import np_dtype_to_tensor_dtype

    return np_dtype_to_tensor_dtype(np.dtype(object) if dtype.kind == "U" else dtype)
