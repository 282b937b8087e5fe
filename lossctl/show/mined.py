"""What was mined, as a short table."""

from __future__ import annotations

from ..api.mine import MiningSummary
from ..text import shown
from .sheet import Sheet


def page(summary: MiningSummary) -> Sheet:
    """Triplets, categories, anchors covered and mean loss of one file."""
    count = max(summary.triplets, 1)
    rows = [
        ("triplets", f"{summary.triplets:,}", ""),
        *(
            (name, f"{number:,}", f"{number / count:.2%}")
            for name, number in (("  hard", summary.hard), ("  semi-hard", summary.semi_hard), ("  easy", summary.easy))
        ),
        ("anchors covered", f"{summary.anchors:,}", f"{summary.anchors / max(summary.all_anchors, 1):.2%}"),
        ("mean margin violation", f"{summary.loss:.6g}", ""),
    ]
    title = f"{summary.strategy} -> {shown(summary.path)} ({summary.bytes:,} bytes)"
    return Sheet(("mined", "count", "share"), tuple(rows), frozenset({"count", "share"}), title=title)
