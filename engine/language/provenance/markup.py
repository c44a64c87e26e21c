"""The markup of a page in a text: what a reader sees of it, and what it hides.

Tags that part nothing are gone, those of a block stand without their attributes, and a comment is nothing.  A picture
is the text that stands for it.  Names that are none of HTML are left as they are: `480 <EUR>` says a currency.
"""

from __future__ import annotations

import re


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# what a reader sees begin on a line or in a cell of its own
BLOCKS = _names("""
address article aside blockquote body br caption center dd details dialog div dl dt fieldset figcaption figure footer
form h1 h2 h3 h4 h5 h6 head header hr html legend li main nav ol optgroup option p pre section summary table tbody td
tfoot th thead title tr ul
""")
_INLINE = _names("""
a abbr acronym b bdi bdo big button cite code data del dfn em font i ins kbd label mark meter nobr output picture q rp
rt ruby s samp small span strike strong sub sup time tt u var wbr
""")

# where something is that can't be seen
_NOTHING = "\u200b"

_COMMENT = re.compile(r"<!--(?:-?>|.*?--!?>)", re.DOTALL)
_COMMENT_ENDS = ("-->", "--!>")
# a tag, whose attributes may hold any sign in quotes; how much of them is read is bounded, so that all is read once
_TAG = re.compile(
    r"</?(?P<name>[A-Za-z][A-Za-z0-9]{0,10}+)"
    r"(?P<rest>(?:[\s/](?:[^<>\"']++|\"[^\"]{0,200}+\"|'[^']{0,200}+'){0,24}+|[\s/][^<>]*+)?)>"
)
_ALT = re.compile(r"\balt\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
# a dash with a tag of its own is a sign, and lists nothing
_MARKED_DASH = re.compile(r"([-\u2212])\u200b+[ \t]+(?=[0-9]|[$\u20a0-\u20cf\u00a3\u00a5])")
_ANY_TAG = re.compile(r"</?[A-Za-z!?][^<>]*>")


def visible_text(text: str) -> str:
    """A text as a reader sees it; what is hidden between two characters stands there as one that can't be seen."""
    if "<" not in text:
        return text
    return _MARKED_DASH.sub(r"\1", _TAG.sub(_visible_tag, _without_comments(text, _NOTHING)))


def hidden(text: str) -> str:
    """What the markup of a text holds that a reader does not see: its comments and the attributes of its tags."""
    if "<" not in text:
        return ""
    comments = list[str]()
    rest = _without_comments(text, _NOTHING, comments)
    tags = (found["rest"] for found in _TAG.finditer(rest) if found["name"].lower() in _INLINE | BLOCKS | {"img"})
    return "\n".join([*comments, *filter(str.strip, tags)])


def untagged(text: str) -> str:
    """A text without anything that looks like a tag or a comment."""
    return _ANY_TAG.sub("", _without_comments(text, "")) if "<" in text else text


def _without_comments(text: str, instead: str, into: list[str] | None = None) -> str:
    def blank(found: re.Match[str]) -> str:
        if into is not None:
            into.append(found[0][2:].strip("<>!-?"))
        return instead

    # behind the last end of a comment none ends, so that none is looked for in vain
    last = max(text.rfind(end) + len(end) for end in _COMMENT_ENDS)
    return _COMMENT.sub(blank, text[:last]) + text[last:]


def _visible_tag(found: re.Match[str]) -> str:
    name = found["name"].lower()
    if name in BLOCKS:
        return f"<{name}>"
    if name == "img":
        alt = _ALT.search(found["rest"])
        return next(filter(None, alt.groups()), "") if alt is not None else _NOTHING
    return _NOTHING if name in _INLINE else found[0]
