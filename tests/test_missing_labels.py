"""Which rows of y have no label, however the mark is written."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from skc2c.data.missing_labels import divided, is_missing, labels


def test_is_missing_of_many_kinds():
    assert_array_equal(is_missing([1, -1], None), [False, False])
    assert_array_equal(is_missing([1.0, np.nan], float("nan")), [False, True])
    assert_array_equal(is_missing(np.array(["a", None], object), "a"), [True, False])
    assert_array_equal(is_missing([1, 2], "a"), [False, False])


def test_marks_of_every_kind_are_found():
    nan, expected = float("nan"), [False, False, True]
    for y, mark in [
        (["a", "b", nan], nan),
        (["a", "b", -1], -1),
        (np.array(["a", "b", None], object), nan),
        (np.array([0, 1, -1], object), -1),
        ([True, False, None], nan),
        ([1.5, 2.5, None], nan),
        (pd.Series(["a", "b", None], dtype="string"), pd.NA),
        (pd.Series(["a", "b", None], dtype="string"), nan),
        (pd.Series([0, 1, None], dtype="Int64"), pd.NA),
        (pd.Series(["a", "b", "?"], dtype="category"), "?"),
    ]:
        missing = is_missing(y, mark)
        assert_array_equal(missing, expected)
        kept = labels(y, np.flatnonzero(~missing))
        assert kept.dtype.kind in "iufbU", y
        assert len(kept) == 2


@pytest.mark.parametrize(
    ("y", "mark", "message"),
    [
        (np.array(["a", "b"]), -1, "y holds strings"),
        ([0, 1], [0, 1], "missing_label must be one value"),
        (sparse.csr_matrix(np.eye(2)), -1, "sparse y"),
    ],
)
def test_marks_that_cannot_be_are_refused(y, mark, message):
    with pytest.raises(ValueError, match=message):
        is_missing(y, mark)


def test_a_row_is_marked_in_all_of_its_outputs_or_in_none():
    y = np.array([[1.0, 2.0], [np.nan, np.nan]])
    assert_array_equal(is_missing(y, np.nan), [False, True])
    assert_array_equal(labels(y, np.array([0])), [[1.0, 2.0]])
    with pytest.raises(ValueError, match="marks only some of the outputs of a row"):
        is_missing([[1.0, np.nan]], np.nan)


def test_labels_keep_the_dtype_that_they_have_without_the_mark():
    for y, mark, kind in [
        (np.array([1, 2, -1]), -1, "i"),
        (np.array([1.0, np.nan]), np.nan, "f"),
        (["a", float("nan")], float("nan"), "U"),
        ([True, None], float("nan"), "b"),
    ]:
        assert labels(y, divided(y, mark)[0]).dtype.kind == kind
