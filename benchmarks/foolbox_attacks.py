"""Attacks of an independent library, foolbox.

On a copy of a perceptron in PyTorch; on any other model through its own logits and gradients.
"""

import warnings

import numpy as np
from attacks import Perceptron

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


def as_module(model):
    """A module of PyTorch that asks the model for its logits and their gradients."""
    import torch

    class Logits(torch.autograd.Function):
        @staticmethod
        def forward(ctx, X):
            ctx.save_for_backward(X)
            return torch.from_numpy(model.logits(X.detach().numpy()))

        @staticmethod
        def backward(ctx, U):
            [X] = ctx.saved_tensors
            return torch.from_numpy(model.pull(X.numpy(), U.numpy()))

    class Module(torch.nn.Module):
        def forward(self, X):
            return Logits.apply(X)

    return Module().eval()


def foolbox_survivors(model, X, y, radii, seed=0):
    """Which rows no attack of the library gets wrong, at each radius.

    The model has logits and pull, as in `attacks.py`. Two attacks look for the nearest wrong point
    (decoupled direction and norm, Rony et al., 2019; DeepFool, Moosavi-Dezfooli et al., 2016), and
    projected gradient descent for one in the ball.

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
        module = in_torch(model) if isinstance(model, Perceptron) else as_module(model)
        attacked = PyTorchModel(module, bounds=BOUNDS, device="cpu")
        rows, labels = torch.from_numpy(X), torch.from_numpy(y)
        wrong = np.zeros((len(radii), len(X)), dtype=bool)
        for attack in (DDNAttack(init_epsilon=radii[0]), L2DeepFoolAttack(), L2PGD()):
            for i, found in enumerate(attack(attacked, rows, labels, epsilons=list(radii))[1]):
                wrong[i] |= is_wrong(model, found.numpy(), X, y, radii[i])
    return ~np.logical_or.accumulate(wrong)


def is_wrong(model, found, X, y, radius):
    """Which points are classified wrong and within the radius, by our own account."""
    is_within = np.linalg.norm(found - X, axis=1) <= radius * (1.0 + 1e-9)
    return is_within & (model.logits(found).argmax(axis=1) != y)
