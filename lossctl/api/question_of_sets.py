"""What is asked of sets of embeddings, as frozen values that the library answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import UsageError
from ..language import options
from ..text import did_you_mean
from .asked import Asked, reading_of, refuse_both, without, workers_of
from .compute import Jobs
from .reading import Given, Reading, Side

if TYPE_CHECKING:
    from ..sets.thinning import Thinning


class TripletQuestion(NamedTuple):
    """What is asked of the triplets of an embedding set: `triplets`.

    margins: one breakdown each;  by_class, pairs: also by class, and the so many class pairs with the most hard ones
    batch: (P, K), also over `batches` sampled batches of P classes with K rows each, from `seed`
    anchors: the triplets of so many anchors only, drawn by `seed`;  level: of intervals of the shares
    side: the source of the coarse class of each row: also by whether the negative is of the anchor's
    """

    inputs: tuple[Given, ...]
    named: Mapping[str, Given]
    margins: tuple[float, ...]
    reading: Reading
    by_class: bool = False
    pairs: int = 0
    batch: tuple[int, int] | None = None
    batches: int = 100
    seed: int = 0
    anchors: int | None = None
    level: float | None = None
    side: Side = Side()
    jobs: Jobs = None

    @classmethod
    def of(
        cls,
        call: Asked,
        inputs: Sequence[Given],
        named: Mapping[str, Given],
        margins: Sequence[float],
        *,
        batch: tuple[int, int] | None = None,
        device: str = "cpu",
    ) -> TripletQuestion:
        """What a call asks of a set. UsageError for what has no answer."""
        if call.has("batches") and batch is None:
            raise UsageError(
                f"{call.name('batches')} is for sampled batches",
                why="the whole set is counted, and nothing is drawn",
                fix=f"add {'--batch 18,4' if call.way == 'shell' else 'batch=(18, 4)'}, or leave it out",
            )
        if call.has("seed") and batch is None and call["anchors"] is None and call["ci"] is None:
            raise UsageError(
                f"{call.name('seed')} is for batches, anchors and intervals",
                why="the whole set is counted, and nothing is drawn",
                fix=f"leave {call.name('seed')} out, or add {call.put('anchors', '1000')}",
            )
        sides = call["coarse_label"] if call["coarse_negatives"] is None else None
        if sides is not None:
            why = "coarse classes are of the rows of one set, which is counted whole, each row of one class"
            refuse_both(call, call.name("coarse_label"), ("ref", "positive", "anchors"), why)
        if call["anchors"] is not None:
            counted = {
                "by_class": call["by_class"],
                "by": call["by"],
                "pairs": call["pairs"],
                "device": device != "cpu",
            }
            for key in (key for key, value in counted.items() if value):
                raise UsageError(
                    f"{call.name(key)} with {call.name('anchors')}",
                    why="sampled anchors are counted on the CPU, and tell of the set as a whole",
                    fix=f"leave {call.name(key)} out",
                )
        return cls(
            inputs=tuple(inputs),
            named=named,
            margins=tuple(margins),
            reading=reading_of(call if sides is None else without(call, "coarse_label"), {}, device),
            by_class=bool(call["by_class"] or call["by"]),
            pairs=call["pairs"],
            batch=batch,
            batches=call["batches"],
            seed=call["seed"],
            anchors=call["anchors"],
            level=call["ci"],
            side=Side(coarse=sides),
            jobs=workers_of(call),
        )


class MiningQuestion(NamedTuple):
    """What is asked of a set whose triplets are chosen: `mine`.

    options: of the strategy;  thinning: which of its triplets stay;  as_pairs: its pairs are asked for
    side: the source of what stands for each row;  path, kind: the file to write and its format, None for no file
    """

    strategy: str
    inputs: tuple[Given, ...]
    named: Mapping[str, Given]
    options: Mapping[str, Any]
    reading: Reading
    thinning: Thinning
    side: Side = Side()
    path: str | None = None
    kind: str = "npy"
    as_pairs: bool = False
    jobs: Jobs = None

    @classmethod
    def of(
        cls, call: Asked, strategy: str, inputs: Sequence[Given], named: Mapping[str, Given], *, device: str = "cpu"
    ) -> MiningQuestion:
        """What a call asks of a set. UsageError for what has no answer."""
        check_mining(call, strategy)
        path = call["output"]
        chosen: dict[str, Any] = {"margin": call["margin"]}
        chosen |= {"fallback": call["fallback"]} if call["fallback"] else {}
        chosen |= {"categories": _categories(call["category"])} if call["category"] else {}
        chosen |= {"seed": call["seed"]} if strategy in options.DRAWN else {}
        own = [name.replace("-", "_") for name, taker in options.OF_STRATEGY.items() if taker == strategy]
        from ..sets.thinning import Thinning

        stays = {key: call[key] for key in Thinning._fields}
        chosen |= {key: call[key] for key in own if key not in stays}
        return cls(
            strategy=strategy,
            inputs=tuple(inputs),
            named=named,
            options=chosen,
            reading=reading_of(call, {}, device),
            thinning=Thinning(**stays),
            side=Side(id=call["id"]),
            path=path,
            kind=("npz" if call["as_pairs"] else "npy") if path is None else _mined_format(call, path),
            as_pairs=call["as_pairs"],
            jobs=workers_of(call),
        )


def check_mining(call: Asked, strategy: str) -> None:
    """UsageError for an unknown strategy, and for settings that it does not go with."""
    if strategy not in options.STRATEGIES:
        guess = did_you_mean(strategy, options.STRATEGIES)
        raise UsageError(f"unknown strategy {strategy!r}{guess}", fix=f"use one of {', '.join(options.STRATEGIES)}")
    category, fallback = call["category"], call["fallback"]
    for key in ("id", "format") if call.way == "python" and call["output"] is None else ():
        if call[key] is not None:
            fix = f"name one, {call.put('output', 'triplets.csv')}, or leave {call.name(key)} out"
            raise UsageError(f"{call.name(key)} is for a file of triplets", fix=fix)
    if call.way == "shell" and call["output"] in (None, "-"):
        what = "mine writes a file, not to stdout" if call["output"] else "mine writes a file, and none is named"
        raise UsageError(what, fix="add -o triplets.npy")
    if category is not None and (strategy != "all" or not set(_categories(category)) <= set(options.CATEGORIES)):
        raise UsageError(
            f"{call.name('category')} {category!r} with {strategy}",
            fix=f"use it with `all`: {', '.join(options.CATEGORIES)}",
        )
    if fallback is not None and (strategy not in options.FALLING_BACK or fallback not in options.FALLBACKS):
        takers = " or ".join(f"`{name}`" for name in options.FALLING_BACK)
        raise UsageError(
            f"{call.name('fallback')} {fallback!r} with {strategy}",
            fix=f"use it with {takers}: {', '.join(options.FALLBACKS)}",
        )
    if call.has("seed") and strategy not in options.DRAWN and call["sample"] is None:
        raise UsageError(
            f"{call.name('seed')} with {strategy}",
            why="it draws nothing: its triplets are the same each time",
            fix=f"leave it out; {', '.join(options.DRAWN)} and {call.put('sample', 'K')} draw",
        )
    if call["id"] is not None and call["ref"] is not None:
        raise UsageError(
            f"{call.name('id')} with {call.name('ref')}",
            why="positives and negatives are rows of another set, which these ids are not of",
            fix=f"leave {call.name('id')} out: rows are numbered in each set",
        )
    if call["as_pairs"]:
        _check_pairs(call, strategy)
    for name, taker in options.OF_STRATEGY.items():
        if call.has(name.replace("-", "_")) and taker != strategy:
            raise UsageError(f"{call.name(name.replace('-', '_'))} with {strategy}", fix=f"use it with `{taker}`")
    if strategy == "hardest" and call["limit"] is None:
        raise UsageError("how many of the hardest?", fix=f"add {call.put('limit', 'N')}")
    if strategy == "hardest" and call["per_anchor"] is not None:
        raise UsageError(
            f"{call.name('per_anchor')} with hardest",
            why="the hardest of the whole set are taken, however many an anchor has",
            fix="leave it out, or take the hardest of each anchor with `all` in place of `hardest`",
        )


def _check_pairs(call: Asked, strategy: str) -> None:
    if strategy not in options.OF_PAIRS:
        raise UsageError(
            f"{call.name('as_pairs')} with {strategy}",
            why="it chooses triplets",
            fix=f"leave it out, or use it with {' or '.join(f'`{name}`' for name in options.OF_PAIRS)}",
        )
    others = ("limit", "per_anchor", "sample") + (() if strategy == "multi-similarity" else ("margin",))
    for key in (key for key in others if call.has(key)):
        raise UsageError(
            f"{call.name(key)} with {call.name('as_pairs')}", why="it is of triplets", fix=f"leave {call.name(key)} out"
        )


def _categories(value: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(value.split(",")) if isinstance(value, str) else tuple(value)


def _mined_format(call: Asked, path: str) -> str:
    """The format of a file of triplets: the one asked for, else the one that its name tells. UsageError."""
    kind: str = call["format"] or (path.rpartition(".")[2].lower() if "." in path else "npy")
    kind = {"jsonl": "ndjson"}.get(kind, kind)
    if kind not in options.MINED_FORMATS:
        first, *others = options.MINED_FORMATS
        fix = " or ".join([f"add {call.put('format', first)}", *others])
        raise UsageError(f"cannot tell the format of {path!r}", fix=fix)
    if call["as_pairs"] and kind == "npy":
        raise UsageError(
            "an NPY of pairs would not tell positive from negative ones",
            fix=f"write {call.put('format', 'npz')} or {call.put('format', 'csv')}",
        )
    if call["id"] is not None and kind == "npy":
        raise UsageError("an NPY of triplets holds row numbers", fix="write ids as CSV or NDJSON")
    return kind
