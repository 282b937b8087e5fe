"""`lossctl compute LOSS SRC...`: one subcommand a loss, made from its function when it is called."""

from __future__ import annotations

import inspect
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import UsageError
from ..language import registry
from ..language.domains import Option
from ..language.registry import Loss
from ..language.roles import Role
from ..text import option_text
from . import asking, intake, output
from .app import group, single

Sources = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="SRC...",
        show_default=False,
        help="Files in role order, or one that holds all; PATH::COLUMN selects; - is stdin.",
    ),
]
REDUCTION_WORDS = {
    "none": "none prints them all",
    "positives": "positives divides the sum by the number of labels 1",
    "mean-active": "mean-active is over the triplets above zero",
}
Weight = Annotated[
    str | None,
    typer.Option(
        "-w", "--weight", metavar="SRC", help="A weight for each row; the mean divides by the sum of the weights."
    ),
]
FromLogits = Annotated[bool, typer.Option("--from-logits", help="The predictions are logits, not probabilities.")]
FromProbs = Annotated[bool, typer.Option("--from-probs", help="The predictions are probabilities, not logits.")]
Clip = Annotated[
    float,
    typer.Option(
        "--clip",
        metavar="EPS",
        min=0,
        max=0.5,
        show_default=False,
        help="Clip probabilities into [EPS, 1 - EPS]; never done unless asked.",
    ),
]
Bare = Annotated[bool, typer.Option("-b", "--bare", help="The number alone (what is printed anyway).")]
Signature = Annotated[
    bool,
    typer.Option(
        "--signature", help="Print the signature after the value: every choice that changes it, and a hash of the data."
    ),
]
Index = Annotated[
    str | None,
    typer.Option(
        "--index", metavar="SRC", help="Triplets as rows (anchor, positive, negative) of one embedding source."
    ),
]
Distances = Annotated[
    str | None, typer.Option("--distances", metavar="SRC", help="The distance of each pair, instead of its embeddings.")
]


