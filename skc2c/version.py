"""The version of the package, which saved estimators are stamped with."""

__version__ = "0.1.0"
