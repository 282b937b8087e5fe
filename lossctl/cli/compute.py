"""`lossctl compute LOSS SRC...`: one subcommand a loss, taken from its function when it is called."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ..errors import UsageError
from ..language import registry
from ..language.domains import Option
from ..language.options import COMPUTE, inputs_of, settings
from ..language.registry import Loss
from ..language.roles import Role
from ..language.setting import Setting
from ..text import option_text
from . import options, output
from .app import HELP_FLAGS, group, write_examples

if TYPE_CHECKING:
    from ..api.answers import Answer
    from ..api.question import Question
    from ..results.values import Result

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
    "mean-elements": "mean-elements and sum-elements are over the cells of all rows",
    "positives": "positives divides the sum by the number of labels 1",
    "mean-active": "mean-active is over the terms above zero",
}


class Losses(TyperGroup):
    """The losses as commands; options may stand before the name of the loss."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [loss.name for loss in registry.walk()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return loss_command(registry.find(cmd_name))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for family, losses in groupby(registry.walk(), lambda loss: loss.family):
            with formatter.section(family.capitalize()):
                formatter.write_dl(
                    [(loss.name, loss.summary.split(": ")[0].split(", ")[0].rstrip(".")) for loss in losses]
                )

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from .examples import EXAMPLES

        write_examples(EXAMPLES[self.name or COMPUTE], formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, spec_as_options(loss_first(args)))


def spec_as_options(args: list[str]) -> list[str]:
    """The arguments with a loss such as `focal:gamma=2` as its name and the options that it sets."""
    if not args or ":" not in args[0] or args[0].startswith("-"):
        return args
    spec = registry.parse(args[0])
    named = {part.partition("=")[0].strip().replace("_", "-") for part in args[0].partition(":")[2].split(",")}
    twice = sorted(named & {word.partition("=")[0].removeprefix("--") for word in args[1:] if word.startswith("--")})
    if twice:
        raise UsageError(
            f"--{twice[0]} is given twice, in {args[0]!r} and beside it",
            why="one of the two would count for nothing",
            fix="give it once",
        )
    words: list[str] = []
    for option, (_, value) in zip(spec.loss.all_options, spec.params, strict=False):
        if value != option.default:
            is_flag = option.domain.kind is bool
            words += [f"--{option.flag}"] if is_flag else [f"--{option.flag}", option_text(value)]
    return [spec.loss.name, *words, *args[1:]]


def loss_first(args: list[str]) -> list[str]:
    """The arguments with the name of the loss in front of the options that stand before it."""
    if not args or not args[0].startswith("-") or args[0] in ("-", *HELP_FLAGS["help_option_names"]):
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
        for _, annotation, _ in parameters(loss)
        if options.takes_value(annotation)
        for name in options.names(annotation)
    }


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
    command = options.command_of(
        partial(run, loss), loss.name, parameters(loss), help=_help(loss), short_help=loss.summary
    )
    command.loss = loss
    return command


def parameters(loss: Loss) -> list[options.Parameter]:
    """The command's parameters: sources, the loss's options, its roles, and those settings that suit it."""
    taken: list[options.Parameter] = [("sources", Sources, None)]
    taken += [(f"option_{option.name}", _option_type(option), _option_default(option)) for option in loss.all_options]
    taken += [(f"role_{role.name}", _role_type(role), None) for role in loss.roles]
    for row in settings(COMPUTE, "shell").values():
        taken += [_setting(row, loss)] if row.suits(loss) else []
        taken += _forms_of_roles(loss) if row.key == "clip" else []
    return taken


def _setting(row: Setting, loss: Loss) -> options.Parameter:
    """A row of the table as this loss takes it."""
    if row.key == "reduction":
        words = [REDUCTION_WORDS[name] for name in loss.all_reductions if name in REDUCTION_WORDS]
        text = row.help.rstrip(".") + ("; " if words else "") + "; ".join(words) + "."
        return row.key, options.option(row, metavar="|".join(loss.all_reductions), help=text), loss.reductions[0]
    name, annotation, default = options.parameter(row, COMPUTE)
    return name, options.unlisted(annotation) if row.is_refused_by(loss) else annotation, default


def _forms_of_roles(loss: Loss) -> list[options.Parameter]:
    taken: list[options.Parameter] = []
    for role in loss.roles:
        if len(role.forms) > 2:
            text = f"What {role.option.upper()} holds: {', '.join(role.forms)} (prob unless given)."
            kind = Annotated[str | None, typer.Option(f"--{role.option}-form", metavar="FORM", help=text)]
            taken.append((f"form_{role.name}", kind, None))
    return taken


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


