# SPDX-License-Identifier: Apache-2.0
"""Figures as SVG elements that can stand together in one page."""

from __future__ import annotations

import io
import re
from html import escape

import matplotlib as mpl
from matplotlib.figure import Figure

_ID = re.compile(r'\bid="([^"]+)"')
_REFERENCE = re.compile(r'(url\(#|href="#)([^")]+)')
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)


def inline_svg(figure: Figure, name: str, title: str) -> str:
    """A figure without XML head, its ids prefixed so that they are unique in the page.

    Args:
        figure: To be drawn.
        name: Prefix of the ids.
        title: What a screen reader says.
    """
    with io.StringIO() as sink, mpl.rc_context({"svg.hashsalt": "unas"}):
        figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
        text = sink.getvalue()
    text = _METADATA.sub("", text[text.index("<svg") :]).strip()
    text = _ID.sub(rf'id="{name}-\1"', text)
    text = _REFERENCE.sub(rf"\1{name}-\2", text)
    head, body = text.split(">", 1)
    return f'{head} role="img" class="figure"><title>{escape(title)}</title>{body}'
