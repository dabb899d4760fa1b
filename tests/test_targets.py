"""What y is: there and back again, in units that training sees."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from oracles import draw_network
from scipy import sparse
from sklearn.metrics import accuracy_score, r2_score

from skc2c.estimators.targets import (
    ClassTargets,
    Known,
    Units,
    announced_targets,
    class_targets,
    codes_of,
    fitted_targets,
    real_targets,
)

# ------------------------------------------------------------------------------- classes

LABELS = {
    "numbers": np.array([3, -7, 40, 3, 40]),
    "two numbers": np.array([1, 0, 0, 1, 1]),
    "words": np.array(["b", "a", "c", "b", "c"]),
    "objects": np.array(["b", "a", "b", "b", "a"], dtype=object),
    "truths": np.array([True, False, False, True, True]),
    "floats": np.array([2.0, 0.0, 1.0, 2.0, 1.0]),
}
INDICATOR = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0]])
each_kind = pytest.mark.parametrize("y", [*LABELS.values(), INDICATOR], ids=[*LABELS, "several"])


@each_kind
def test_encoded_labels_decode_to_what_they_were(y):
    targets, codes = class_targets(y)
    encoded = targets.encode(codes)
    assert encoded.shape == (5, targets.n_targets)
    assert set(np.unique(encoded)) == {0.0, 1.0}
    assert_array_equal(targets.given(encoded), y)
    assert targets.given(encoded).dtype == y.dtype
    # Outputs that are certain of the right answer.
    assert_array_equal(targets.decode(20.0 * (encoded - 0.5)), y)
    assert targets.score(20.0 * (encoded - 0.5), encoded, None) == 1.0


@each_kind
def test_further_labels_are_encoded_alike(y):
    targets, codes = class_targets(y)
    assert_array_equal(codes_of(y[::-1], targets, "needs the classes"), codes[::-1])
    encoded, weight = targets.encode_validation(y[::-1], np.arange(5.0))
    assert_array_equal(encoded, targets.encode(codes[::-1]))
    assert_array_equal(weight, np.arange(5.0))


def test_classes_are_sorted_and_encoded_by_their_place():
    targets, codes = class_targets(LABELS["words"])
    assert_array_equal(targets.classes, ["a", "b", "c"])
    assert_array_equal(targets.encode(codes), np.eye(3)[[1, 0, 2, 1, 2]])
    assert targets.loss == "log_loss"
    assert_array_equal(targets.attributes()["classes_"], ["a", "b", "c"])


def test_two_classes_have_one_output():
    targets, codes = class_targets(LABELS["two numbers"])
    assert targets.n_targets == targets.n_outputs == 1
    assert targets.loss == "binary_log_loss"
    h = np.array([[-2.0], [0.5]])
    assert_array_equal(targets.sides(h), [[2.0, -2.0], [-0.5, 0.5]])
    assert_array_equal(targets.decode(h), [0, 1])
    assert_array_equal(targets.strata(targets.encode(codes)), [1, 0, 0, 1, 1])


def test_several_labels_are_independent():
    targets, codes = class_targets(INDICATOR)
    assert targets.is_multilabel
    assert not targets.is_binary
    assert targets.loss == "binary_log_loss"
    assert targets.strata(targets.encode(codes)) is None
    from_sparse = class_targets(sparse.csr_array(INDICATOR))[1]
    assert_array_equal(from_sparse, INDICATOR)


def test_scores_are_accuracies(rng):
    targets, codes = class_targets(LABELS["words"])
    h, weight = rng.normal(size=(5, 3)), rng.uniform(size=5)
    expected = accuracy_score(
        LABELS["words"], np.array(["a", "b", "c"])[h.argmax(axis=1)], sample_weight=weight
    )
    assert targets.score(h, targets.encode(codes), weight) == expected


def test_classes_may_weigh_differently():
    targets = ClassTargets(np.arange(3), False, factors=np.array([1.0, 5.0, 0.5]))
    codes = np.array([0, 1, 2, 1])
    assert_array_equal(targets.weigh(codes, None), [1.0, 5.0, 0.5, 5.0])
    assert_array_equal(targets.weigh(codes, np.array([2.0, 2, 2, 0])), [2.0, 10.0, 1.0, 0.0])
    assert ClassTargets(np.arange(3), False).weigh(codes, None) is None
    _, weight = targets.encode_validation(codes, None)
    assert_array_equal(weight, [1.0, 5.0, 0.5, 5.0])


def test_labels_of_other_classes_are_refused():
    targets, _ = class_targets(LABELS["words"])
    with pytest.raises(ValueError, match=r"y_val needs the classes of y, \['a' 'b' 'c'\].*'d'"):
        targets.encode_validation(np.array(["a", "d"]), None)
    with pytest.raises(ValueError, match="warm_start=True needs the classes"):
        class_targets(np.array(["a", "d"]), known=targets)
    with pytest.raises(ValueError, match=r"0/1 indicator matrix.*values \[0 2\]"):
        class_targets(np.array([[0, 2], [2, 0]]))


def test_known_classes_stay_as_they_are():
    targets, _ = class_targets(LABELS["words"])
    again, codes = class_targets(np.array(["c", "c", "a"]), known=targets)
    assert again is targets
    assert_array_equal(codes, [2, 2, 0])
    # Labels of another kind ask for another network, which is refused elsewhere.
    assert class_targets(INDICATOR, known=targets)[0].is_multilabel


def test_announced_classes_need_not_be_there():
    targets, codes = announced_targets(np.array([7, 7]), None, [7, 3, 5])
    assert_array_equal(targets.classes, [3, 5, 7])
    assert_array_equal(codes, [2, 2])
    again, _ = announced_targets(np.array([3]), targets, None)
    assert again is targets
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        announced_targets(np.array([7]), None, None)
    with pytest.raises(ValueError, match="not the same as in the first call"):
        announced_targets(np.array([7]), targets, [3, 7])
    with pytest.raises(ValueError, match=r"labels that are in classes.*\[4\]"):
        announced_targets(np.array([4]), targets, None)


def test_a_lost_class_is_named():
    targets = ClassTargets(np.arange(10), False)
    which = np.arange(100) % 10
    h = np.eye(10)[which] * 5
    known = Known(h, np.eye(10)[which])
    assert targets.lost(h, known) is None
    lost = h[~np.isin(which, [3, 7])]
    assert "hardly ever predicts 3, 7" in targets.lost(lost, known)
    assert targets.lost(h[:1].repeat(50, axis=0), known) == "its predictions are all but constant"
    # A frequent class is lost even if it is not predicted where it is known,
    assert "hardly ever predicts 3, 7" in targets.lost(lost, Known(lost, known.y))
    # but a rare one is not: of 3 and of 7 there are 4 rows among 168.
    rare = np.concatenate([lost, np.eye(10)[[3, 7]].repeat(4, axis=0) * 5, lost])
    assert targets.lost(lost, Known(lost, np.sign(rare))) is None


@pytest.mark.parametrize(
    ("n_alone", "n_left", "given_up"),
    [(100, 29, True), (100, 30, False), (3, 0, True), (2, 0, False), (0, 0, False)],
)
def test_a_class_is_given_up_that_others_find(n_alone, n_left, given_up):
    """Three in ten of the rows are enough to keep it, and two in a hundred are too few to tell."""
    n = 1000 if n_alone == 100 else 100
    h, alone = (
        np.eye(3)[np.where(np.arange(n) < m, 2, np.arange(n) % 2)] for m in (n_left, n_alone)
    )
    assert ClassTargets(np.arange(3), False).gives_up(h, alone) == given_up
    one = alone[:, 2:] - 0.5, h[:, 2:] - 0.5
    assert ClassTargets(np.arange(2), False).gives_up(one[1], one[0]) == given_up
    assert not ClassTargets(np.arange(3), True).gives_up(h, alone)


@pytest.mark.parametrize(("n_rare", "is_lost"), [(24, False), (26, True)])
def test_one_of_two_classes_is_frequent_from_a_quarter_on(n_rare, is_lost):
    targets = ClassTargets(np.arange(2), False)
    y = (np.arange(100) < n_rare)[:, None].astype(float)
    h = np.linspace(-9.0, -1.0, 100)[:, None]
    assert (targets.lost(h, Known(h, y)) is not None) == is_lost


def test_rare_labels_are_not_lost():
    targets, _ = class_targets(INDICATOR)
    h = np.tile([-9.0, -9.0, 5.0], (50, 1))
    h[::2, 2] = -5.0
    y = np.zeros_like(h)
    assert targets.lost(h, Known(-h, y)) is None
    assert targets.lost(h[:1].repeat(50, axis=0), Known(h, y)) is not None


def test_out_of_fold_attributes_leave_rows_without_an_output_open():
    targets, codes = class_targets(np.array(["a", "b", "c", "b"]))
    h = 9.0 * np.eye(3)[[0, 1, 1, 1]]
    h[3] = np.nan
    weight = np.array([1.0, 2.0, 3.0, 4.0])
    places = np.array([0, 2, 3, 5])
    found = targets.out_of_fold(h, targets.encode(codes), weight, places, 6)
    assert_allclose(found["oob_score_"], 3.0 / 6.0)
    proba = found["oob_decision_function_"]
    assert proba.shape == (6, 3)
    assert_array_equal(np.isnan(proba).all(axis=1), [False, True, False, False, True, True])
    assert_allclose(proba[[0, 2, 3]].sum(axis=1), 1.0)
    assert_array_equal(proba[[0, 2, 3]].argmax(axis=1), [0, 1, 1])


# --------------------------------------------------------------------------- real targets

LOSSES = ["squared_error", "gaussian_nll", "poisson", "quantile"]
each_loss = pytest.mark.parametrize("loss", LOSSES)


def outputs_of(targets, mean, rng):
    """Outputs of which the mean response is a given one."""
    if targets.loss == "poisson":
        return np.log(mean)
    if targets.loss == "gaussian_nll":
        return np.hstack([mean, rng.normal(size=mean.shape)])
    return mean


@each_loss
@pytest.mark.parametrize("n_targets", [1, 3])
def test_encoded_numbers_decode_to_what_they_were(rng, loss, n_targets):
    y = rng.poisson(3.0, size=(8, n_targets)) + 1
    given = y[:, 0] if n_targets == 1 else y
    targets, encoded = real_targets(given, loss)
    assert encoded.dtype == np.float64
    assert encoded.shape == (8, n_targets)
    assert targets.n_targets == n_targets
    assert_array_equal(targets.given(encoded), given)
    h = outputs_of(targets, encoded, rng)
    assert h.shape[1] == targets.n_outputs
    assert_allclose(targets.decode(h), given)
    assert targets.score(h, encoded, None) == 1.0
    other = outputs_of(targets, encoded + rng.uniform(size=y.shape), rng)
    weight = rng.uniform(size=8)
    expected = r2_score(given, targets.decode(other), sample_weight=weight)
    assert_allclose(targets.score(other, encoded, weight), expected)


@each_loss
def test_targets_of_a_fit_are_known_from_its_attributes(rng, loss):
    y = rng.uniform(1, 9, size=(8, 2))
    targets, encoded = real_targets(y, loss)
    fitted = targets.fitted(targets.units(encoded, np.ones(8)))
    attributes = fitted.attributes()
    known = (attributes[name] for name in ("target_scale_", "_quantile"))
    again = fitted_targets(attributes["_loss"], fitted.n_outputs, *known)
    assert again == fitted


@each_loss
def test_what_is_not_a_number_is_refused(loss):
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="Input y contains NaN or infinity"):
            real_targets(np.array([1.0, bad]), loss)
    with pytest.raises(ValueError, match="NaN or infinity"):
        real_targets(np.array([1.0, None], dtype=object), loss)


def test_counts_are_not_negative():
    for y, message in (([1.0, -2.0], "not negative. Got -2"), ([0.0, 0.0], "zero everywhere")):
        with pytest.raises(ValueError, match=f"loss='poisson' needs.*{message}"):
            real_targets(np.array(y), "poisson")
    targets, _ = real_targets(np.array([1.0, 2.0]), "poisson")
    with pytest.raises(ValueError, match="not negative"):
        targets.encode_validation(np.array([-1.0]), None)


def test_counts_start_at_their_mean():
    targets, y = real_targets(np.array([[1.0, 0.0], [5.0, 0.0]]), "poisson")
    assert_allclose(targets.start(y, np.array([3.0, 1.0])), [np.log(2.0), 0.0])
    assert real_targets(np.ones(3), "squared_error")[0].start(y, None) is None


def test_constant_outputs_are_lost(rng):
    for loss in LOSSES:
        targets, _ = real_targets(np.ones((3, 2)), loss)
        h = rng.normal(size=(50, targets.n_outputs))
        assert targets.lost(h, Known(h, None)) is None
        h[:, 1] = h[0, 1]
        labelled = rng.normal(size=h.shape)
        assert targets.lost(h, Known(labelled, None)) == "its predictions are all but constant"


def test_out_of_fold_predictions_leave_rows_without_an_output_open(rng):
    targets, y = real_targets(np.array([1.0, 2.0, 3.0, 4.0]), "squared_error")
    h = y + np.array([[0.5], [0.0], [0.0], [np.nan]])
    found = targets.out_of_fold(h, y, np.ones(4), np.array([0, 2, 3, 5]), 6)
    assert_array_equal(found["oob_prediction_"], [1.5, np.nan, 2.0, 3.0, np.nan, np.nan])
    assert_allclose(found["oob_score_"], r2_score([1, 2, 3], [1.5, 2, 3]))


@pytest.mark.parametrize(("n", "score"), [(1, np.nan), (2, r2_score([1, 2], [1.5, 2]))])
def test_a_score_out_of_fold_needs_two_rows(n, score):
    targets, y = real_targets(np.array([1.0, 2.0]), "squared_error")
    h = np.where(np.arange(2)[:, None] < n, [[1.5], [2.0]], np.nan)
    assert_allclose(targets.out_of_fold(h, y, None, np.arange(2), 2)["oob_score_"], score)


def test_only_a_likelihood_with_a_variance_has_a_spread(rng):
    targets, _ = real_targets(rng.normal(size=(5, 2)), "gaussian_nll")
    h = rng.normal(size=(5, 4))
    assert_allclose(targets.spread(h), np.exp(h[:, 2:] / 2))
    with pytest.raises(ValueError, match="return_std=True needs loss='gaussian_nll'"):
        real_targets(np.ones(3), "squared_error")[0].spread(h)


# ---------------------------------------------------------------------------------- units


def draw_units(rng, K=3):
    return Units(rng.normal(size=K), np.append(rng.uniform(0.1, 9.0, size=K - 1), 0.0))


@pytest.mark.parametrize("hidden", [(), (5,), (5, 4)], ids=str)
def test_folded_networks_have_outputs_in_the_units_of_y(rng, hidden):
    network, theta, X = draw_network(rng, hidden)
    units = draw_units(rng)
    folded = network.pack(*units.fold(*network.unpack(theta)), np.float64)
    expected = network.forward(theta, X) * units.scale + units.center
    assert_allclose(network.forward(folded, X), expected)


@pytest.mark.parametrize("hidden", [(), (5,), (5, 4)], ids=str)
def test_unfold_undoes_fold(rng, hidden):
    """But for a constant target, whose kernel is lost."""
    network, theta, _ = draw_network(rng, hidden)
    units = draw_units(rng)
    coefs, intercepts = network.unpack(theta)
    back, biases = units.unfold(*units.fold(coefs, intercepts))
    for found, expected in zip(
        [*back[:-1], *biases[:-1]], [*coefs[:-1], *intercepts[:-1]], strict=True
    ):
        assert_array_equal(found, expected)
    assert_allclose(back[-1][:, :-1], coefs[-1][:, :-1])
    assert_allclose(biases[-1][:-1], intercepts[-1][:-1])
    assert_array_equal(back[-1][:, -1], 0.0)
    assert_array_equal(biases[-1][-1], 0.0)


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e-30, 1.0, 1e30, 1e160, 1e300])
def test_standardised_targets_have_mean_zero_and_variance_one_in_any_unit(rng, size):
    y = rng.normal(size=(50, 2)) * [1.0, 3.0] + 2.0
    weight = rng.uniform(0.5, 2.0, size=50)
    targets, encoded = real_targets(size * y, "squared_error")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        units = targets.units(encoded, weight)
    found = units.standardize(encoded)
    assert_allclose(np.average(found, axis=0, weights=weight), 0.0, atol=1e-9)
    assert_allclose(np.average(found**2, axis=0, weights=weight), 1.0)
    assert_allclose(units.scale / size, real_targets(y, "squared_error")[0].units(y, weight).scale)


@each_loss
@pytest.mark.parametrize("constant", [7.0, 1e12, 1e-300])
def test_a_constant_target_is_its_own_mean(loss, constant):
    targets, y = real_targets(np.full(4, constant), loss)
    units = targets.units(y, np.ones(4))
    assert np.isfinite(units.standardize(y)).all()
    assert (units.divisor > 0.0).all()
    if loss != "poisson":
        assert_array_equal(units.standardize(y), 0.0)
        coefs, intercepts = units.fold(
            [np.ones((2, len(units.scale)))], [np.zeros(len(units.scale))]
        )
        assert_array_equal(coefs[0][:, 0], 0.0)
        assert_array_equal(intercepts[0][0], constant)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_units_of_a_quantile_do_not_know_of_outliers(rng, quantile):
    """Standard ones for a normal distribution, whatever becomes of its largest values."""
    y = 5.0 + 3.0 * rng.normal(size=(4001, 2))
    targets, encoded = real_targets(y, "quantile", quantile=quantile)
    units = targets.units(encoded, np.ones(4001))
    assert_allclose(units.center, np.quantile(y, quantile, axis=0, method="inverted_cdf"))
    assert_allclose(units.scale, 3.0, rtol=0.05)
    for far in (1e3, 1e100):
        spoilt = np.where(y > np.quantile(y, 0.95, axis=0), y + far, y)
        again = targets.units(spoilt, np.ones(4001))
        assert_array_equal(again.center, units.center)
        assert_array_equal(again.scale, units.scale)


def test_units_of_a_quantile_where_half_of_the_targets_are_the_same():
    """The interquartile range is zero: the standard deviation is taken."""
    targets, y = real_targets(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 4.0]), "quantile")
    units = targets.units(y, np.ones(6))
    assert_allclose(units.center, 0.0)
    assert_allclose(units.scale, y.std())
    weighted = targets.units(y, np.array([1.0, 0, 0, 0, 0, 4.0]))
    assert_allclose(weighted.center, 4.0)


def test_classes_and_counts_have_no_unit(rng):
    for targets in (
        class_targets(LABELS["words"])[0],
        real_targets(np.array([1.0, 8.0, 3.0]), "poisson")[0],
    ):
        y = rng.uniform(size=(5, targets.n_targets))
        units = targets.units(y, np.ones(5))
        assert_array_equal(units.standardize(y), y)
        assert_array_equal(units.scale, 1.0)


def test_a_predicted_variance_is_in_squared_units(rng):
    """The density of y is that of the standardised y, divided by the scale."""
    targets, y = real_targets(100.0 + 30.0 * rng.normal(size=(20, 2)), "gaussian_nll")
    units = targets.units(y, np.ones(20))
    network, theta, X = draw_network(rng, (5,), n=20, K=4)
    in_training = targets.likelihood.nll(units.standardize(y), network.forward(theta, X))
    folded = network.pack(*units.fold(*network.unpack(theta)), np.float64)
    h, fitted = network.forward(folded, X), targets.fitted(units)
    found = fitted.likelihood.nll(y, h)
    assert_allclose(found, in_training + np.log(units.scale[:2]).sum())
    spread = np.exp(network.forward(theta, X)[:, 2:] / 2) * units.scale[:2]
    assert_allclose(fitted.spread(h), spread)


def test_even_odds_are_decoded_like_scikit_learn_does():
    """The class that comes first, and no label, as a decision function of zero."""
    binary, _ = class_targets(LABELS["two numbers"])
    assert_array_equal(binary.decode(np.zeros((2, 1))), [0, 0])
    several, _ = class_targets(INDICATOR)
    assert_array_equal(several.decode(np.zeros((2, 3))), np.zeros((2, 3)))


def test_another_number_of_columns_is_named():
    targets, _ = real_targets(np.ones((4, 2)) * np.arange(4.0)[:, None], "squared_error")
    with pytest.raises(ValueError, match=r"as many columns as y, 2\. Got 3 instead"):
        targets.encode_validation(np.ones((4, 3)), None)
    with pytest.raises(ValueError, match=r"as many columns as y, 2\. Got 1 instead"):
        targets.encode_validation(np.ones(4), None)


def test_rates_that_are_alike_on_labelled_rows_too_are_not_lost():
    targets, _ = real_targets(np.array([1.0, 2.0]), "poisson")
    assert targets.lost(np.full((9, 1), 0.3), Known(np.full((2, 1), 0.3), None)) is None


def test_units_of_a_log_variance_are_those_of_its_target(rng):
    """``log(scale^2 v) = 2 log(scale) + log(v)``; a constant target keeps its unit."""
    y = np.column_stack([rng.normal(5.0, 0.1, 50), rng.normal(0.0, 3.0, 50), np.full(50, 2.0)])
    targets, encoded = real_targets(y, "gaussian_nll")
    units = targets.units(encoded, np.ones(50))
    deviation = y.std(axis=0)
    log_variance = [*(2 * np.log(deviation[:2])), 0.0]
    assert_allclose(units.center, [*y.mean(axis=0), *log_variance], rtol=1e-12)
    assert_allclose(units.scale, [*deviation, 1.0, 1.0, 1.0], rtol=1e-12)
