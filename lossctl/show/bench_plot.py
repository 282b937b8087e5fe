"""Time against N as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import IO

from ..bench.cases import PRODUCT
from ..bench.records import Measurement
from . import style
from .bench import si


def draw(measurements: Sequence[Measurement], file: IO[bytes], format: str) -> None:
    """One panel a kernel, one line an implementation and device, both axes logarithmic. DeviceError: no matplotlib."""
    timed = sorted(
        (measurement for measurement in measurements if measurement.timing),
        key=lambda measurement: (measurement.case.kernel, _name(measurement), measurement.case.n),
    )
    kernels = [(kernel, list(group)) for kernel, group in groupby(timed, lambda measurement: measurement.case.kernel)]
    panels = [(kernel, group) for kernel, group in kernels if kernel != PRODUCT] or kernels
    products = [measurement for measurement in timed if measurement.case.kernel == PRODUCT]
    sizes = sorted({measurement.case.n for measurement in timed})
    names = sorted({_name(measurement) for measurement in timed})
    with style.figure(file, format, style.PAGE, 2.6) as figure:
        stack = figure.subplots(1, max(len(panels), 1), sharey=True, squeeze=False)[0]
        for axes, (kernel, group) in zip(stack, panels, strict=False):
            lines = group if kernel == PRODUCT else [*group, *products]
            for name in names:
                points = [
                    (measurement.case.n, measurement.timing.median)
                    for measurement in lines
                    if _name(measurement) == name and measurement.timing
                ]
                if points:
                    axes.loglog(
                        *zip(*points, strict=True),
                        "o",
                        markersize=2.5,
                        label=name,
                        **style.line_style(names.index(name)),
                    )
            axes.set_title(kernel)
            axes.set_xlabel("N")
            axes.set_xticks(sizes, [si(n) for n in sizes])
            axes.minorticks_off()
        stack[0].set_ylabel("seconds")
        handles = {
            label: handle for axes in stack for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles.keys(), loc="outside upper left", ncols=4)


def _name(measurement: Measurement) -> str:
    """What tells a line from the others of its panel."""
    case = measurement.case
    name = PRODUCT if case.kernel == PRODUCT else case.implementation
    return f"{name} {case.device}, D {case.dim}, K {case.k}, {case.dtype}"
