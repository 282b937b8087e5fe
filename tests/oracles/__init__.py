"""What every loss must print, said by someone else: another library, a closed form, a published number.

ORACLES is the one table: loss -> cases; those of lossctl/losses/FAMILY.py stand in FAMILY.py here. No case repeats our
formula on another backend: where a library has the loss, it is asked; where none has, the truth is a number worked out
by hand (in fractions or decimals), a count of pairs or triplets one by one, or a series. A number that a library
printed elsewhere is written down with the library's name and version.
"""

import importlib

from lossctl.language import registry

from . import conventions
from .case import Case

FAMILIES = sorted({loss.family for loss in registry.walk()})
ORACLES: dict[str, list[Case]] = {
    name: cases for family in FAMILIES for name, cases in importlib.import_module(f"oracles.{family}").CASES.items()
}
for name, cases in conventions.CASES.items():
    ORACLES[name] = [*ORACLES[name], *cases]
