"""The scripts that make sets for `benchmarks/untuned.py`: of ARFF files, and with noisy targets."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tiny_sets import write_sets

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"

HEADER = """@relation tiny
@attribute number numeric
@attribute gaps numeric
@attribute kind {red, green, blue}
@attribute yes {0, 1}
@attribute same numeric
@attribute class {a, b, rare}
@data
"""


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)


def read(path):
    with np.load(path, allow_pickle=False) as archive:
        return archive["X"], archive["y"], json.loads(str(archive["meta"]))["task"]


def lines(n):
    for i in range(n):
        gap = "?" if i % 10 == 0 else str(i)
        kind = "?" if i == 5 else ("red", "green", "blue")[i % 3]
        yield f"{i / 2},{gap},{kind},{i % 2},1,{'?' if i == 7 else 'ab'[i // 60]}"


def test_arff_files_become_numbers(tmp_path, capsys):
    pytest.importorskip("pandas")
    import arff_sets

    rare = "0.5,1,red,0,1,rare\n"
    (tmp_path / "two.classes.arff").write_text(HEADER + "\n".join(lines(120)) + "\n" + rare)
    (tmp_path / "small.arff").write_text(HEADER + "\n".join(lines(40)))
    (tmp_path / "broken.arff").write_text(HEADER + "1,2,violet,0,1,a\n")
    (tmp_path / "sonar.arff").write_text(HEADER + "\n".join(lines(120)))  # had a part in defaults
    arff_sets.main([str(tmp_path), "--out", str(tmp_path / "out")])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["two_classes.npz"]
    said = capsys.readouterr().out
    assert "small.arff: too small" in said
    assert "broken.arff: violet value not in" in said

    X, y, task = read(tmp_path / "out" / "two_classes.npz")
    rows = np.delete(np.arange(120), 7)  # without the row that has no class, and the rare one
    assert task == "binary"
    assert_array_equal(y, rows // 60)
    number, is_missing, known, blue, green, red, yes = X.T
    assert_array_equal(number, rows / 2)
    assert_array_equal(is_missing, rows % 10 == 0)
    has_value = rows % 10 != 0
    assert_array_equal(known, np.where(has_value, rows, np.median(rows[has_value])))
    for i, column in enumerate((red, green, blue)):
        assert_array_equal(column, (rows % 3 == i) & (rows != 5))
    assert_array_equal(yes, rows % 2 == 0)


def test_a_number_at_the_end_is_a_target_of_regression(tmp_path):
    pytest.importorskip("pandas")
    import arff_sets

    header = "@relation r\n@attribute x numeric\n@attribute price numeric\n@data\n"
    (tmp_path / "prices.arff").write_text(header + "\n".join(f"{i},{2 * i}" for i in range(100)))
    arff_sets.main([str(tmp_path), "--out", str(tmp_path / "out")])
    X, y, task = read(tmp_path / "out" / "prices.npz")
    assert task == "regression"
    assert_array_equal(y, 2.0 * X[:, 0])


def test_noisy_targets_keep_a_part_of_the_variance(tmp_path, rng):
    import noisy_targets

    folder = write_sets(tmp_path / "data", rng)
    X, y, _ = read(folder / "regression_set.npz")
    y = (y - y.mean()) / y.std()
    for signal in (0.0, 0.1, 1.0):
        out = tmp_path / str(signal)
        noisy_targets.main(["--data", str(folder), "--signal", str(signal), "--out", str(out)])
        assert [path.name for path in out.iterdir()] == ["regression_set.npz"]
        same, noisy, task = read(out / "regression_set.npz")
        assert task == "regression"
        assert_array_equal(same, X)
        if signal == 1.0:
            assert_allclose(noisy, y)
            continue
        others = (noisy - np.sqrt(signal) * y) / np.sqrt(1.0 - signal)
        assert_allclose(np.sort(others), np.sort(y))
        assert abs(np.corrcoef(others, y)[0, 1]) < 0.4
