"""Worked examples: steps such as `miss = 1 - 0.9; loss = miss^2 * -log(0.9)`, calculated when they are shown."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

OPERATORS: dict[type, Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
}
FUNCTIONS: dict[str, Callable[..., float]] = {
    "abs": abs, "exp": math.exp, "log": math.log, "log2": math.log2, "max": max, "min": min, "sqrt": math.sqrt,
}  # fmt: skip


class Step(NamedTuple):
    """One line of a calculation: what it is called, how it is obtained, and the number."""

    name: str
    formula: str
    value: float


def steps(text: str) -> tuple[Step, ...]:
    """The steps of a text, `;` between them, each free to use the names before it. ValueError for no arithmetic."""
    known: dict[str, float] = {}
    lines = []
    for part in text.split(";"):
        name, _, formula = (word.strip() for word in part.partition("="))
        known[name] = _value(ast.parse(formula.replace("^", "**"), mode="eval").body, known)
        lines.append(Step(name, formula, known[name]))
    return tuple(lines)


def _value(node: Any, known: dict[str, float]) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.Name) and node.id in known:
        return known[node.id]
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return OPERATORS[type(node.op)](_value(node.left, known), _value(node.right, known))
    if isinstance(node, ast.UnaryOp) and type(node.op) in OPERATORS:
        return OPERATORS[type(node.op)](_value(node.operand, known))
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in FUNCTIONS
        and not node.keywords
    ):
        return float(FUNCTIONS[node.func.id](*(_value(argument, known) for argument in node.args)))
    raise ValueError(f"no arithmetic: {ast.unparse(node)}")
