"""One loss of one reading, as the tests of the library ask for it."""

import contextlib

import numpy as np

from lossctl.api import compute
from lossctl.api.reading import Reading


@contextlib.contextmanager
def reading_of(spec, inputs=(), named=None, *, reduction=None, weight=None, reading=None, jobs=None):
    """The shared reading of one loss."""
    reading = reading or Reading()
    request = compute.Request(spec, reading.forms, inputs, named or {}, reduction, weight)
    with compute.prepared([request], reading=reading, jobs=jobs) as shared:
        yield shared


def value_of(spec, inputs=(), named=None, **options) -> float:
    """The value of all rows."""
    with reading_of(spec, inputs, named, **options) as shared:
        return compute.results(shared)[0].value


def rows_of(spec, inputs=(), named=None, **options) -> np.ndarray:
    """The loss of each row."""
    reduction = "none" if "none" in spec.loss.reductions else None
    with reading_of(spec, inputs, named, reduction=reduction, **options) as shared:
        return np.concatenate([rows.total for rows in compute.row_losses(shared)] or [np.empty(0)])