class Losses(TyperGroup):
    """The losses as commands; options may stand before the name of the loss."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [loss.name for loss in registry.walk()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return loss_command(registry.find(cmd_name))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for family in registry.FAMILIES:
            lines = [(loss.name, loss.summary) for loss in registry.walk() if loss.family == family]
            with formatter.section(family.capitalize()):
                formatter.write_dl([(name, text.split(": ")[0].split(", ")[0].rstrip(".")) for name, text in lines])

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, loss_first(args))


def loss_first(args: list[str]) -> list[str]:
    """The arguments with the name of the loss in front of the options that stand before it."""
    if not args or not args[0].startswith("-"):
        return args
    taking, position = options_with_value(), 0
    while position < len(args) and args[position].startswith("-"):
        position += 2 if args[position] in taking else 1
    return [*args[position : position + 1], *args[:position], *args[position + 1 :]]


def options_with_value() -> set[str]:
    """Every option, of any loss, that is followed by a value."""
    return {
        name
        for loss in registry.walk()
        for parameter in parameters(loss)
        if parameter.annotation.__origin__ is not bool
        for name in _names(parameter.annotation.__metadata__[0])
    }


def _names(info: Any) -> tuple[str, ...]:
    """The names of an option; in an annotation typer holds the first of them as the default."""
    return () if info.param_decls is None else (info.default, *info.param_decls)


def command() -> Any:
    """The group."""

    def compute() -> None:
        """The loss of predictions and labels, pairs, triplets or embeddings in files.

        Prints one number in full precision. LOSS --help shows the formula and the options of one loss.
        """

    return group(Losses, "compute", compute, no_args_is_help=True, subcommand_metavar="LOSS [OPTIONS] SRC...")


# --- one loss, one command


def loss_command(loss: Loss) -> Any:
    """The command of one loss: its roles and options become command-line options."""

    def run(**given: Any) -> None:
        _compute(loss, given)

    run.__signature__ = inspect.Signature(parameters(loss))  # type: ignore[attr-defined]
    run.__annotations__ = {item.name: item.annotation for item in parameters(loss)}
    return single(run, loss.name, help=_help(loss), short_help=loss.summary)


def parameters(loss: Loss) -> list[inspect.Parameter]:
    """The command's parameters: sources, the loss's options, its roles, and what all losses share."""
    found: list[tuple[str, Any, Any]] = [("sources", Sources, None)]
    found += [(f"option_{option.name}", _option_type(option), _option_default(option)) for option in loss.options]
    found += [(f"role_{role.name}", _role_type(role), None) for role in loss.roles]
    found += _form_parameters(loss)
    found += [("metric", intake.Distance, "euclidean")] if loss.engine.has_space and not loss.cosine else []
    found += [("normalize", intake.Normalize, False)] if loss.engine.has_space else []
    found += [("index", Index, None)] if loss.name == "triplet" else []
    found += [("distances", Distances, None)] if loss.roles[0].name == "left" else []
    found += [
        ("reduction", _reduction_type(loss), loss.reductions[0]),
        *([("weight", Weight, None)] if loss.engine.takes_weights else []),
        ("na", intake.Na, "error"),
        ("header", intake.Header, "auto"),
        ("delimiter", intake.Delimiter, None),
        ("format", output.Format, None),
        ("json", output.Json, False),
        ("bare", Bare, False),
        ("out", output.Output, None),
        *([("plot", output.Plot, None)] if loss.engine.is_by_row else []),
        ("digits", output.Digits, None),
        ("signature", Signature, False),
        *([("device", intake.Device, "cpu")] if loss.engine.has_space else []),
        ("jobs", intake.Jobs, None),
        *asking.parameters(loss),
        ("quiet", output.Quiet, False),
        ("verbose", output.Verbose, False),
        ("color", output.Colour, "auto"),
    ]
    return [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
        for name, annotation, default in found
    ]


def _form_parameters(loss: Loss) -> list[tuple[str, Any, Any]]:
    forms = [role.forms for role in loss.roles if role.forms]
    found: list[tuple[str, Any, Any]] = []
    if any("logits" in known for known in forms):
        found.append(("from_logits", FromLogits, False))
    if any(known[0] == "logits" for known in forms):
        found.append(("from_probs", FromProbs, False))
    if any("prob" in known for known in forms):
        found.append(("clip", Clip, 0))
    for role in loss.roles:
        if len(role.forms) > 2:
            text = f"What {role.option.upper()} holds: {', '.join(role.forms)} (prob unless given)."
            kind = Annotated[str | None, typer.Option(f"--{role.option}-form", metavar="FORM", help=text)]
            found.append((f"form_{role.name}", kind, None))
    return found


def _option_type(option: Option) -> Any:
    if option.domain.kind is bool:
        return Annotated[bool, typer.Option(f"--{option.flag}", help=_sentence(option.help))]
    words = "|".join(option.domain.words)
    metavar = words if option.domain.kind is str else "NUMBERS" if option.domain.many and not words else "NUMBER"
    metavar = f"NUMBER|{words}" if words and option.domain.kind is not str else metavar
    allowed = f" ({option.domain.text})" if option.domain.text and option.domain.kind is not str else ""
    text = f"{_sentence(option.help + allowed)} [default: {option_text(option.default)}]"
    return Annotated[str | None, typer.Option(f"--{option.flag}", metavar=metavar, help=text, show_default=False)]


def _option_default(option: Option) -> Any:
    return False if option.domain.kind is bool else None


def _reduction_type(loss: Loss) -> Any:
    words = [REDUCTION_WORDS[name] for name in loss.reductions if name in REDUCTION_WORDS]
    text = "How rows become one number" + ("; " if words else "") + "; ".join(words) + "."
    return Annotated[str, typer.Option("-r", "--reduction", metavar="|".join(loss.reductions), help=text)]


def _role_type(role: Role) -> Any:
    names = ["-y", f"--{role.option}"] if role.truth else [f"--{role.option}"]
    return Annotated[str | None, typer.Option(*names, metavar="SRC", help=_sentence(role.meaning))]


def _sentence(text: str) -> str:
    symbol = len(text.split(maxsplit=1)[0].rstrip(",;:")) == 1
    return (text if symbol else text[:1].upper() + text[1:]).rstrip(".") + "."


def _help(loss: Loss) -> str:
    """The help page above the options."""
    order = " ".join(role.option.upper() for role in loss.roles)
    lines = [loss.summary, "", f"Sources, in order: {order}", "", f"Formula: {loss.doc['Formula']}"]
    lines += ["", f"More: lossctl explain {loss.name}"]
    return "\n".join(lines)


# --- running


def _compute(loss: Loss, given: dict[str, Any]) -> None:
    style = output.style(
        given["format"], given["json"], given["out"], given["quiet"], given["verbose"], given["color"], given["bare"]
    )
    sources = given["sources"] or []
    named = {role.name: given[f"role_{role.name}"] for role in loss.roles if given[f"role_{role.name}"] is not None}
    if not sources and not named:
        raise UsageError(f"{loss.name} needs its input", fix=_usage(loss))
    from ..api import calculator, together
    from ..kernels.devices import choose

    options = {
        option.name: calculator.option_value(option, given[f"option_{option.name}"])
        for option in loss.options
        if given[f"option_{option.name}"] not in (None, False)
    }
    reading = calculator.Reading(
        forms=_forms(loss, given),
        clip=given.get("clip", 0.0),
        skip_nan=intake.skips_nan(given["na"]),
        header=intake.has_header(given["header"]),
        delimiter=given["delimiter"],
        index=given.get("index"),
        distances=given.get("distances"),
        metric=given.get("metric", "euclidean"),
        normalize=given.get("normalize", False),
        device=intake.note_device(style, choose(given.get("device", "cpu"))).name,
    )
    inputs = [*sources, *named.values(), *(given[name] for name in ("weight", "index", "distances") if given.get(name))]
    inputs += asking.sources(given)
    spec = registry.make(loss, **options)
    if asking.is_asked(given) or (
        given["reduction"] == "none" and "none" in loss.reductions and not loss.engine.is_by_row
    ):
        from .beyond import answer

        answer(spec, sources, named, reading, style, inputs, given)
        return
    bounds = asking.bounds(given)
    with (
        output.destination(style, inputs) as out,
        output.picture(given.get("plot"), inputs) as drawing,
        together.prepared(
            [together.Wanted(spec, reading.forms, sources, named, given["reduction"])],
            weight=given.get("weight"),
            reading=reading,
            jobs=given["jobs"],
        ) as ready,
    ):
        if given["reduction"] == "none":
            _write_rows(ready, style, out, given["digits"])
            results = []
        else:
            results = [_write_value(ready, style, out, given["digits"], given["signature"], bounds)]
        if drawing is not None:
            from ..api.row_plots import row_picture
            from ..show.data_plots import draw_rows

            draw_rows(row_picture(ready), *drawing)
    asking.close_gates(results, style)


def _usage(loss: Loss) -> str:
    order = " ".join(role.option.upper() for role in loss.roles)
    return f"lossctl compute {loss.name} {order}, or one file that holds all"


def _forms(loss: Loss, given: dict[str, Any]) -> dict[str, Any]:
    if given.get("from_logits") and given.get("from_probs"):
        raise UsageError("--from-logits and --from-probs contradict each other", fix="choose one")
    forms = {}
    for role in loss.roles:
        if not role.forms:
            continue
        named = given.get(f"form_{role.name}")
        if named and given.get("from_logits") and named != "logits":
            raise UsageError(f"--from-logits and --{role.option}-form {named} contradict each other", fix="choose one")
        otherwise = "logits" if given.get("from_logits") else "prob" if given.get("from_probs") else role.forms[0]
        forms[role.name] = intake.check(f"--{role.option}-form", named or otherwise, role.forms)
    return forms


def _write_value(ready: Any, style: output.Style, out: Any, digits: int | None, signature: bool, bounds: Any) -> Any:
    from ..api import together
    from ..show import results as show

    format = style.choose("bare")
    hashed = signature or format in ("json", "ndjson")
    with output.progress(style, ready.fields[0].frame.rows) as update:
        results = together.results(ready, data_hash=hashed, progress=update)
    (result,) = asking.gated(results, bounds)
    output.warn(style, result.warnings)
    if format == "bare":
        text = show.bare([result], digits)
        out.write(text.rstrip("\n") + "\t" + result.signature + "\n" if signature else text)
        output.note(style, show.context(result))
    elif format == "json":
        out.write(show.as_json([result], "compute"))
    elif format == "ndjson":
        out.write(show.ndjson([result]))
    else:
        out.write(output.sheet_text(show.sheet([result], digits, signature=signature), format))
    return result


def _write_rows(ready: Any, style: output.Style, out: Any, digits: int | None) -> None:
    """-r none: a line for each row that counts, as they come."""
    from ..api import together
    from ..show.results import number

    format = style.choose("bare")
    if format not in ("bare", "tsv", "csv", "ndjson"):
        raise UsageError(f"-r none cannot be written as {format}", fix="use bare, tsv, csv or ndjson")
    separator = {"tsv": "\t", "csv": ","}.get(format, "")
    if separator:
        out.write(f"row{separator}loss\n")
    from ..rows import by_row as engine
    from ..rows import checks

    facts = checks.Facts()
    for rows in together.row_losses(ready):
        facts = facts.merge(rows.facts).merge(engine.infinite_rows(rows))
        pairs = zip(rows.number.tolist(), rows.total.tolist(), strict=True)
        if format == "bare":
            out.write("".join(number(value, digits) + "\n" for _, value in pairs))
        elif separator:
            out.write("".join(f"{row}{separator}{number(value, digits)}\n" for row, value in pairs))
        else:
            out.write("".join(_json_row(row, value) for row, value in pairs))
    notes, warnings = checks.verdict(ready.losses[0].plan, facts)
    sys.stdout.flush()
    output.note(style, "\n".join(notes))
    output.warn(style, warnings)


def _json_row(row: int, value: float) -> str:
    import json as json_text

    finite = value - value == 0
    return json_text.dumps({"row": row, "loss": value if finite else None, "value_text": repr(value)}) + "\n"
