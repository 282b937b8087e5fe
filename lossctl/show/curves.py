"""Curves and contours as tables and JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ..curves.pictures import Line, Picture, Plane, Regions, Surface, Zones
from ..results.document import document
from .sheet import Sheet, text_of

SLOPE, REGION = "slope of ", "region of "


def sheet(picture: Picture | Plane | Regions) -> Sheet:
    """A row a point: the variable, each loss, and the slope of each if there is one; in space the region."""
    if isinstance(picture, Regions):
        return _sheet_of_space(picture)
    columns = _plane_columns(picture) if isinstance(picture, Plane) else _line_columns(picture)
    names, cells = zip(*columns, strict=True)
    return Sheet(names, tuple(text_of(row) for row in zip(*cells, strict=True)), numeric=frozenset(names))


def _line_columns(picture: Picture) -> Iterator[tuple[str, tuple[float, ...]]]:
    yield picture.variable, picture.x
    yield from ((line.label, line.values) for line in picture.lines)
    yield from ((SLOPE + line.label, line.slopes) for line in picture.lines if line.slopes is not None)


def _plane_columns(plane: Plane) -> Iterator[tuple[str, tuple[float, ...]]]:
    yield "s_n", plane.s_n * len(plane.s_p)
    yield "s_p", tuple(s_p for s_p in plane.s_p for _ in plane.s_n)
    yield from ((surface.label, _flat(surface.values)) for surface in plane.surfaces)
    for surface in plane.surfaces:
        for name, slopes in zip(("s_n", "s_p"), surface.slopes or (), strict=False):
            yield f"{SLOPE}{surface.label} by {name}", _flat(slopes)


def _sheet_of_space(space: Regions) -> Sheet:
    numbers = ["x", "y", *(zones.label for zones in space.zones)]
    rows = (
        (*text_of((x, y, *(zones.values[i][j] for zones in space.zones))), *_regions(space, i, j))
        for i, y in enumerate(space.side)
        for j, x in enumerate(space.side)
    )
    names = (*numbers, *(f"{REGION}{zones.label}" for zones in space.zones))
    return Sheet(names, tuple(rows), numeric=frozenset(numbers))


def _regions(space: Regions, i: int, j: int) -> tuple[str, ...]:
    return tuple(zones.region(zones.leads[i][j]) for zones in space.zones)


def _flat(rows: tuple[tuple[float, ...], ...]) -> tuple[float, ...]:
    return tuple(value for row in rows for value in row)


def as_json(picture: Picture | Plane | Regions) -> str:
    """One document; an infinite value is null."""
    if isinstance(picture, Regions):
        body = _space_record(picture)
    else:
        body = _plane_record(picture) if isinstance(picture, Plane) else _picture_record(picture)
    return document("curve", body.pop("results"), indent=None, **body)


def _picture_record(picture: Picture) -> dict[str, Any]:
    return {
        "variable": {"name": picture.variable, "meaning": picture.label, "fixed": dict(picture.fixed)},
        "unit": picture.unit,
        "x": picture.x,
        "results": [_line_record(line) for line in picture.lines],
        "bands": [{"name": band.name, "low": band.low, "high": band.high} for band in picture.bands],
    }


def _line_record(line: Line) -> dict[str, Any]:
    slopes = {} if line.slopes is None else {"slopes": _finite(line.slopes)}
    return {
        "label": line.label,
        "loss": line.loss,
        "case": line.case or None,
        "values": _finite(line.values),
        **slopes,
    }


def _plane_record(plane: Plane) -> dict[str, Any]:
    return {
        "variables": ["s_n", "s_p"],
        "unit": plane.unit,
        "s_n": plane.s_n,
        "s_p": plane.s_p,
        "results": [_surface_record(surface) for surface in plane.surfaces],
    }


def _space_record(space: Regions) -> dict[str, Any]:
    return {
        "variables": ["x", "y"],
        "unit": space.unit,
        "x": space.side,
        "y": space.side,
        "anchor": space.anchor,
        "positive": space.positive,
        "d_ap": space.d_ap,
        "results": [_zones_record(zones) for zones in space.zones],
    }


def _zones_record(zones: Zones) -> dict[str, Any]:
    return {
        "label": zones.label,
        "loss": zones.loss,
        "margin": zones.margin,
        "values": [_finite(row) for row in zones.values],
        "regions": [[zones.region(lead) for lead in row] for row in zones.leads],
    }


def _surface_record(surface: Surface) -> dict[str, Any]:
    slopes = {
        f"slopes_{name}": [_finite(row) for row in rows]
        for name, rows in zip(("s_n", "s_p"), surface.slopes or (), strict=False)
    }
    return {
        "label": surface.label,
        "loss": surface.loss,
        "boundary": surface.boundary,
        "values": [_finite(row) for row in surface.values],
        **slopes,
    }


def _finite(values: tuple[float, ...]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values]
