"""What was measured, and how it compares with an earlier time: frozen, and complete in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import DataError, FileError
from ..results.document import document
from .cases import Case
from .timing import Slowdown, Timing, compare, summarize

OK = "ok"


@dataclass(frozen=True)
class Measurement:
    """One case.

    status: "ok", or why there is no time
    seconds: every sample; is_cold: there is only the first run, for another would have taken too long
    product_seconds: the median of the product on the same device in the same rounds
    peak_bytes: beyond the inputs; error, wrong, checked: as in answers.Correctness. None where it is not known
    """

    case: Case
    status: str = OK
    seconds: tuple[float, ...] = ()
    is_cold: bool = False
    product_seconds: float | None = None
    peak_bytes: int | None = None
    error: float | None = None
    wrong: int | None = None
    checked: int | None = None

    @property
    def timing(self) -> Timing | None:
        return summarize(self.seconds) if self.seconds else None

    @property
    def per_second(self) -> float | None:
        """Triplets or pairs, see Case.work."""
        return self.case.work[0] / self.timing.median if self.timing else None

    @property
    def flops(self) -> float | None:
        """Operations of the full product a second, whatever part of it was spared."""
        return self.case.flop / self.timing.median if self.timing else None

    @property
    def share(self) -> float | None:
        """Of the product's rate."""
        return self.product_seconds / self.timing.median if self.timing and self.product_seconds else None

    def to_dict(self) -> dict[str, Any]:
        """All of it, with what follows from it."""
        timing = self.timing
        count, unit = self.case.work
        return {
            **self.case._asdict(),
            "status": self.status,
            "median": timing and timing.median,
            "spread": timing and timing.spread,
            "minimum": timing and timing.minimum,
            "is_cold": self.is_cold,
            "count": count,
            "unit": unit,
            "per_second": self.per_second,
            "tflops": self.flops and self.flops / 1e12,
            "product_seconds": self.product_seconds,
            "product_share": self.share,
            "peak_bytes": self.peak_bytes,
            "error": self.error,
            "wrong": self.wrong,
            "checked": self.checked,
            "seconds": list(self.seconds),
        }


@dataclass(frozen=True)
class Baseline:
    """An earlier file: samples by case, and where they were taken."""

    samples: Mapping[str, tuple[float, ...]]
    environment: Mapping[str, str]

    def compared(self, measurement: Measurement, threshold: float) -> Slowdown | None:
        """How a measurement compares; None where either side has no time."""
        earlier = self.samples.get(measurement.case.key)
        return compare(measurement.seconds, earlier, threshold=threshold) if earlier and measurement.seconds else None

    def differences(self, environment: Mapping[str, str]) -> list[str]:
        """What of the machine and the libraries is not what it was."""
        return [
            f"{name} was {self.environment[name]}, is {environment[name]}"
            for name in SAME_MACHINE
            if name in environment and name in self.environment and environment[name] != self.environment[name]
        ]


SAME_MACHINE = ("cpu", "cores", "threads", "gpu", "driver", "numpy", "torch", "triton")


def as_json(
    measurements: Iterable[Measurement], environment: Mapping[str, str], compared: Mapping[str, Slowdown]
) -> str:
    """One JSON document in the schema lossctl/1, every sample included."""
    results = []
    for measurement in measurements:
        against = compared.get(measurement.case.key)
        results.append(
            measurement.to_dict()
            | (
                {
                    "verdict": against.verdict.value,
                    "difference": against.difference,
                    "difference_low": against.low,
                    "difference_high": against.high if against.high < float("inf") else None,
                }
                if against
                else {}
            )
        )
    return document("bench", results, indent=1, environment=dict(environment))


def read_baseline(path: str) -> Baseline:
    """A file that `as_json` wrote. FileError if it cannot be read, DataError if it is something else."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as fault:
        raise FileError(f"{path}: {fault.strerror}", fix="make one with: lossctl bench --save FILE.json") from fault
    except UnicodeDecodeError as fault:
        raise _no_baseline(path) from fault
    try:
        body = json.loads(text)
        if body["schema"] != "lossctl/1" or body["command"] != "bench":
            raise _no_baseline(path)
        samples = {_case(row).key: _samples(row["seconds"]) for row in body["results"]}
        return Baseline(samples, {str(name): str(value) for name, value in body["environment"].items()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise _no_baseline(path) from fault


def _case(row: Mapping[str, Any]) -> Case:
    return Case(*(row[name] for name in Case._fields))


def _samples(values: Sequence[Any]) -> tuple[float, ...]:
    samples = tuple(float(value) for value in values)
    if samples:
        summarize(samples)  # refuses what is no time
    return samples


def _no_baseline(path: str) -> DataError:
    return DataError(f"{path} is no benchmark of lossctl", fix="make one with: lossctl bench --save FILE.json")
