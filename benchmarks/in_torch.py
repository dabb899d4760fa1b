"""The penalties of the package hand-written in eager PyTorch, as a rival in speed.

Written as one would in PyTorch: modules, two forward passes for c2c, Miyato's finite-difference
power iteration for VAT, the exact Jacobian by one backward pass an output, kept for
differentiation, and fused Adam.
"""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

LEARNING_RATE = 0.001
ALPHA = 0.03
EPSILON = 0.3
XI = 1e-2  # Miyato's finite-difference step


def train(X, y, hidden, n_outputs, penalty, batch_size, epochs):
    """Train on X (n, D) and y, (n,) classes or (n, 1) real numbers, for some epochs."""
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    model = _mlp(X.shape[1], hidden, n_outputs).to(X.dtype)
    loss = functional.cross_entropy if n_outputs > 1 else _half_squared_error
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, fused=True)
    for _ in range(epochs):
        for rows in torch.randperm(len(X)).split(batch_size):
            optimizer.zero_grad()
            _objective(model, loss, PENALTIES[penalty], X[rows], y[rows]).backward()
            optimizer.step()


def _mlp(n_inputs, hidden, n_outputs):
    layers = []
    for fan_in, fan_out in pairwise([n_inputs, *hidden]):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear([n_inputs, *hidden][-1], n_outputs))


def _half_squared_error(h, y):
    return 0.5 * functional.mse_loss(h, y)


def _objective(model, loss, penalty, x, y):
    if penalty is _noise:
        return loss(model(x + EPSILON * torch.randn_like(x)), y)
    if penalty is _jacobian:
        x.requires_grad_()
    h = model(x)
    if penalty is None:
        return loss(h, y)
    return loss(h, y) + ALPHA * penalty(model, x, h)


def _noise(model, x, h):
    raise NotImplementedError("Noise is in the labelled loss, not beside it.")


def _c2c(model, x, h):
    near = model(x + EPSILON * torch.randn_like(x))
    return (h - near).square().sum(dim=1).mean()


def _jacobian(model, x, h):
    rows = [torch.autograd.grad(h_k.sum(), x, create_graph=True)[0] for h_k in h.unbind(dim=1)]
    return EPSILON**2 * sum(row.square().sum(dim=1).mean() for row in rows)


def _vat(model, x, h):
    h = h.detach()
    d = functional.normalize(torch.randn_like(x))
    d.requires_grad_()
    (d,) = torch.autograd.grad(_divergence(h, model(x + XI * d)), d)
    return _divergence(h, model(x + EPSILON * functional.normalize(d)))


def _divergence(h, near):
    if h.shape[1] == 1:
        return _half_squared_error(near, h)
    log_p, log_q = functional.log_softmax(h, dim=1), functional.log_softmax(near, dim=1)
    return functional.kl_div(log_q, log_p, reduction="batchmean", log_target=True)


PENALTIES = {None: None, "c2c": _c2c, "vat": _vat, "jacobian": _jacobian, "noise": _noise}
