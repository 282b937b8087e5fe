"""Training values of time series, from which the naive error comes that scaled errors are in units of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..errors import DataError, UsageError
from ..files import binding
from ..files.frames import Frame
from ..files.naming import named
from ..files.opening import label_of
from ..files.sources import Field
from ..language.roles import TIME_NAMES, TRUTH_NAMES, Role
from ..rows import shapes
from .bound import Bound, Derived, as_array, categories_of, read_all
from .reading import Given, Reading

SERIES = Role("series", "id", "the series of each row", "row",
              ("unique_id", "series", "series_id", "item_id", "ts_id", "id"), kind="category")  # fmt: skip
VALUES = Role("values", "train", "training values in the order of time", "row", ("value", *TRUTH_NAMES))


ISO = re.compile(r"\d{4}-\d\d")
DAY = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})$")


class History(NamedTuple):
    """Training values: one series, or several by their names.

    values, names: (n,) in the order of time within each series; names None for one series;  doubt: of that order
    """

    values: np.ndarray
    names: np.ndarray | None
    path: str
    doubt: str

    def naive_errors(self, season: int, kind: str) -> dict[str, float]:
        """The mean absolute ("error") or squared ("square") difference of values a season apart, of each series."""
        names = np.zeros(len(self.values), dtype=int) if self.names is None else self.names
        if not len(names):
            return {"": np.nan}
        order = np.argsort(names, kind="stable")
        values, names = self.values[order], names[order]
        cuts = np.flatnonzero(names[1:] != names[:-1]) + 1
        errors = {}
        for part, at in zip(np.split(values, cuts), [0, *cuts], strict=True):
            gaps = abs(part[season:] - part[:-season])
            size = gaps if kind == "error" else gaps * gaps
            errors[str(names[at])] = float(np.mean(size)) if len(size) else np.nan
        return errors


def scaled_bound(
    desk: binding.Desk, roles: tuple[Role, ...], inputs: list[Given], by_role: Mapping[str, Given], reading: Reading
) -> Bound | None:
    """The inputs of a loss in units of a naive error, which is no column but that of a training source; else None.

    UsageError, DataError where it cannot be told.
    """
    scale = next((role for role in roles if role.naive), None)
    if scale is None or reading.train is None:
        return None
    if scale.name in by_role:
        raise UsageError(
            f"--train beside --{scale.option}", why="both say what errors are in units of", fix="leave one of them out"
        )
    history = _history(desk, as_array(reading.train))
    errors = history.naive_errors(reading.season, scale.naive)
    rest = [role for role in roles if role is not scale]
    fields = binding.bind(desk, rest, inputs, by_role)
    first = fields[rest[0].name]
    place = roles.index(scale)
    columns: dict[str, shapes.Column] = {
        role.name: fields.get(role.name) or Derived(first.frame, scale.option, 1, 1) for role in roles
    }
    notes = (f"{scale.option} = of {history.path}, season {reading.season}",)
    marks = (f"season:{reading.season}",)
    doubts = (history.doubt,) if history.doubt else ()
    series = _series_of(first.frame)
    chosen = tuple(fields[role.name] for role in rest)
    if series is None:
        if len(errors) > 1:
            raise DataError(
                f"{history.path} holds {len(errors)} series, and the forecasts do not say which theirs are",
                why="each series has a naive error of its own",
                fix=f"add a column to the forecasts that says it: {' or '.join(SERIES.columns[:2])}",
            )
        error = _usable(errors, next(iter(errors)), history.path, reading.season)

        def alike(arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
            return (*arrays[:place], np.full(len(arrays[0]), error), *arrays[place:])

        return Bound(chosen, tuple(rest), columns, alike, notes, marks, doubts)

    def by_series(arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        own, names = arrays[:-1], arrays[-1].reshape(-1)
        unique, at = np.unique(names.astype(str), return_inverse=True)
        if history.names is None:
            if len(unique) > 1:
                raise DataError(
                    f"{history.path} does not say of which series its values are, and the forecasts have several",
                    why="each series has a naive error of its own",
                    fix=f"add the column {series.name} to the training values",
                )
            unique = np.array(list(errors))
        known = np.array([_usable(errors, name, history.path, reading.season) for name in unique.tolist()])
        return (*own[:place], known[at], *own[place:])

    told = (*notes, f"series = {series.name}")
    return Bound((*chosen, series), (*rest, SERIES), columns, by_series, told, marks, doubts)


def _history(desk: binding.Desk, source: Given) -> History:
    frame, selector = desk.frame(source, "train")
    series = _series_of(frame)
    if series is None:
        doubt = _refuse_disorder(frame, None)
        return History(read_all(desk.field(source, VALUES)).reshape(-1), None, label_of(frame.path), doubt)
    field = frame.select(selector) if selector is not None else named(frame, [VALUES], (series,))[VALUES.name]
    values, names = read_all(field).reshape(-1), categories_of(series).astype(str)
    return History(values, names, label_of(frame.path), _refuse_disorder(frame, names))


def _series_of(frame: Frame) -> Field | None:
    """The column that names the series of each row, if there is one."""
    title = next((name for word in SERIES.columns for name in frame.names if name.lower() == word), None)
    return None if title is None else frame.select("=" + title)


def _refuse_disorder(frame: Frame, names: np.ndarray | None) -> str:
    """What to doubt where a column of times cannot be ordered, else "".

    DataError where one of numbers or dates says that values of a series are not in the order of time.
    """
    title = next((name for word in TIME_NAMES for name in frame.names if name.lower() == word), None)
    if title is None:
        return ""
    times = categories_of(frame.select("=" + title)).astype(str)
    names = np.zeros(len(times), dtype=int) if names is None else names
    orders = _ordered(times)
    order = np.argsort(names, kind="stable")
    same = names[order][1:] == names[order][:-1]
    backward = [(keys[order][1:] < keys[order][:-1]) & same for keys in orders]
    if all(back.any() for back in backward) and backward:
        at = int(np.argmax(backward[0])) + 1
        raise DataError(
            f"{label_of(frame.path)}: {title} {str(times[order][at])!r} of {str(names[order][at])!r} stands behind a "
            "later one",
            why="the naive forecast looks steps back, so training values are read in the order of time",
            fix=f"sort the file by {title}",
        )
    if not orders and same.any():
        return f"{label_of(frame.path)}: {title} {str(times[0])!r} is no date like 2024-01-31: rows are taken in order"
    return ""


def _ordered(times: np.ndarray) -> list[np.ndarray]:
    """Times as what is sorted: numbers, ISO dates, or days and months in either order; [] of others."""
    try:
        return [times.astype(float)]
    except ValueError:
        pass
    if all(ISO.match(time) for time in times.tolist()):
        return [times]
    parts = [DAY.match(time) for time in times.tolist()]
    if not all(parts):
        return []
    low, high, year = (np.array([int(part[at]) for part in parts if part]) for at in (1, 2, 3))
    return [(year * 100 + month) * 100 + day for day, month in ((low, high), (high, low)) if month.max() <= 12]


def _usable(errors: dict[str, float], name: str, path: str, season: int) -> float:
    """The naive error of a series. DataError where there is none."""
    series = "the series" if len(errors) == 1 else f"series {name!r}"
    if name not in errors:
        raise DataError(
            f"{path} has no values of series {name!r}",
            why="its naive error is what its errors are in units of",
            fix="add them, or leave the series out of the forecasts",
        )
    error = errors[name]
    if not error > 0 or not np.isfinite(error):
        what = "hold too few values for the season" if np.isnan(error) else "do not vary"
        raise DataError(
            f"{path}: the training values of {series} {what}",
            why=f"a naive forecast of {season} steps back has no error there, so nothing can be in units of it",
            fix="give another --season, or leave the series out of the forecasts",
        )
    return error
