"""The tables of the study of `benchmarks/study.py`, by hand from made-up records."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import wilcoxon
from tiny_sets import cells

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def study(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import study

    return study


@pytest.fixture
def tables(study):
    import study_tables

    return study_tables


SCORES = {"a": 0.6, "b": 0.8, "c": -3.0}
LOSSES = {
    # three sets, two rounds each
    "single none": {"a": (1.0, 3.0), "b": (2.0, 2.0), "c": (4.0, 4.0)},
    "tuned c2c": {"a": (1.0, 1.0), "b": (1.0, 1.0), "c": (4.0, 4.0)},
    "tuned l2": {"a": (4.0, 4.0), "b": (1.0, 3.0), "c": (8.0, 8.0)},
}


def made_up():
    """Records of the losses above; `c` is a regression set."""
    return [
        {"seed": 0, "fold": fold, "set": name, "contestant": contestant, "loss": loss}
        | {"score": SCORES[name], "fit_cpu": 1.0, "n": 10, "d": 2, "chosen": {}}
        | ({} if name == "c" else {"ece": 0.1})
        for contestant, sets in LOSSES.items()
        for name, folds in sets.items()
        for fold, loss in enumerate(folds)
    ]


@pytest.fixture
def scores(study, tables):
    return tables.scores_of(made_up(), options_of(study))[0]


def options_of(study):
    return study.parsed(["--folds", "2", "--contestants", ",".join(LOSSES)])


def test_ranks_are_means_over_sets_with_ties_shared(scores, tables):
    """Mean losses: a 2, 1, 4; b 2, 1, 2; c 4, 4, 8."""
    assert tables.mean_ranks(scores) == pytest.approx(
        {"single none": (2 + 2.5 + 1.5) / 3, "tuned c2c": 3.5 / 3, "tuned l2": 8.5 / 3}
    )


def test_a_comparison_counts_ties_for_nobody(scores, tables):
    found = tables.pairs(scores)["Does a penalty help, tuned?"]
    by_name = {pair.own: pair for pair in found}
    assert by_name["tuned c2c"].ratios == pytest.approx({"a": -np.log(2), "b": -np.log(2), "c": 0})
    assert by_name["tuned c2c"].decided() == (2, 0)
    assert by_name["tuned c2c"].sign_test() == pytest.approx(0.5)  # two heads or two tails
    assert by_name["tuned l2"].decided() == (0, 2)
    text = tables.line(by_name["tuned c2c"])
    expected = ["tuned c2c / single none", f"{-2 * np.log(2) / 3:+.3f}", "0.2310", "-0.693"]
    assert text[:4] == expected
    assert tables.Pair("x", "y", {"a": 0.0}).sign_test() == 1.0


def test_qualities_of_classes_and_of_regression(scores, tables):
    """Sets a and b have classes; c, the only other one, is below zero."""
    assert tables.qualities(scores, "tuned c2c") == ("0.700", "-3.000", "0.100")


def test_the_sign_test_of_six_wins(tables):
    """As Wilcoxon's test, which agrees where all signs are the same."""
    ratios = {name: -1.0 - i for i, name in enumerate("abcdef")}
    p = tables.Pair("x", "y", ratios).sign_test()
    assert p == pytest.approx(2 / 2**6)
    assert p == pytest.approx(wilcoxon(list(ratios.values())).pvalue)


def test_adjusted_levels(scores, tables):
    """Of 1/2, 1/2 and 1/4, times 3 and by place: the largest is the least."""
    lines = [line.split("|") for line in tables.comparisons(scores).splitlines() if " / " in line]
    assert [[cell.strip() for cell in (line[1], line[7], line[8])] for line in lines] == [
        ["tuned c2c / single none", "0.500", "0.500"],
        ["tuned l2 / single none", "0.500", "0.500"],
        ["tuned c2c / tuned l2", "0.250", "0.500"],
    ]


@pytest.mark.parametrize(("k", "q"), [(2, 1.960), (5, 2.728), (10, 3.164)])
def test_critical_difference(study, k, q):
    """Table 5 of Demsar, JMLR 7 (2006)."""
    import study_picture

    expected = q * np.sqrt(k * (k + 1) / (6 * 14))
    assert study_picture.critical_difference(k, 14) == pytest.approx(expected, rel=1e-3)


def test_only_complete_rounds_count(study, tables):
    """Without one record of the second round the first alone is left; without any, none."""
    options = options_of(study)
    kept, n_rounds = tables.complete_rounds(made_up()[:-1], options)
    assert n_rounds == 1
    assert {r["fold"] for r in kept} == {0}
    kept, n_rounds = tables.complete_rounds(made_up()[1:], options)
    assert n_rounds == 1
    assert [r["loss"] for r in kept if r["contestant"] == "single none"] == [3.0, 2.0, 4.0]
    with pytest.raises(SystemExit, match="No round is complete"):
        tables.scores_of([], options)


def test_choices_of_no_penalty(tables):
    made = [("tuned vat", {}), ("tuned vat", {"alpha": 1.0}), ("tuned noise", {"epsilon": 0.1})]
    made += [("untuned vat", {"alpha": alpha}) for alpha in (0.0, 0.1, 0.0)]
    text = tables.choices([{"contestant": name, "chosen": chosen} for name, chosen in made])
    counts = {name: row["fits that chose no penalty"] for name, row in cells(text).items() if row}
    assert counts["tuned vat"] == "1 of 2"
    assert counts["tuned noise"] == "0 of 1"
    assert counts["untuned vat"] == "2 of 3"


def test_rank_correlation(tables):
    """The same order, and the opposite one."""
    values = {"a": 1.0, "b": 2.0, "c": 4.0, "d": 8.0}
    assert tables.correlation(values, values).startswith("+1.00")
    assert tables.correlation(values, {k: -v for k, v in values.items()}).startswith("-1.00")
    assert tables.correlation(values, dict.fromkeys(values, 0.0)) == ""  # there is none


def test_gains_and_their_means_by_task(tables, study):
    """Of c2c: a half on a and b, which have classes; nothing on c."""
    named = made_up()
    for record in named:
        record["contestant"] = record["contestant"].replace("tuned l2", tables.DEFAULT)
    options = options_of(study)
    options.contestants = ["single none", "tuned c2c", tables.DEFAULT]
    table = tables.gains_by_set(tables.scores_of(named, options)[0]).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert rows[0] == ["set", "task", "rows", "columns", "tuned c2c"]
    assert rows[2:] == [
        ["a", "classes", "10", "2", "-0.693"],
        ["b", "classes", "10", "2", "-0.693"],
        ["c", "regression", "10", "2", "+0.000"],
        ["mean", "classes", "", "", "-0.693"],
        ["mean", "regression", "", "", "+0.000"],
    ]


def test_the_page_has_the_tables_of_the_records(study, capsys):
    """The command that it names prints what stands in it."""
    records = ["--results", str(BENCHMARKS / "study.jsonl"), "--skip", "mnist_train,tecator"]
    records += ["--seeds", "2"]
    study.main([*records, "--report"])
    page = set((ROOT / "docs" / "study.md").read_text().replace("\n### ", "\n## ").splitlines())
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) > 150
    assert [line for line in printed if line not in page] == []
