"""The version, kept in the package: looking it up in the metadata costs 33 ms."""

__version__ = "0.2.0"
