"""The pages in a real browser: a reviewer's day, a phone, a keyboard alone, a hostile customer; and what axe says of each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.web.service import Service
from tests.web.test_pages import held

ROOT = Path(__file__).resolve().parent.parent.parent
AXE = ROOT / ".venv/npm/node_modules/axe-core/axe.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None or not AXE.exists(), reason="chromium is not installed, or axe-core is not (make .venv/.npm)"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def state(service: Service, browser: Any) -> Any:
    """What a browser keeps once dana has logged in by a link."""
    service.token("dana", "reviewer")
    link = service.shell("tokens", "link", "dana", "--url", service.url).out.strip()
    context = browser.new_context()
    page = context.new_page()
    page.goto(link)
    page.get_by_role("button").click()
    page.wait_for_url("**/inbox")
    kept = context.storage_state()
    context.close()
    return kept


def opened(browser: Any, state: Any, path: str, service: Service, **more: Any) -> Any:
    # no page may need a script
    context = browser.new_context(storage_state=state, **({"java_script_enabled": False} | more))
    page = context.new_page()
    page.goto(service.url + path)
    return page


def test_a_reviewer_finds_reads_and_approves_a_refund_without_a_script(
    service: Service, browser: Any, state: Any
) -> None:
    request = held(service)
    page = opened(browser, state, "/inbox?mine=1", service)
    page.locator(f"a[href='/inbox/{request}']").click()
    assert page.locator("h1").inner_text() == "Refund 480 USD to acct_1002 (charge ch_00010)"
    assert "policies/refunds.yaml" in page.content()
    assert "from a system that is trusted" in page.content()
    assert "allowed up to 250" in page.content()
    page.get_by_label("Why (the log keeps it)").first.fill("two charges in the bank's file")
    page.get_by_role("button", name="Refund 480 USD to acct_1002").click()
    assert "approved by dana" in page.content()
    with service.client("ops", "operator") as ops:
        service.waits(ops, request.rpartition(".")[0], "done")


def test_a_call_is_changed_and_then_approved_in_the_browser(service: Service, browser: Any, state: Any) -> None:
    request = held(service, "acct_3013")
    page = opened(browser, state, f"/inbox/{request}", service)
    page.locator("summary").click()
    page.locator("details input[name='field.amount_usd']").fill("300")
    page.get_by_role("button", name="Approve it as it is changed").click()
    with service.client("ops", "operator") as ops:
        session = service.waits(ops, request.rpartition(".")[0], "done")
    (refund,) = [call for call in session["calls"] if call["tool"] == "open_refund_case"]
    assert (refund["input"]["amount_usd"], refund["status"]) == (300, "ok")


def test_the_buttons_are_at_hand_on_a_phone_and_nothing_has_to_be_pushed_aside(
    service: Service, browser: Any, state: Any
) -> None:
    request = held(service)
    phone = {"width": 360, "height": 640}
    other = held(service)
    with service.client("ops", "operator") as ops:
        (bundle, *_) = [one["digest"] for one in ops.get("/v1/bundles").json()["items"]]
    paths = ("/inbox", f"/inbox/{request}", f"/sessions/{request.rpartition('.')[0]}", "/overview", "/bundles")
    for path in (*paths, f"/bundles/{bundle}", f"/inbox/together?id={request}&id={other}"):
        page = opened(browser, state, path, service, viewport=phone, java_script_enabled=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        # and nothing of a table is beyond an edge
        beyond = "[...document.querySelectorAll('td, th[scope=row]')].some(e => e.getBoundingClientRect().right > 360)"
        assert not page.evaluate(beyond), path
    page = opened(browser, state, f"/inbox/{request}", service, viewport=phone)
    for name in ("Refund 480 USD", "Refuse"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box["y"] + box["height"] <= 640
        assert box["height"] >= 44


def test_a_refusal_is_given_with_the_keyboard_alone(service: Service, browser: Any, state: Any) -> None:
    request = held(service)
    page = opened(browser, state, f"/inbox/{request}", service, java_script_enabled=True)
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.value") == "deny":
            break
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert "refused by dana" in page.content()


def test_a_page_that_stays_open_tells_what_is_new_and_moves_nothing(service: Service, browser: Any, state: Any) -> None:
    first = held(service)
    page = opened(browser, state, "/inbox", service, java_script_enabled=True)
    before = page.locator("[data-request]").evaluate_all("rows => rows.map(row => row.dataset.request)")
    second = held(service)
    with service.client("dana", "reviewer") as dana:
        digest = dana.get(f"/v1/requests/{first}").json()["digest"]
        dana.post(f"/v1/requests/{first}/answers", json={"answer": "deny", "digest": digest})
    page.get_by_text("1 new. 1 of these not open any more.").wait_for()
    assert page.locator("[data-request]").evaluate_all("rows => rows.map(row => row.dataset.request)") == before
    assert "over" in page.locator(f"[data-request='{first}']").get_attribute("class")
    page.get_by_role("link", name="Show").click()
    page.locator(f"[data-request='{second}']").wait_for()


def test_what_was_answered_underneath_is_not_answered_again(service: Service, browser: Any, state: Any) -> None:
    request = held(service)
    page = opened(browser, state, f"/inbox/{request}", service, java_script_enabled=True)
    with service.client("dana", "reviewer") as dana:
        digest = dana.get(f"/v1/requests/{request}").json()["digest"]
        dana.post(f"/v1/requests/{request}/answers", json={"answer": "deny", "digest": digest})
    page.get_by_text("This request is not what it was when you opened it").wait_for()
    assert page.get_by_role("button", name="Refuse").is_disabled()


def test_the_keyboard_moves_and_answers_nothing(service: Service, browser: Any, state: Any) -> None:
    requests = [held(service), held(service)]
    page = opened(browser, state, "/inbox", service, java_script_enabled=True)
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('[data-request]') !== null")
    page.keyboard.press("o")
    page.wait_for_url("**/inbox/ses_*")
    page.goto(f"{service.url}/inbox/{requests[0]}")
    page.locator("button[value=approve]:enabled").wait_for()
    page.keyboard.press("a")
    assert page.evaluate("document.activeElement.value") == "approve"
    page.keyboard.press("c")
    page.get_by_role("button", name="I let go of it").wait_for()
    page.keyboard.press("?")
    page.get_by_role("checkbox", name="Use them in this browser").uncheck()
    page.get_by_role("button", name="Close").click()
    page.locator("h1").click()
    page.keyboard.press("d")
    assert page.evaluate("document.activeElement.value") != "deny"
    # a key that is written is written
    page.get_by_label("Why (the log keeps it)").first.fill("")
    page.get_by_label("Why (the log keeps it)").first.press("a")
    assert page.get_by_label("Why (the log keeps it)").first.input_value() == "a"
    with service.client("ops", "operator") as ops:
        standing = ops.get(f"/v1/sessions/{requests[0].rpartition('.')[0]}").json()
    assert standing["state"] == "awaiting_human_review"


def test_requests_that_are_alike_are_chosen_and_refused_together(service: Service, browser: Any, state: Any) -> None:
    ids = [held(service), held(service, "acct_3013")]
    page = opened(browser, state, "/inbox", service)
    for one in ids:
        page.locator(f"input[value='{one}']").check()
    page.get_by_role("button", name="Look at the chosen ones together").click()
    assert "2 requests about open_refund_case" in page.locator("h1").inner_text()
    page.get_by_role("button", name="Refuse all 2").click()
    assert page.locator("h1").inner_text() == "2 of 2 refused"


def test_what_a_hostile_customer_writes_is_text_and_never_a_page(service: Service, browser: Any, state: Any) -> None:
    words = (
        "charged twice <script>document.title='x'</script><img src=x onerror=alert(1)> \u202ereversed\u202c"
        + "A" * 20_000
    )
    request = held(service, message=words)
    page = opened(browser, state, f"/inbox/{request}", service, java_script_enabled=True)
    alerts: list[str] = []
    page.on("dialog", lambda dialog: alerts.append(dialog.message))
    assert page.title() != "x"
    assert page.locator("blockquote script, blockquote img").count() == 0
    assert "\u202e" not in page.locator("blockquote").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    assert not alerts


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_to_say_of_any_page(service: Service, browser: Any, state: Any, dark: bool) -> None:
    request, other = held(service), held(service)
    with service.client("ops", "operator") as ops:
        (bundle, *_) = [one["digest"] for one in ops.get("/v1/bundles").json()["items"]]
    paths = (
        f"/bundles/{bundle}", "/login", "/inbox", f"/inbox/together?id={request}&id={other}", "/bundles", "/away", "/inbox?status=all", f"/inbox/{request}", f"/sessions/{request.rpartition('.')[0]}", "/overview",
        "/inbox/nothing",
    )  # fmt: skip
    scheme = "dark" if dark else "light"
    for path in paths:
        # axe is a script of ours, which the pages' own policy would not let run
        page = opened(browser, state, path, service, java_script_enabled=True, bypass_csp=True, color_scheme=scheme)
        page.add_script_tag(path=str(AXE))
        rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
        found = page.evaluate(f"axe.run(document, {json.dumps(rules)})")
        told = [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found["violations"]]
        assert told == [], path
