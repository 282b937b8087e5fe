"""The command line: which commands there are, each imported only when it is called, and what an error looks like."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import shlex
import signal
import sys
from collections.abc import Sequence
from contextvars import ContextVar, copy_context
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from ..errors import DataError, DeviceError, FileError, LossctlError, UsageError
from ..text import STDIN, did_you_mean, message
from ..version import __version__

COMMANDS = {
    "compute": "The loss of predictions and labels, pairs, triplets or embeddings in files.",
    "triplets": "How hard the triplets of an embedding set are: easy, semi-hard, hard, certified.",
    "mine": "Choose triplets offline and write them to a file.",
    "bench": "How fast the kernels are on this machine, against each other, and whether they are right.",
    "curve": "What a loss does, as a picture: its curve, its slope, its contours.",
    "compare": "Which of several systems is better, by how much, and whether chance would do.",
    "parity": "What each known library would print on this data, and which of our options do it.",
    "reconcile": "Which choices give the number that you have.",
    "run": "Everything a suite (YAML) asks for: losses, groups, intervals, gates, comparisons, and reports.",
    "list": "All losses, by family.",
    "suggest": "Which losses fit a file, with the commands.",
    "explain": "One loss: its formula, when it misleads, its options, an example, where libraries differ.",
    "info": "What is in a file: columns, types, ranges.",
    "schema": "The JSON schema of what --json prints.",
    "doctor": "The machine and the libraries, as lossctl sees them.",
    "completion": "Print the completion script of a shell.",
    "man": "Print the manual page.",
}
EXIT_CODES = {UsageError: 2, DataError: 3, FileError: 4, DeviceError: 5}
BUG = 70
READER_GONE = 141
MOMENT = 0.02  # seconds
COMPLETE = "_LOSSCTL_COMPLETE"  # set by the script of a shell to the command line up to the cursor
HELP_FLAGS = {"help_option_names": ["-h", "--help"]}
COLOUR_CHOICE: ContextVar[str] = ContextVar("COLOUR_CHOICE", default="auto")  # --color, for the length of one `run`


class Commands(TyperGroup):
    """A group that knows its commands by a table of names and imports one when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f".{'listing' if cmd_name == 'list' else cmd_name}", __package__).command()

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from .examples import EXAMPLES

        write_examples([EXAMPLES[name][0] for name in ("compute", "triplets", "compare", "run")], formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            guess = did_you_mean(args[0], COMMANDS)
            named = not guess and _loss_called(args[0])
            raise UsageError(
                f"unknown command {args[0]!r}{guess}",
                why=f"{named} is a loss" if named else "",
                fix=f"lossctl compute {shlex.join(args)}" if named else "see all commands with: lossctl --help",
            )
        return super().resolve_command(ctx, args)


def _loss_called(word: str) -> str:
    """The name of the loss that a word calls, "" where it calls none."""
    from ..language import registry

    with contextlib.suppress(UsageError):
        return registry.parse(word).loss.name
    return ""


def _version(value: bool) -> None:
    if value:
        print(f"lossctl {__version__}")
        raise typer.Exit


def write_examples(examples: Any, formatter: Any) -> None:
    """Examples at the end of a help page: each a line that can be copied, below what it does."""
    if examples:
        with formatter.section("Examples"):
            for line, what in examples:
                formatter.write(f"  # {what}\n  {line}\n")


class Command(TyperCommand):
    """A command that takes an option once, unless it is repeatable: of two, one would be dropped in silence."""

    loss: Any = None  # that it is about, and nothing else

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        from .examples import EXAMPLES, of_loss

        above = ctx.parent.info_name if ctx.parent else ""
        own = EXAMPLES.get(self.name or "", EXAMPLES.get(above, ()))
        write_examples(of_loss(above, self.loss) if self.loss else own, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for at, param in enumerate(order):
            if param in order[:at] and not (param.multiple or getattr(param, "is_flag", False) or param.nargs != 1):
                raise UsageError(
                    f"{param.opts[-1]} is given twice", why="one of the two would count for nothing", fix="give it once"
                )
        return super().parse_args(ctx, args)


def single(function: Any, name: str, **settings: Any) -> Any:
    """One function as a command, in the style of all of them: plain help, -h too."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name, cls=Command, context_settings=HELP_FLAGS, **settings)(function)
    return typer.main.get_command(app)


def group(cls: type[TyperGroup], name: str, callback: Any, **settings: Any) -> Any:
    """A group of commands that finds its commands itself."""
    app = typer.Typer(
        name=name, cls=cls, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, **settings
    )
    app.callback(context_settings=HELP_FLAGS, help=callback.__doc__)(callback)
    return typer.main.get_command(app)


def root() -> Any:
    """The whole command line."""

    def lossctl(
        version: bool = typer.Option(
            False, "-V", "--version", callback=_version, is_eager=True, help="Print the version."
        ),
    ) -> None:
        """The loss calculator: one trustworthy number from files of predictions, labels or embeddings.

        Results go to stdout, everything else to stderr. Try: lossctl compute focal --gamma 2 preds.npy
        """

    return group(Commands, "lossctl", lossctl, no_args_is_help=True)


def run(args: list[str]) -> int:
    """Run a command line and return its exit code; errors are printed here and nowhere else."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # workers are threads of ours; numpy starts in half the time
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, _terminate)  # `| head` ends quietly, with 141, and leaves no temporary file
    if signal.getsignal(signal.SIGINT) in (signal.SIG_DFL, signal.default_int_handler):
        signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _terminate)
    sys.unraisablehook = _once_more
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, _terminate)
    if sys.stdout is None:
        return _complain(FileError("stdout is closed", fix="leave it open, or redirect it: > /dev/null"))
    _speak_unicode()
    try:
        code = copy_context().run(_of_ranks if "TORCHELASTIC_RUN_ID" in os.environ else _run, args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _abandon_stdout()
        return READER_GONE
    except SystemExit as stop:
        if stop.code != READER_GONE:
            raise
        _abandon_stdout()
        return READER_GONE
    except OSError as fault:  # stdout is full or closed
        _abandon_stdout()
        return _complain(
            FileError(f"cannot write the result: {fault.strerror}", fix="free space, or redirect elsewhere")
        )


def _speak_unicode() -> None:
    """Tables have rules and bars: UTF-8 where the locale is none (C, POSIX), else a mark for what cannot be written."""
    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    if encoding.startswith("utf") or not hasattr(sys.stdout, "reconfigure"):
        return
    is_chosen = "PYTHONIOENCODING" in os.environ
    sys.stdout.reconfigure(**({"errors": "replace"} if is_chosen else {"encoding": "utf-8"}))


def _of_ranks(args: list[str]) -> int:
    """Under torchrun: the first rank runs the command line, the others help it."""
    from ..api import ranks

    if not ranks.is_one():
        return _run(args)
    if not ranks.is_first():
        return ranks.serve()
    code = _run(args)
    if code:  # torchrun ends the others; what threads of this one still do is of no use
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    ranks.dismiss()
    return 0


def _run(args: list[str]) -> int:
    try:
        if COMPLETE in os.environ:
            from .candidates import candidates

            print("".join(f"{word}\n" for word in candidates(os.environ.pop(COMPLETE))), end="")
            return 0
        code = root().main(args=_sources_of_stdin(args), prog_name="lossctl", standalone_mode=False)
        if (again := sys.modules.get("lossctl.files.again")) and not {"-q", "--quiet"} & set(args):
            for line in again.told(again.taken()):
                say(f"lossctl: note: {line}")
        return code if isinstance(code, int) else 0
    except LossctlError as fault:
        return _complain(fault, args)
    except typer.TyperException as fault:
        return _complain_of_usage(fault)
    except (KeyboardInterrupt, typer.Abort):
        say("lossctl: interrupted")
        return 130
    except MemoryError:
        return _complain(FileError("out of memory", fix="close other programs, or use fewer threads: -j 1"))
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):  # which typer took for its own
            raise BrokenPipeError from stop
        raise
    except OSError:
        raise
    except Exception as fault:
        if SIGNALS:  # what it interrupted, an import for one, has made another fault of it
            say("lossctl: interrupted")
            return 128 + SIGNALS[-1]
        return _confess(fault)


