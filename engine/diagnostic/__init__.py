"""A place in a text, a complaint about it, the manual of every code, and the ways to print them."""

from engine.diagnostic.diagnostic import Diagnostic, Severity, has_errors, sort
from engine.diagnostic.manual import Manual
from engine.diagnostic.place import Place, SourceFile
from engine.diagnostic.suggest import MOST_SHOWN, did_you_mean, nearest

__all__ = [
    "MOST_SHOWN",
    "Diagnostic",
    "Manual",
    "Place",
    "Severity",
    "SourceFile",
    "did_you_mean",
    "has_errors",
    "nearest",
    "sort",
]
