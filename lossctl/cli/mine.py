"""`lossctl mine STRATEGY EMB LABEL -o FILE`: choose triplets offline and write them to a file."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

import typer

from ..language.options import MINE, STRATEGIES, inputs_of
from . import options, output
from .triplets import SOURCES, sources_of

STRATEGY = Annotated[str, typer.Argument(metavar="STRATEGY", help="How triplets are chosen; see above.")]


def command() -> Any:
    """The command."""
    listed = "\n\n".join(f"{name}: {text}." for name, text in STRATEGIES.items())
    arguments = [("strategy", STRATEGY, inspect.Parameter.empty), ("sources", SOURCES, None)]
    return options.command(mine, MINE, arguments, help=f"{inspect.cleandoc(mine.__doc__ or '')}\n\n{listed}")


def mine(values: Mapping[str, Any]) -> None:
    """Choose triplets of an embedding set offline and write them to a file.

    The same file for any block size, number of threads and device: decisions are exact, and ties go to the
    lowest row number. Triplets stand class by class, the largest class first, as --limit takes them.
    """
    from ..api import answers
    from ..api.asked import asked
    from ..api.mine import LARGE, choose_device, prepare, write
    from ..api.question_of_sets import MiningQuestion, check_mining
    from ..rows.facts import rows_left_out

    style = output.style_of({**values, "format": None})
    strategy = values["strategy"]
    call = asked(values, MINE, "shell")
    check_mining(call, strategy)
    sources, named = sources_of(values, MINE, f"lossctl mine {strategy} EMB LABEL -o FILE")
    device = output.told(style, choose_device(strategy, values["device"]))
    question = MiningQuestion.of(call, strategy, sources, named, device=device)
    inputs = [*sources, *inputs_of(MINE, "shell", values)]
    with answers.opened_set(question) as embeddings, output.progress(style, None, "anchors") as update:
        job = prepare(question, embeddings)
        output.warn(style, [*job.warnings, *([rows_left_out(job.left_out)] if job.left_out else [])])
        foretell = None
        if job.size >= LARGE:
            output.warn(style, [f"{question.path} will be large: {job.forecast}"])
            foretell = partial(_foretell, style)
        else:
            output.note(style, job.forecast)
        summary = write(job, inputs, progress=update, foretell=foretell)
    if not summary.total:
        kind = f"no {'pair' if call['as_pairs'] else 'triplet'} is of the kind that {strategy} takes"
        kind += "" if call["as_pairs"] and not call.has("margin") else f" at margin {values['margin']:g}"
        kind += "" if values["min_distance"] is None else f" and {values['min_distance']:g} from its negative"
        output.warn(style, [f"{summary.path} is empty: {kind}; `lossctl triplets` counts how many of each there are"])
    output.note(style, _page(summary))


def _foretell(style: Any, seconds: float) -> None:
    from ..api.mine import duration

    output.warn(style, [f"writing it takes about {duration(seconds)}, by the pace of its first seconds"])


def _page(summary: Any) -> str:
    from ..show.mined import page

    return output.sheet_text(page(summary), "table").rstrip("\n")
