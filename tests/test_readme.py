"""Each example of README.md and docs/ prints what it says. `python tests/test_readme.py` writes the outputs anew."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from commands import forked

from lossctl.cli.app import COMMANDS
from lossctl.language import registry
from lossctl.language.elsewhere import coverage
from lossctl.show.losses import options_text
from lossctl.show.sheet import Sheet, markdown

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
TABLE = re.compile(r"<!-- losses -->\n(.*?)<!-- end of losses -->", re.DOTALL)
COVERAGE = re.compile(r"<!-- coverage -->\n(.*?)<!-- end of coverage -->", re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)\)")


def losses_table() -> str:
    """The table of docs/losses.md."""
    rows = tuple(
        (f"`{loss.name}`", " ".join(role.option for role in loss.roles), options_text(loss), f"`{loss.doc['Formula']}`")
        for loss in registry.walk()
    )
    return markdown(Sheet(("loss", "inputs", "options", "formula"), rows))


def coverage_table() -> str:
    """How much of each library is here, and what is not, with the reason."""
    rows = tuple(
        (line.library, f"{line.here} of {line.possible}", f"{line.here / line.possible:.0%}", *map("; ".join, line[3:]))
        for line in coverage()
    )
    return markdown(Sheet(("library", "here", "share", "not here", "not of files of predictions"), rows))


def shell(command: str) -> str:
    """What a command prints on both streams, in the order of a terminal; what needs no shell does without one."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": "100", "PYTHONUNBUFFERED": "1"}
    if command.startswith("lossctl ") and not set(command) & set("|;&<>$`*?"):
        return forked(shlex.split(command)[1:], b"", ROOT, environment, together=True)[1].decode()
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return done.stdout


def examples(text: str) -> list[tuple[str, str]]:
    """(command, output) for each `$` line of the console blocks."""
    pairs = []
    for block in CONSOLE.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            pairs.append((command, output))
    return pairs


EXAMPLES = [
    pytest.param(
        command,
        output,
        id=f"{page.name}: {command[:60]}",
        marks=[pytest.mark.slow] if page.parent.name == "docs" else [],
    )
    for page in PAGES
    for command, output in examples(page.read_text())
]


@pytest.mark.parametrize(("command", "output"), EXAMPLES)
def test_example(command, output):
    assert shell(command) == output


def test_there_are_examples():
    assert len(EXAMPLES) > 40
    assert len(examples(PAGES[0].read_text())) >= 8


def test_the_readme_is_short():
    assert len(PAGES[0].read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    assert not [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()]


def test_every_page_is_named_in_the_readme():
    assert not [page.name for page in PAGES[1:] if f"docs/{page.name}" not in PAGES[0].read_text()]


def test_every_room_is_in_the_table_of_the_design():
    text = (ROOT / "docs" / "design.md").read_text()
    rooms = [path.parent.name for path in (ROOT / "lossctl").glob("*/__init__.py")]
    assert not [room for room in rooms if f"`{room}/`" not in text]


def test_every_command_is_in_the_documents():
    text = "".join(page.read_text() for page in PAGES)
    assert not [command for command in COMMANDS if f"lossctl {command}" not in text]


def test_the_table_of_losses_is_the_registry():
    (table,) = TABLE.findall((ROOT / "docs" / "losses.md").read_text())
    assert table.strip() == losses_table().strip()
    (table,) = COVERAGE.findall((ROOT / "docs" / "losses.md").read_text())
    assert table.strip() == coverage_table().strip()


def rewrite(page: Path) -> None:
    """The same page with what its commands print now, and the table of losses as the registry has it."""

    def block(match: re.Match) -> str:
        lines = [f"$ {command}\n{shell(command)}" for command, _ in examples(match[0])]
        return "```console\n" + "".join(lines) + "```"

    text = CONSOLE.sub(block, page.read_text())
    table = losses_table()
    text = TABLE.sub(lambda _: f"<!-- losses -->\n{table}<!-- end of losses -->", text)
    cover = f"<!-- coverage -->\n{coverage_table()}<!-- end of coverage -->"
    page.write_text(COVERAGE.sub(lambda _: cover, text))


if __name__ == "__main__":
    for page in PAGES:
        rewrite(page)
