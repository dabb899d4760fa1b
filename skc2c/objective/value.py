"""The value of an objective, which knows what it is the sum of."""


class Value(float):
    """A number with its parts, for the record of a fit.

    Parameters
    ----------
    total : float
    loss : float
        The part of the labelled loss.
    penalty : float
        The part of the penalty, times its strength.
    decay : float
        The part of weight decay.
    """

    __slots__ = ("decay", "loss", "penalty")

    def __new__(cls, total, loss, penalty, decay):
        value = super().__new__(cls, total)
        value.loss, value.penalty, value.decay = loss, penalty, decay
        return value

    def __getnewargs__(self):
        """What another process makes it of."""
        return float(self), *self.parts

    @property
    def parts(self):
        """Loss, penalty and decay."""
        return self.loss, self.penalty, self.decay

    def __add__(self, other):
        parts = (a + b for a, b in zip(self.parts, other.parts, strict=True))
        return Value(float(self) + float(other), *parts)
