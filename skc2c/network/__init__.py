"""Networks as functions of one flat parameter vector, built from layers of any kind."""

from skc2c.network.activations import ACTIVATIONS, Activation
from skc2c.network.autoencoder import Autoencoder
from skc2c.network.members import Members
from skc2c.network.network import Network

__all__ = ["ACTIVATIONS", "Activation", "Autoencoder", "Members", "Network"]
