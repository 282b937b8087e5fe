"""A suite as one HTML page that needs nothing else: tables, pictures, light and dark, fit to be printed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..results.comparisons import Comparison
from ..results.suites import Outcome, SuiteReport
from ..results.values import Interval, Result
from ..text import escaped, shown
from ..text import html_text as escape
from ..version import __version__
from .comparisons import context as comparison_context
from .comparisons import p_text, row_counts, signed, verdict_text
from .forest import NARROW, WIDE, ForestBar, svg
from .results import interval_text, loss_text, number, of_text
from .suites import summary, values_of

LONGEST_PICTURE = 60

STYLE = """
:root { --ink: #1c2126; --soft: #5c6670; --line: #dfe4e8; --page: #ffffff; --card: #f7f9fa;
  --good: #1a7f4b; --bad: #c0352b; --plain: #2b6cb0; --warn: #9a6700 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaee; --soft: #9aa5b1; --line: #333b44; --page: #14181c;
  --card: #1c2227; --good: #4cc38a; --bad: #ff7b72; --plain: #6cb0f5; --warn: #e3b341 } }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 0 auto;
  max-width: 1000px; padding: 32px 24px 64px }
h1 { font-size: 26px; margin: 0 0 4px } h2 { font-size: 18px; margin: 0 }
p { margin: 6px 0 } .soft { color: var(--soft) } a { color: var(--plain) }
.tiles { display: flex; gap: 12px; margin: 20px 0; flex-wrap: wrap }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 18px;
  min-width: 110px }
.tile b { display: block; font-size: 24px; line-height: 1.2 }
section { border: 1px solid var(--line); border-radius: 8px; padding: 16px 20px; margin: 20px 0; break-inside: avoid }
section > header { display: flex; align-items: baseline; gap: 12px; margin-bottom: 8px }
.badge { font-size: 12px; font-weight: 600; padding: 1px 9px; border-radius: 10px; border: 1px solid;
  white-space: nowrap }
.passed { color: var(--good) } .failed, .error { color: var(--bad) }
.doubt { color: var(--warn) }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top }
td .badge { position: relative; top: 1px } th { color: var(--soft); font-weight: 600; font-size: 13px }
td.n, th.n { text-align: right; white-space: nowrap } td:last-child, th:last-child { padding-right: 0 }
td.wide { width: 99%; overflow-wrap: anywhere } .scroll { overflow-x: auto }
code { font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 8px 12px; overflow-x: auto;
  font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; margin: 8px 0 }
