"""Text that a person or a file names, in every format of the commands: nothing in it moves a cursor, hides or breaks a
document, and JSON means the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import ROOT, run_lossctl

from lossctl.text import escaped, html_text, json_text, message, xml_text

NONCHARACTERS = [*range(0xFDD0, 0xFDF0), *(plane << 16 | last for plane in range(17) for last in (0xFFFE, 0xFFFF))]
BIDI = [0x061C, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF]
CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]
ODD = [*CONTROLS, *BIDI, *NONCHARACTERS]
EVERYTHING = "".join(map(chr, [*range(0xA0), *BIDI, *NONCHARACTERS]))
BREAKS = "\n\t"


def odd_in(text: str, allowed: str = BREAKS) -> set[str]:
    return {character for character in text if ord(character) in ODD and character not in allowed}


def test_every_medium_is_fit_to_be_shown():
    assert odd_in(escaped(EVERYTHING), "") == set()
    for medium in (message, html_text, xml_text, json_text):
        assert odd_in(medium(EVERYTHING)) == set(), medium
    assert json.loads(json_text(EVERYTHING + "\ud800")) == EVERYTHING + "\ud800"
    assert ElementTree.fromstring(f"<a>{xml_text('a' + chr(0xFFFE) + chr(0x1B))}</a>").text == "a\ufffd\ufffd"
    assert json_text({"a": "é\n"}, indent=1) == '{\n "a": "é\\n"\n}'
    with pytest.raises(ValueError):
        json_text(float("nan"))


class Page(HTMLParser):
    """Whether a page is read to its end, and the text in it."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def handle_data(self, data: str) -> None:
        self.said.append(data)


# a YAML file and a command line hold most of them; those of text in quotes are written as escapes
NAMED = "".join(character for character in EVERYTHING if character not in '"\\')
QUOTED = "".join(f"\\U{ord(character):08x}" for character in NAMED)


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    np.savez(
        folder / "p.npz",
        pred=np.array([1.0, 2]),
        target=np.array([1.0, 3]),
        group=np.array(["a\x1b]0;x\x07", "b\u202e"]),
    )
    (folder / "s.yaml").write_text(
        f'title: "{QUOTED}"\nlosses:\n'
        f'- {{name: "a{QUOTED}", loss: mse, inputs: {folder}/p.npz, group: "{folder}/p.npz::group", max: 0.1}}\n'
        f'- {{name: "b{QUOTED}", loss: mse, inputs: "nowhere{QUOTED[10:]}.npy"}}\n'
    )
    return folder / "s.yaml"


@pytest.mark.first_fast
@pytest.mark.parametrize("format", ["table", "tsv", "csv", "md", "latex", "json", "ndjson", "junit", "html"])
def test_suites_in_every_format(suite, format):
    done = run_lossctl("run", suite, "-f", format)
    assert done.code in (1, 3, 4), done.err
    assert odd_in(done.out) == odd_in(done.err) == set()
    if format == "json":
        assert json.loads(done.out)["title"] == NAMED
    if format == "ndjson":
        assert json.loads(done.out.splitlines()[0])["entry"] == "a" + NAMED
    if format == "junit":
        assert len(ElementTree.fromstring(done.out.encode())[0]) == 2
    if format == "html":
        page = Page()
        page.feed(done.out)
        page.close()
        assert done.out.endswith("</body></html>\n") and "\\x1b" in "".join(page.said)


@pytest.mark.first_fast
@pytest.mark.parametrize("format", ["table", "tsv", "csv", "json", "ndjson", "md"])
@pytest.mark.parametrize("question", [("--per-row",), ("--top", "2")])
def test_ids_of_rows_in_every_format(tmp_path, format, question):
    ids = np.array([f"a{character}b" for character in EVERYTHING if character != "\0"])
    np.savez(tmp_path / "p.npz", pred=np.arange(len(ids), dtype=float), target=np.zeros(len(ids)), id=ids)
    done = run_lossctl("compute", "mse", tmp_path / "p.npz", *question, "--id", f"{tmp_path}/p.npz::id", "-f", format)
    if done.code == 2:
        pytest.skip(done.err)
    assert done.code == 0, done.err
    assert odd_in(done.out) == set() and odd_in(done.err) == set()


@pytest.mark.parametrize(
    "arguments", [("compute",), ("explain",), ("list", "--family"), ("run",), ("info",), ("curve",)]
)
def test_names_on_the_command_line(arguments):
    name = "".join(character for character in EVERYTHING if character != "\0")
    done = run_lossctl(*arguments, "x" + name)
    assert done.code in (2, 3, 4)
    assert odd_in(done.out) == odd_in(done.err) == set()


@pytest.mark.first_fast
@pytest.mark.parametrize("options", [("-o",), ("--plot",), ("-f",), ("--color",)])
def test_names_of_outputs(tmp_path, options):
    done = run_lossctl("compute", "mse", "samples/regression.csv", *options, f"{tmp_path}/no\x1b[31m\u202e\x9b/\x07x")
    assert done.code in (2, 4) and odd_in(done.err) == odd_in(done.out) == set()
    assert re.search(r"\\x1b", done.err)


@pytest.mark.slow
def test_code_points_in_every_name():
    """A small share of tests/attack/code_points.py."""
    script = ROOT / "tests" / "attack" / "code_points.py"
    done = subprocess.run([sys.executable, script, "64", "1"], capture_output=True, text=True)
    assert done.returncode == 0 and "131 commands: 0 faults" in done.stdout, done.stdout + done.stderr
