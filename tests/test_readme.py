"""Each example of the README prints what the README says. `python tests/test_readme.py` writes the outputs anew."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lossctl.language import registry
from lossctl.show.losses import readme_table

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
TABLE = re.compile(r"<!-- losses -->\n(.*?)<!-- end of losses -->", re.DOTALL)


def shell(command: str) -> str:
    """What a command prints, both streams, with the lossctl of this Python."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "100"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return done.stdout


def examples(text: str) -> list[tuple[str, str]]:
    """(command, output) for each `$` line of the console blocks."""
    found = []
    for block in CONSOLE.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


@pytest.mark.parametrize(("command", "output"), examples(README.read_text()), ids=lambda text: text.split("\n")[0][:60])
def test_example(command, output):
    assert shell(command) == output


def test_there_are_examples():
    assert len(examples(README.read_text())) > 8


def test_the_table_of_losses_is_the_registry():
    (table,) = TABLE.findall(README.read_text())
    assert table.strip() == readme_table(list(registry.walk())).strip()


def rewrite() -> None:
    def block(match: re.Match) -> str:
        lines = [f"$ {command}\n{shell(command)}" for command, _ in examples(match[0])]
        return "```console\n" + "".join(lines) + "```"

    text = CONSOLE.sub(block, README.read_text())
    table = readme_table(list(registry.walk()))
    README.write_text(TABLE.sub(lambda _: f"<!-- losses -->\n{table}<!-- end of losses -->", text))


if __name__ == "__main__":
    rewrite()
