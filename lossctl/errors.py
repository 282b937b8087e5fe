"""What can go wrong, in three parts: what happened and where, why it matters, how to fix it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

KEYWORDS = {
    "--na skip": "skip_nan=True",
    "--from-logits": "from_logits=True",
    "--normalize": "normalize=True",
    "--soft": "soft=True",
    "--percent": "percent=True",
    "--renormalize": "renormalize=True",
    "--multi-label": "multi_label=True",
    "--multi-class": "multi_class=True",
    "--shift": "shift=True",
    "--distance cosine": 'distance="cosine"',
    "--device cpu": 'device="cpu"',
    "--on": "executor",
}
OF_TEXT = "memory|classes|positive|align|decimal|thousands|noise|header|delimiter|squash|ci-method|class-distances"
WORD = r"""(?:'[^']*'|"[^"]*"|[^\s;,'"]|,(?=\S))+|,"""  # of a shell, without a comma after it
TEXTS = rf"--({OF_TEXT}) (?!(?:out|with|and|or)\b)({WORD})"
NUMBERS = r"--(class-axis|clip|ignore-index|noise-label) (-?[0-9.e-]+)"
PIPE = r" \| lossctl \.\.\. -(::\S+)?"  # which only a shell has
NUMBER = r"-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?"
COMMAND = r"lossctl compute ([a-z][a-z0-9-]*)((?: --[a-z-]+ [^\s;,()-][^\s;,()]*)*)(?=$|[:;,]| \(| or | for | of )"
REDUCTIONS = r"(?<![\w-])-r (?!out\b)([a-z-]+(?: or (?!-)[a-z-]+)*)"
LETTERS = {"-w": "weight", "-j": "jobs", "-g": "group", "-r": "reduction"}
SOURCE = r"--([a-z-]+) ('[^']+::[^']+'|[^\s']+::[^\s;,']+)"
BESIDE = "group|weight|cluster|align|id|ref|ref-label|exclude-same|by|seed-of"  # sources that are keys of an entry
FLAG = r"(?<![\w-])--([a-z][a-z0-9-]*)"
PLACES = 4  # how many inputs a fault names


class LossctlError(Exception):
    """A fault that the user can mend. Each kind has one exit code, which the command line knows."""

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        parts = (("", self.what), ("why: ", self.why), ("fix: ", self.fix))
        return "\n".join(label + text for label, text in parts if text)


class UsageError(LossctlError):
    """The command or the call is wrong: an unknown loss, an option out of range, two sources for a role."""


