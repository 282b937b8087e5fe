"""What was mined, as a short table."""

from __future__ import annotations

from ..api.mine import MiningSummary, PairSummary, Summary
from ..text import shown
from .sheet import Sheet


def page(summary: Summary) -> Sheet:
    """What one file holds, by category, and the anchors covered."""
    anchors = ("anchors covered", f"{summary.anchors:,}", f"{summary.anchors / max(summary.all_anchors, 1):.2%}")
    rows = [*(_pairs(summary) if isinstance(summary, PairSummary) else _triplets(summary)), anchors]
    if isinstance(summary, MiningSummary):
        rows.append(("mean margin violation", f"{summary.loss:.6g}", ""))
    title = f"{summary.strategy} -> {shown(summary.path)} ({summary.bytes:,} bytes)"
    return Sheet(("mined", "count", "share"), tuple(rows), frozenset({"count", "share"}), title=title)


def _pairs(summary: PairSummary) -> list[tuple[str, str, str]]:
    kinds = (("positive pairs", summary.positives), ("negative pairs", summary.negatives))
    return [(name, f"{number:,}", f"{number / max(summary.total, 1):.2%}") for name, number in kinds]


def _triplets(summary: MiningSummary) -> list[tuple[str, str, str]]:
    count = max(summary.triplets, 1)
    return [
        ("triplets", f"{summary.triplets:,}", ""),
        *(
            (name, f"{number:,}", f"{number / count:.2%}")
            for name, number in (("  hard", summary.hard), ("  semi-hard", summary.semi_hard), ("  easy", summary.easy))
        ),
    ]