def _sources_of_stdin(args: list[str]) -> list[str]:
    """The arguments with the long name of stdin in `-::SELECTOR`, which is no option; outputs as they are."""
    before = ["", *args]
    return [
        f"{STDIN}{argument[1:]}" if argument.startswith("-::") and last not in ("-o", "--output") else argument
        for last, argument in zip(before, args, strict=False)
    ]


def say(text: str, lead: str = "") -> None:
    """A line or more for the person at the other end of stderr, if there is one: this must never fail.

    text: what cannot be seen in it is escaped; lead: what stands before it as it is
    A terminal would break its lines within numbers, so they are broken between words; a fix stays a line, to be copied.
    """
    if sys.stderr is not None:
        progress = sys.modules.get(f"{__package__}.progress")
        for bar in progress.shown if progress else ():
            bar.erase()
        with contextlib.suppress(OSError):
            lines = (lead + message(text)).split("\n")
            if sys.stderr.isatty():
                lines = [part for line in lines for part in _broken(line)]
            print("\n".join(lines), file=sys.stderr, flush=True)


def _broken(line: str) -> list[str]:
    import shutil
    import textwrap

    width = shutil.get_terminal_size((100, 24)).columns
    if len(line) <= width or line.startswith("  fix:"):
        return [line]
    indent = " " * 8 if line.startswith("  ") or line.startswith("lossctl: ") else ""
    return textwrap.wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


