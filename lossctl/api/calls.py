"""What notebooks call: a loss by its name, inputs and options as arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import UsageError, told_in_python
from ..kernels import devices
from ..language.registry import Spec, make, parse
from ..results.values import Result
from . import together
from .calculator import Given, Reading, as_array, logit_forms, option_value, refuse_none
from .together import Wanted, prepared, results


@told_in_python()
def compute(
    loss: str | Spec,
    *inputs: Given,
    reduction: str | None = None,
    weight: Given | None = None,
    from_logits: bool = False,
    clip: float = 0.0,
    skip_nan: bool = False,
    distance: str | None = None,
    normalize: bool = False,
    device: str = "cpu",
    jobs: int | None = None,
    data_hash: bool = False,
    **named: Any,
) -> Result:
    """The loss of some inputs, as `lossctl compute` prints it.

    loss: "focal", or with options "focal:gamma=1.5,alpha=0.25", which may be keywords too: gamma=1.5, alpha=0.25
    inputs: in role order (predictions, then the truth): numpy arrays, torch tensors, or sources such as "preds.npy" or
        "data.csv::p"; one source may hold all roles. Roles may be named instead: compute("mse", pred=a, target=b)
    reduction: "mean", "sum", or "positives" (sum over the number of labels 1); batch-all knows "mean-active", its
        default, too. `lossctl.row_losses` gives them row by row
    weight: a weight >= 0 for each row; from_logits: predictions are logits, not probabilities
    clip: clip probabilities into [clip, 1 - clip]; never done unless asked. skip_nan: leave out rows that hold a nan
    distance, normalize: of an embedding set: euclidean (if None), sqeuclidean or cosine, on the unit sphere or as it is
    device: where the distances of an embedding set are computed: cpu, cuda, cuda:1 (and so on), or auto
    data_hash: put a hash of the values read into the signature (reads them once more)

    Raises UsageError (wrong call), DataError (unusable values), FileError (unreadable file), DeviceError (no such
    device).
    """
    if reduction == "none":
        raise UsageError("compute gives one number", fix="for the loss of each row: lossctl.row_losses(...)")
    spec, sources = _meant(loss, inputs, named, distance=distance, normalize=normalize, device=device)
    reading = Reading(
        forms=logit_forms(spec.loss) if from_logits else {},
        clip=clip,
        skip_nan=skip_nan,
        metric=distance or "euclidean",
        normalize=normalize,
        device=devices.choose(device).name,
    )
    question = Wanted(spec, reading.forms, inputs, sources, reduction)
    with prepared([question], weight=weight, reading=reading, jobs=jobs) as shared:
        return results(shared, data_hash=data_hash)[0]


@told_in_python()
def row_losses(
    loss: str | Spec,
    *inputs: Given,
    weight: Given | None = None,
    from_logits: bool = False,
    clip: float = 0.0,
    skip_nan: bool = False,
    distance: str | None = None,
    normalize: bool = False,
    jobs: int | None = None,
    **named: Any,
) -> np.ndarray:
    """The loss of each row that counts, (n,) float64, as `lossctl compute -r none` prints it.

    The arguments are those of `compute`, without reduction, device and data_hash; a row's weight multiplies its loss.
    Ranking losses have one value a list, losses of embedding sets one an anchor: the sum over its pairs or triplets.
    """
    spec, sources = _meant(loss, inputs, named, distance=distance, normalize=normalize)
    forms = logit_forms(spec.loss) if from_logits else {}
    reading = Reading(forms=forms, clip=clip, skip_nan=skip_nan, metric=distance or "euclidean", normalize=normalize)
    question = Wanted(spec, forms, inputs, sources, "none")
    with prepared([question], weight=weight, reading=reading, jobs=jobs) as shared:
        return np.concatenate([rows.total for rows in together.row_losses(shared)] or [np.empty(0)])


def _meant(
    loss: str | Spec,
    inputs: Sequence[Given],
    named: dict[str, Any],
    *,
    distance: str | None,
    normalize: bool,
    device: str = "cpu",
) -> tuple[Spec, dict[str, Given]]:
    """What the keywords of a call mean: options of the loss, which its spec then has, and its inputs by name.

    UsageError for what the loss does not take.
    """
    if not isinstance(loss, str | Spec):
        raise UsageError(
            f"the loss is an object of type {type(loss).__name__}", fix='name it first: compute("mse", pred, target)'
        )
    spec = parse(loss) if isinstance(loss, str) else loss
    name, own = spec.loss.name, {option.name: option.default for option in spec.loss.options}
    is_set = spec.loss.engine.has_space
    if "distance" in own and distance is not None:
        named = {**named, "distance": distance}
    given = (
        ("distance", distance is not None and "distance" not in own and (not is_set or spec.loss.cosine)),
        ("normalize", normalize and not is_set),
        ("device", device != "cpu" and not is_set),
    )
    for keyword in (keyword for keyword, is_refused in given if is_refused):
        why = "it is made of cosines" if is_set else "it is for embedding sets, and options of a loss are its own"
        raise UsageError(f"{name} takes no {keyword}", why=why, fix=f"leave {keyword} out")
    options = {keyword: _option(spec, keyword, named[keyword]) for keyword in own.keys() & named.keys()}
    chosen = make(spec.loss, **{**spec.options, **options})
    written = loss.partition(":")[2] if isinstance(loss, str) else ""
    twice = options.keys() & {part.partition("=")[0].strip().replace("-", "_") for part in written.split(",")}
    if twice:
        raise UsageError(f"{min(twice)} of {name} is given twice, in {loss!r} and beside it", fix="leave one out")
    sources = {keyword: value for keyword, value in named.items() if keyword not in own}
    refuse_none(name, [*inputs, *sources.values()])
    return chosen, sources


def _option(spec: Spec, name: str, value: Any) -> Any:
    """The value of an option: arrays and nested lists as one list of numbers, the name of a file as what is in it."""
    option = next(option for option in spec.loss.options if option.name == name)
    if isinstance(value, str):
        return option_value(option, value)
    value = value.item() if isinstance(value, np.generic) else value
    if option.domain.many and hasattr(value, "__len__"):
        return np.ravel(as_array(value)).tolist()
    return value
