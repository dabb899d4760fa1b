"""Attacks of an independent library, foolbox, on a copy of a perceptron in PyTorch."""

import warnings

import numpy as np

# Wide enough that no attack meets a bound: nothing is known of what rows are possible.
BOUNDS = (-1e4, 1e4)


def in_torch(perceptron):
    """The same network as a module of PyTorch, in float64."""
    import torch

    layers = []
    for coef, intercept in zip(perceptron.coefs, perceptron.intercepts, strict=True):
        layer = torch.nn.Linear(*coef.shape, dtype=torch.float64)
        layer.weight.data, layer.bias.data = (
            torch.from_numpy(array) for array in (np.ascontiguousarray(coef.T), intercept)
        )
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1]).eval()


def foolbox_survivors(perceptron, X, y, radii, seed=0):
    """Which rows no attack of the library gets wrong, at each radius.

    Two attacks look for the nearest wrong point (decoupled direction and norm, Rony et al., 2019;
    DeepFool, Moosavi-Dezfooli et al., 2016), and projected gradient descent for one in the ball.

    Returns
    -------
    right : ndarray of bool of shape (len(radii), n)
    """
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from foolbox import PyTorchModel
        from foolbox.attacks import L2PGD, DDNAttack, L2DeepFoolAttack

        torch.manual_seed(seed)
        model = PyTorchModel(in_torch(perceptron), bounds=BOUNDS, device="cpu")
        rows, labels = torch.from_numpy(X), torch.from_numpy(y)
        wrong = np.zeros((len(radii), len(X)), dtype=bool)
        for attack in (DDNAttack(init_epsilon=radii[0]), L2DeepFoolAttack(), L2PGD()):
            for i, found in enumerate(attack(model, rows, labels, epsilons=list(radii))[1]):
                wrong[i] |= is_wrong(perceptron, found.numpy(), X, y, radii[i])
    return ~np.logical_or.accumulate(wrong)


def is_wrong(perceptron, found, X, y, radius):
    """Which points are classified wrong and within the radius, by our own account."""
    is_within = np.linalg.norm(found - X, axis=1) <= radius * (1.0 + 1e-9)
    return is_within & (perceptron.logits(found).argmax(axis=1) != y)