SIGNALS: list[int] = []  # that have come


def _interrupt(number: int, frame: object) -> None:
    SIGNALS.append(number)
    _leave_an_import(number)
    raise KeyboardInterrupt


def _terminate(number: int, frame: object) -> None:
    SIGNALS.append(number)
    _leave_an_import(number)
    sys.exit(128 + number)


def _leave_an_import(number: int) -> None:
    """End at once where a module is being imported: extension modules (torch, of numpy) lose an exception or abort."""
    specs = (getattr(module, "__dict__", {}).get("__spec__") for module in tuple(sys.modules.values()))
    if any(getattr(spec, "_initializing", False) for spec in specs):
        if writing := sys.modules.get("lossctl.files.writing"):
            writing.abandon()
        os._exit(128 + number)


def _once_more(ignored: Any) -> None:
    """A signal that came in a destructor, where no exception goes on, comes again a moment later."""
    if not SIGNALS or not isinstance(ignored.exc_value, SystemExit | KeyboardInterrupt):
        sys.__unraisablehook__(ignored)
        return
    from threading import Timer

    again = Timer(MOMENT, os.kill, (os.getpid(), SIGNALS[-1]))
    again.daemon = True
    again.start()


def _complain(fault: LossctlError, args: Sequence[str] = ()) -> int:
    red, plain = ("\033[31m", "\033[0m") if colour(sys.stderr) else ("", "")
    lines = [fault.what]
    lines += [f"  why:  {fault.why}"] if fault.why else []
    lines += [f"  fix:  {_completed(fault.fix, args)}"] if fault.fix else []
    say("\n".join(lines), f"lossctl: {red}error{plain}: ")
    return EXIT_CODES[type(fault)]


def _completed(fix: str, args: Sequence[str]) -> str:
    """A fix with the words of this command for "lossctl ...", where it is seen which of its files is meant."""
    dots = re.search(r"lossctl \.\.\. ('[^']*'|[^\s',]+)((?: --[a-z-]+(?: '[^']*'| [^\s;,-]+)?)*)", fix)
    if dots is None:
        return fix
    import shlex

    before, (target,) = fix[: dots.start()], shlex.split(dots[1])
    path, _, selector = target.partition("::")
    is_stdin = path == "-" and " stdin |" in before
    if is_stdin:
        before = before.replace(" stdin |", " |").replace(" < |", " |")
    words, is_met = [], False
    for word in args:
        option, equals, source = word.partition("=") if word.startswith("--") else ("", "", word)
        name, mark, own = source.partition("::")
        quoted = f" {shlex.quote(name)} "
        if name and (quoted in before if path == "-" and not is_stdin else name == path):
            is_met = True
            word = option + equals + path + (f"::{selector}" if selector else mark + own)
        words.append(word)
    if not is_met:
        return fix
    more = shlex.split(dots[2])
    for flag in {word for word in more if word.startswith("--")} & set(words):
        at = words.index(flag)
        del words[at : at + 2]
    return f"{before}lossctl {shlex.join([*words, *more])}{fix[dots.end() :]}"


def _complain_of_usage(fault: Any) -> int:
    context = getattr(fault, "ctx", None)
    if context and type(fault).__name__ == "NoArgsIsHelpError":
        print(context.get_help())
        return 0
    if type(fault).__name__ == "NoSuchOption":
        from .unknown import unknown_option

        return _complain(unknown_option(fault))
    message = fault.format_message()
    if type(fault).__name__ == "BadOptionUsage":
        from .unknown import without_value

        return _complain(without_value(fault))
    fix = f"{context.command_path} --help" if context else "lossctl --help"
    return _complain(UsageError(message.rstrip("."), fix=f"see: {fix}"))


def _confess(fault: Exception) -> int:
    if os.environ.get("LOSSCTL_DEBUG"):
        raise fault
    say(
        f"lossctl: bug: {type(fault).__name__}: {fault}\n"
        f"  fix:  run again with LOSSCTL_DEBUG=1 and report the traceback with this command (lossctl {__version__})"
    )
    return BUG


def _abandon_stdout() -> None:
    """Point stdout at nothing, so that the interpreter does not fail again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def colour(stream: Any) -> bool:
    """Whether to colour a stream: --color, then NO_COLOR and TERM=dumb, then whether a person reads it."""
    if COLOUR_CHOICE.get() != "auto":
        return COLOUR_CHOICE.get() == "always"
    return is_seen(stream) and not os.environ.get("NO_COLOR")


def is_seen(stream: Any) -> bool:
    """Whether a person sees what is drawn on a stream."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