class DataError(LossctlError):
    """The input is readable but cannot be used: NaN, unequal lengths, a label outside the classes.

    row: which row of the first input it is about, where whoever raises it knows no file;  is_placed: it names a file
    likely: by input that no column is called like, the column that may be meant; {} where one has none
    """

    def __init__(
        self,
        what: str,
        *,
        why: str = "",
        fix: str = "",
        row: int | None = None,
        likely: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(what if row is None else f"row {row}: {what}", why=why, fix=fix)
        self.row = row
        self.likely = likely or {}
        self.is_placed = False

    def place(self, names: Sequence[str], where: Callable[[int], str] | None = None) -> None:
        """Let it name the inputs, unless it names one already.

        names: what messages call them;  where: a row of the first one -> what messages call that
        """
        if self.is_placed or not names:
            return
        if self.row is not None and where is not None:
            self.place_at(where(self.row))
        elif not any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", self.what) for name in names):
            more = f" and {len(names) - PLACES} more" if len(names) > PLACES else ""
            self.what = f"{', '.join(names[:PLACES])}{more}: {self.what}"
        self.is_placed = True

    def place_at(self, where: str) -> None:
        """Let it name the place of its row."""
        self.what, self.is_placed = f"{where}: {self.what.partition(': ')[2]}", True


class FileError(LossctlError):
    """A file cannot be opened, read or written."""


class DeviceError(LossctlError):
    """The device or backend that was asked for is not available here."""


@contextmanager
def told_in_python() -> Iterator[None]:
    """Lets faults through, with the arguments of a Python call in the place of the flags of a command."""
    with _told(in_python):
        yield


@contextmanager
def told_in_a_suite() -> Iterator[None]:
    """Lets faults through, with the keys of a suite in the place of the flags of a command."""
    with _told(_in_a_suite):
        yield


@contextmanager
def _told(words: Callable[[str], str]) -> Iterator[None]:
    try:
        yield
    except LossctlError as fault:
        fault.what, fault.why, fault.fix = map(words, (fault.what, fault.why, fault.fix))
        raise


def _text(word: str) -> str:
    """A word of a shell as a text of Python."""
    import shlex

    (text,) = shlex.split(word)
    return repr(text) if '"' in text else f'"{text}"'


def _source(match: re.Match[str]) -> str:
    """A source as an argument; of a table in memory, the name of its column alone."""
    return f'{match[1].replace("-", "_")}="{match[2].strip(chr(39)).removeprefix("input::").removeprefix("=")}"'


def _call(match: re.Match[str]) -> str:
    """A command of one loss, whose files are not told, as a call."""
    import shlex

    words = shlex.split(match[2])
    plain = [word if word.isupper() or re.fullmatch(NUMBER, word) else _text(word) for word in words[1::2]]
    values = [f"{flag[2:].replace('-', '_')}={word}" for flag, word in zip(words[::2], plain, strict=True)]
    return f"lossctl.compute({', '.join([_text(match[1]), '...', *values])})"


def in_python(text: str) -> str:
    """A text that speaks of flags, with the arguments of a Python call in their place."""
    text = re.sub(COMMAND, _call, text)
    if "-" not in text:
        return text.replace("lossctl ... ", "")
    text = _without_a_shell(text, 'reduction="{}"')
    text = re.sub(r"--([a-z]+) SRC\b", r"\1=...", text)
    text = re.sub(r"--([a-z]+) ([A-Z])(?=[ );]|$)", r"\1=\2", text)
    text = re.sub(SOURCE, _source, text)
    text = re.sub(TEXTS, lambda match: f"{match[1].replace('-', '_')}={_text(match[2])}", text)
    text = re.sub(NUMBERS, lambda match: f"{match[1].replace('-', '_')}={match[2]}", text)
    for flag, keyword in KEYWORDS.items():
        text = re.sub(rf"{flag}(?![\w-])(?! out\b)", keyword, text)
    return re.sub(FLAG, lambda match: match[1].replace("-", "_"), text)


def _without_a_shell(text: str, setting: str) -> str:
    """What goes through a pipe as a file of its own, and flags of one letter as the words that they are short for.

    setting: how a reduction is set
    """
    text = re.sub(PIPE, r" > mended.csv, and name mended.csv\1", text).replace("lossctl ... ", "")
    text = re.sub(REDUCTIONS, lambda match: " or ".join(map(setting.format, match[1].split(" or "))), text)
    return re.sub(r"(?<![\w-])-[wjgr](?=$|[ ,;])", lambda match: LETTERS[match[0]], text)


def _inputs(match: re.Match[str]) -> str:
    """Sources that are named one by one, as the key of a suite."""
    return f"inputs: {{{', '.join(f'{role}: {source}' for role, source in re.findall(SOURCE, match[0]))}}}"


_PLAIN = frozenset("'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./")  # how YAML may begin a text


def _in_a_suite(text: str) -> str:
    text = _without_a_shell(text, "reduction: {}")
    text = re.sub(TEXTS, lambda match: f"{match[1]}: {match[2] if match[2][0] in _PLAIN else repr(match[2])}", text)
    text = re.sub(NUMBERS, r"\1: \2", text)
    flags = "from-logits|from-probs|normalize|soft|percent|renormalize|multi-label|multi-class|shift"
    text = re.sub(rf"--({flags})\b(?! out\b)", r"\1: true", text)
    text = re.sub(rf"--({BESIDE}) (\S+::[^\s;,]+)", r"\1: \2", text)
    text = re.sub(SOURCE + f"((?: {SOURCE})*)", _inputs, text)
    text = re.sub(FLAG + r" (skip\b|cosine\b|SRC\b|[A-Z](?=[ );]|$)|[0-9.]+%?)", r"\1: \2", text)
    return re.sub(FLAG, r"\1", text)
