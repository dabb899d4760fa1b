"""Make the converters known to skl2onnx, which is imported here when it is asked for."""

from skc2c.estimators import C2CClassifier, C2CRegressor
from skc2c.onnx.converters import (
    REGRESSOR,
    convert_classifier,
    convert_regressor,
    parse_regressor,
    set_classifier_types,
    set_regressor_types,
)


def register_converters():
    """Make `C2CClassifier` and `C2CRegressor` known to skl2onnx.

    Afterwards ``skl2onnx.to_onnx`` converts them, and pipelines and other meta-estimators of
    scikit-learn that contain them. Everything that an estimator may have is converted: input
    scaling, numeric embedding, several networks, all activations and losses. The graph computes
    in the type of its input, double precision for a float64 one and single precision otherwise.
    Calling the function again changes nothing.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    See Also
    --------
    skc2c.C2CClassifier.to_sklearn : Export to scikit-learn, which needs no further package.

    Notes
    -----
    Options of the converter, as for the estimators of scikit-learn: ``zipmap``,
    ``nocl``, ``output_class_labels`` and ``raw_scores`` for the classifier (with ``raw_scores`` the
    second output holds the logits: for two classes those of both), ``return_std`` for a regressor
    with ``loss='gaussian_nll'``, which adds an output with the standard deviations. A regressor
    returns an array of shape (n_samples, n_targets), for a single target too.

    Examples
    --------
    >>> from skc2c.onnx import register_converters
    >>> from skl2onnx import to_onnx  # doctest: +SKIP
    >>> register_converters()  # doctest: +SKIP
    >>> model = to_onnx(clf, X[:1], options={"zipmap": False})  # doctest: +SKIP
    """
    try:
        from skl2onnx import update_registered_converter as register
    except ModuleNotFoundError as error:
        raise ImportError(
            "Export to ONNX needs skl2onnx: pip install 'skc2c[onnx]'.", name=error.name
        ) from error
    register(
        C2CClassifier,
        "Skc2cC2CClassifier",
        set_classifier_types,
        convert_classifier,
        options={
            "zipmap": [True, False, "columns"],
            "nocl": [True, False],
            "output_class_labels": [False, True],
            "raw_scores": [True, False],
        },
    )
    register(
        C2CRegressor,
        REGRESSOR,
        set_regressor_types,
        convert_regressor,
        parser=parse_regressor,
        options={"return_std": [True, False]},
    )
