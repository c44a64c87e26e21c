"""Diagnostics as other tools read them."""

from __future__ import annotations

import json
import re
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from engine.bundle.checks import e302_tool
from engine.bundle.checks.catalogue import MANUALS
from engine.bundle.files import BundleFiles
from engine.bundle.load import load
from engine.diagnostic import Diagnostic, Place
from engine.diagnostic.reports import as_github, as_junit, as_sarif
from tests.bundle_texts import agent, tool

LINE = re.compile(r"::(error|warning) file=[^:,]+,line=\d+,col=\d+,endLine=\d+,endColumn=\d+,title=[EW]\d+::.+")


@pytest.fixture(name="found")
def fixture_found() -> tuple[Diagnostic, ...]:
    files = dict((agent("[look_up, look_ups]"), tool("look_up"), tool("look_ups")))
    files["specs/tools/code.py"] = "def act(**given): ..."
    found = load(BundleFiles({name: text.encode() for name, text in files.items()})).diagnostics
    assert {d.code for d in found} == {"W602"}
    # a name and a file that every format has to escape
    return (*found, e302_tool.at(Place("a,b:c%.yaml", 1, 1, 1, 2), '"<x>&%\x01\n', []))


def test_sarif_names_each_rule_and_each_place(found: tuple[Diagnostic, ...]) -> None:
    told = json.loads(as_sarif(found, MANUALS, "1.2.3"))
    (run,) = told["runs"]
    assert told["version"] == "2.1.0"
    assert run["tool"]["driver"]["version"] == "1.2.3"
    rules = {rule["id"]: rule["defaultConfiguration"]["level"] for rule in run["tool"]["driver"]["rules"]}
    assert (rules["E302"], rules["W602"]) == ("error", "warning")
    assert len(run["results"]) == len(found)
    for diagnostic, result in zip(found, run["results"], strict=True):
        located = result["locations"][0]["physicalLocation"]
        assert located["artifactLocation"]["uri"] == quote(diagnostic.place.file)
        assert located["region"]["startColumn"] == diagnostic.place.column
        assert diagnostic.message in result["message"]["text"]


def test_github_gets_one_line_for_each_with_nothing_that_breaks_out(found: tuple[Diagnostic, ...]) -> None:
    lines = as_github(found).splitlines()
    assert len(lines) == len(found)
    for line in lines:
        assert LINE.fullmatch(line)
    assert any("%25" in line for line in lines)


def test_junit_has_a_case_for_each_and_warnings_fail_only_if_strict(found: tuple[Diagnostic, ...]) -> None:
    for strict in (False, True):
        suite = ElementTree.fromstring(as_junit(found, strict=strict)).find("testsuite")
        assert suite is not None
        failing = [d for d in found if strict or d.code.startswith("E")]
        assert (suite.get("tests"), suite.get("failures")) == (str(len(found)), str(len(failing)))
        assert len(suite.findall("testcase/failure")) == len(failing)
        assert len(suite.findall("testcase/skipped")) == len(found) - len(failing)


def test_nothing_to_tell_is_a_report_all_the_same() -> None:
    assert json.loads(as_sarif([], MANUALS, "1"))["runs"][0]["results"] == []
    assert as_github([]) == ""
    suite = ElementTree.fromstring(as_junit([])).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")