details { margin-top: 10px; color: var(--soft) } summary { cursor: pointer }
svg.forest { width: 100%; height: auto; margin: 10px 0 2px; font: 12px system-ui, sans-serif }
.forest text { fill: var(--ink) } .wide .label, .narrow .value { text-anchor: end }
svg.narrow { display: none }
.forest .tick, .forest text.mark { text-anchor: middle }
.forest .tick { fill: var(--soft) } .forest .grid { stroke: var(--line) }
.forest line.mark { stroke: var(--warn); stroke-width: 1.5; stroke-dasharray: 4 3 }
.forest text.mark { fill: var(--warn) }
.forest .interval { stroke-width: 3; stroke-linecap: round; opacity: .55 }
.forest .plain, .forest .strong { stroke: var(--plain); fill: var(--plain) }
.forest .good { stroke: var(--good); fill: var(--good) } .forest .bad { stroke: var(--bad); fill: var(--bad) }
.forest g text { stroke: none } .forest .strong .label { font-weight: 600 }
@media (max-width: 700px) {
  body { padding: 16px 12px 40px } section { padding: 12px } .tile { flex: 1 1 40%; padding: 8px 12px }
  svg.wide { display: none } svg.narrow { display: block; max-width: 480px }
  .values thead { display: none } .values tr { display: block; padding: 6px 0; border-bottom: 1px solid var(--line) }
  .values td, .values td.n { display: flex; justify-content: space-between; gap: 16px; padding: 1px 0; border: 0;
    text-align: right; white-space: normal; overflow-wrap: anywhere }
  .values td::before { content: attr(data-of); color: var(--soft); text-align: left; white-space: nowrap }
  .values td:empty { display: none } h1, h2 { overflow-wrap: anywhere }
  .overview, .overview tbody { display: block } .overview td a { overflow-wrap: anywhere }
  .overview tr { display: block; padding: 6px 0; border-bottom: 1px solid var(--line) }
  .overview td { display: inline; border: 0 } .overview td.wide { display: block; width: auto; padding: 2px 0 }
}
@media print { body { max-width: none; padding: 0; font-size: 12px } section { border-color: #999 } a { color: inherit }
  section > header { break-after: avoid } tr, svg { break-inside: avoid } section { break-inside: auto } }
"""


VERDICT_CLASSES = {"better": "passed", "worse": "failed"}


def html(report: SuiteReport, digits: int) -> str:
    """The whole page."""
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(report.title)}</title><style>{STYLE}</style></head><body>"
    )
    title = f'<h1>{_text(report.title)}</h1><p class="soft">{_text(report.path)}, lossctl {__version__}</p>'
    parts = [head, title, _tiles(report), _overview(report)]
    parts += [_section(outcome, at, digits) for at, outcome in enumerate(report.outcomes)]
    return "".join([*parts, "</body></html>\n"])


def _text(text: str) -> str:
    return escape(shown(text))


def _tiles(report: SuiteReport) -> str:
    counts = [("entries", "", len(report.outcomes))]
    counts += [(status, status, report.count(status)) for status in ("passed", "failed", "error")]
    tiles = [
        f'<div class="tile"><b class="{tone if count else "soft"}">{count}</b>{name}</div>'
        for name, tone, count in counts
    ]
    return f'<div class="tiles" aria-label="{_text(summary(report))}">{"".join(tiles)}</div>'


def _overview(report: SuiteReport) -> str:
    rows = [
        f'<tr><td><span class="badge {entry.status}">{entry.status}</span></td>'
        f'<td><a href="#entry-{at}">{_text(entry.name)}</a></td>'
        f'<td class="wide">{escape(escaped(_headline(entry)))}</td></tr>'
        for at, entry in enumerate(report.outcomes)
    ]
    return f'<table class="overview"><tbody>{"".join(rows)}</tbody></table>'


def _headline(outcome: Outcome) -> str:
    if outcome.reasons:
        return outcome.reasons[0]
    values = [
        f"{loss_text(value)} {value.value:.4g}"
        for value in outcome.results
        if value.group is None and value.average != "macro"
    ]
    values += [
        f"{loss_text(value)}: {value.other} {verdict_text(value)}"
        for value in outcome.comparisons
        if value.group is None
    ]
    return ", ".join(values)


def _section(outcome: Outcome, at: int, digits: int) -> str:
    parts = [
        f'<section id="entry-{at}"><header><h2>{_text(outcome.name)}</h2>'
        f'<span class="badge {outcome.status}">{outcome.status}</span></header>'
    ]
    if outcome.reasons:
        parts.append(f"<pre>{'<br>'.join(map(escape, outcome.reasons))}</pre>")
    for loss in dict.fromkeys(map(loss_text, outcome.results)):
        parts.append(_results([value for value in outcome.results if loss_text(value) == loss], loss, digits))
    for loss in dict.fromkeys(map(loss_text, outcome.comparisons)):
        parts.append(_comparisons([value for value in outcome.comparisons if loss_text(value) == loss], loss, digits))
    parts += [f'<p class="doubt">{escape(warning)}</p>' for warning in _warnings(outcome)]
    parts.append(_details(outcome))
    return "".join([*parts, "</section>"])


def _results(results: Sequence[Result], loss: str, digits: int) -> str:
    """A picture where there is an interval, a group or a bound to see, and the table."""
    marks = {(gate.limit, gate.kind.replace("max-increase", "max")) for result in results for gate in result.gates}
    bars = [
        ForestBar(
            of_text(result), result.value, *_ends(result.ci), tone=_tone(result), text=number(result.value, digits)
        )
        for result in results
    ]
    picture = ""
    if (len(results) > 1 or marks or results[0].ci) and len(bars) <= LONGEST_PICTURE:
        picture = _picture(bars, f"{loss}, value by group", sorted(marks))
    header = ["of", *(["value", "interval", "standard error"] if results[0].ci else ["value"]), "n"]
    header += ["bound"] if any(result.gates for result in results) else []
    rows = [
        [
            _text(of_text(result)),
            _number(result.value, digits, result.status != "ok"),
            *([_between(result.ci, digits), _number(result.ci.standard_error, 3)] if result.ci else []),
            str(result.n),
            *(["<br>".join(_gate(gate.text, gate.passed) for gate in result.gates)] if result.gates else []),
        ]
        for result in results
    ]
    table = _table(header, rows, {"of", "bound"})
    return f"<p><code>{_text(loss)}</code> {_text(results[0].reduction)}</p>{picture}{table}"


def _picture(bars: Sequence[ForestBar], title: str, marks: Sequence[tuple[float, str]]) -> str:
    return "".join(svg(bars, title=title, marks=marks, shape=shape) for shape in (WIDE, NARROW))


def _tone(result: Result) -> str:
    if result.gates:
        return "good" if all(gate.passed for gate in result.gates) else "bad"
    return "plain" if result.group is not None else "strong"


def _gate(text: str, passed: bool) -> str:
    return f'<span class="{"passed" if passed else "failed"}">{escape(text)} {"holds" if passed else "FAILS"}</span>'


def _name(comparison: Comparison) -> str:
    """The other system, and the group in which it is compared."""
    return shown(comparison.other) + ("" if comparison.group is None else f" ({shown(comparison.group)})")


def _comparisons(comparisons: Sequence[Comparison], loss: str, digits: int) -> str:
    tones = {"better": "good", "worse": "bad"}
    bars = [
        ForestBar(
            _name(comparison),
            comparison.difference,
            *_ends(comparison.ci),
            tones.get(comparison.verdict, "plain"),
            comparison.verdict,
        )
        for comparison in comparisons
    ]
    base = shown(comparisons[0].base)
    picture = _picture(bars, f"{loss}: difference from {base}", [(0.0, base)])
    header = ["system", "value", "difference", "interval", "p (Holm)", "rows < = >", "verdict"]
    rows = [[escape(base), _number(comparisons[0].base_value, digits), "", "", "", "", "base"]]
    rows += [
        [
            _text(_name(comparison)),
            _number(comparison.other_value, digits),
            signed(comparison.difference, 3),
            f"{signed(comparison.ci.low, 3)} to {signed(comparison.ci.high, 3)}",
            p_text(comparison.p_adjusted),
            row_counts(comparison),
            f'<span class="{VERDICT_CLASSES.get(comparison.verdict, "")}">{verdict_text(comparison)}</span>',
        ]
        for comparison in comparisons
    ]
    return (
        f"<p><code>{_text(loss)}</code> minus that of {escape(base)}, n = {comparisons[0].n}; below 0 is better</p>"
        f"{picture}{_table(header, rows, {'system', 'verdict'})}"
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], left: set[str]) -> str:
    kinds = ["" if name in left else ' class="n"' for name in header]
    heads = "".join(f"<th{kind}>{escape(name)}</th>" for name, kind in zip(header, kinds, strict=True))
    body = "".join(
        "<tr>"
        + "".join(
            f'<td{kind} data-of="{escape(name)}">{cell}</td>' if cell else f"<td{kind}></td>"
            for name, cell, kind in zip(header, row, kinds, strict=False)
        )
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table class="values"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _ends(ci: Interval | None) -> tuple[float, float]:
    return (ci.low, ci.high) if ci else (math.nan, math.nan)


def _between(ci: Interval, digits: int) -> str:
    return "none" if math.isnan(ci.low) else f"{number(ci.low, digits)} to {number(ci.high, digits)}"


def _number(value: float, digits: int, odd: bool = False) -> str:
    text = f'<span title="{value!r}">{number(value, digits)}</span>'
    return f'<span class="failed">{text}</span>' if odd else text


def _warnings(outcome: Outcome) -> list[str]:
    return list(dict.fromkeys(text for value in values_of(outcome) for text in value.warnings))


def _details(outcome: Outcome) -> str:
    values = values_of(outcome)
    if not values:
        return ""
    lines = list(dict.fromkeys(note for value in values for note in value.notes))
    ci = next((value.ci for value in values if value.ci), None)
    lines += [interval_text(ci)] if ci and outcome.results else []
    lines += [comparison_context(outcome.comparisons)] if outcome.comparisons else []
    lines += list(dict.fromkeys(value.signature for value in values))
    return f"<details><summary>How it was computed</summary><pre>{'<br>'.join(map(escape, lines))}</pre></details>"