def run(loss: Loss, values: Mapping[str, Any]) -> None:
    """Read, compute and write what the options of one call ask for."""
    from ..api import answers

    style = output.style_of(values)
    asked = question(loss, values, style)
    if style.format == "bare" and asked.confidence is not None:
        why = "the bare number has no interval"
        raise UsageError("--ci with bare output", why=why, fix="leave --ci out, or use -f tsv")
    if asked.is_by_row or asked.top:
        from . import rows

        for name in ("metrics", "summary"):
            if values[name]:
                what = "--top" if asked.top else "--per-row" if asked.per_row else "-r none"
                raise UsageError(f"--{name} with {what}", why="it holds numbers of all rows", fix="leave one out")
    inputs = [*asked.inputs, *asked.named.values(), *inputs_of(COMPUTE, "shell", values)]
    format = rows.format_of(asked, style) if asked.is_by_row else ""
    with (
        output.destination(style, inputs, is_binary=format == "npy") as writer,
        output.picture(values.get("plot"), inputs) as drawing,
        output.metrics(values["metrics"], style, inputs) as write_metrics,
        output.summary(values["summary"], [values["output"], values["metrics"], values.get("plot")], inputs) as append,
        answers.opened(asked) as answer,
    ):
        results: list[Result] = []
        if asked.is_by_row:
            is_apart = style.output not in (None, "-") or not sys.stdout.isatty()
            with output.progress(style) if is_apart else contextlib.nullcontext():
                rows.write(answer, style, writer, format, values["digits"])
        elif asked.top:
            with output.progress(style):
                hardest = answer.top()
            rows.write_top(hardest, answer.shared, style, writer, values["digits"])
        else:
            results = _write_numbers(answer, style, writer, values)
            if values["metrics"]:
                from ..show.metrics import of_results

                write_metrics(of_results(results))
            if values["summary"]:
                from ..show import summary

                append(summary.of_results(results, _failures(results), values["digits"]))
        if drawing is not None:
            from ..show.data_plots import draw_rows

            draw_rows(answer.picture(), *drawing)
    output.close(_failures(results), style)


def question(loss: Loss, values: Mapping[str, Any], style: output.Style) -> Question:
    """What the options of one call ask. UsageError, DeviceError."""
    sources = values["sources"] or []
    named = {role.name: values[f"role_{role.name}"] for role in loss.roles if values[f"role_{role.name}"] is not None}
    if not sources and not named:
        raise UsageError(f"{loss.name} needs its input", fix=_usage(loss))
    from ..api.asked import asked, liked
    from ..api.prepare import option_value
    from ..api.question import Question

    own = {
        option.name: option_value(option, values[f"option_{option.name}"])
        for option in loss.all_options
        if values[f"option_{option.name}"] not in (None, False)
    }
    forms = _forms(loss, values)
    call, library, note = liked(
        asked(values, COMPUTE, "shell"),
        loss,
        next(iter(forms.values()), ""),
        own,
        getattr(values, "by_hand", None),
    )
    if library and values.get("also"):
        raise UsageError("--like and --also at once", why="a library has choices for each loss", fix="ask twice")
    specs = [registry.make(loss, **{**library, **own}), *map(registry.parse, values.get("also") or ())]
    device = output.device(style, values["device"]) if "device" in values else "cpu"
    question = Question.of(call, specs, sources, named, forms=forms, device=device)
    return question._replace(note=note)


def _usage(loss: Loss) -> str:
    order = " ".join(role.option.upper() for role in loss.roles)
    return f"lossctl compute {loss.name} {order}, or one file that holds all"


def _forms(loss: Loss, values: Mapping[str, Any]) -> dict[str, Any]:
    if values.get("from_logits") and values.get("from_probs"):
        raise UsageError("--from-logits and --from-probs contradict each other", fix="choose one")
    forms = {}
    for role in loss.roles:
        if not role.forms:
            continue
        named = values.get(f"form_{role.name}")
        if named and values.get("from_logits") and named != "logits":
            raise UsageError(f"--from-logits and --{role.option}-form {named} contradict each other", fix="choose one")
        otherwise = "logits" if values.get("from_logits") else "prob" if values.get("from_probs") else role.forms[0]
        forms[role.name] = output.check(f"--{role.option}-form", named or otherwise, role.forms)
    return forms


def _write_numbers(answer: Answer, style: output.Style, out: Any, values: Mapping[str, Any]) -> list[Result]:
    """The numbers, in the format asked for: one bare value alone, a sheet for several or with an interval."""
    from ..show import results as show

    hashed = values["signature"] or style.format in ("json", "ndjson")
    with output.progress(style, answer.rows) as update:
        results = answer.results(data_hash=hashed, progress=update)
    digits, single = values["digits"], len(results) == 1 and results[0].ci is None
    format = style.choose("bare") if single else output.many_format(style)
    if format == "bare":
        text = show.bare(results, digits)
        if values["signature"]:
            lines = zip(text.splitlines(), results, strict=True)
            text = "".join(f"{value}\t{result.signature}\n" for value, result in lines)
        out.write(text)
    elif format == "json":
        out.write(show.as_json(results, "compute"))
    elif format == "ndjson":
        out.write(show.ndjson(results))
    else:
        out.write(output.sheet_text(show.sheet(results, digits, signature=values["signature"]), format))
    output.warn(style, [warning for result in results for warning in result.warnings if result.group is None])
    for result in results:
        if result.group is None and result.average != "macro":
            output.note(style, show.context(result))
    return results


def _failures(results: list[Result]) -> list[str]:
    """One line for each gate that failed."""
    if not any(result.gates for result in results):
        return []
    from ..api.gates import failures

    return failures(results)
