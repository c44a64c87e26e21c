"""What customers write, and what it tells: amounts, dates, ids, addresses and names as people put them down.

A wrong yes (a value is called the customer's that was not said so) is the severe mistake; a wrong no asks once too often.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.language.provenance.currencies import both, of_word, of_words
from engine.language.provenance.origins import CUSTOMER, TRUSTED, Evidence, Origins

SAID: list[tuple[str, list[Any]]] = [
    # amounts
    ("Please pay $1,250.50 to Bob.", [Decimal("1250.5"), "$1250.50", "1250.50 USD", "1,250.50", "1250.5"]),
    ("Bitte 1.250,50 € an Bob", [Decimal("1250.5"), "€1250.50", "1250.50 EUR", "1.250,50 €"]),
    ("480 euros, please", [480, "480", "480 EUR", "€480", "480 euro"]),
    ("I owe her 480 bucks", [480, "$480", "480 USD", "480 dollars"]),
    ("send US$480", [480, "$480", "480 USD", "US$480"]), ("send US $480", ["480 USD"]),
    ("send C$480", [480, "C$480", "480 CAD", "480 Canadian dollars"]),
    ("480 Canadian dollars", ["480 CAD"]), ("480 US dollars", ["$480"]), ("480 U.S. dollars", ["$480"]),
    ("$480 MXN", [480, "480 MXN"]), ("MXN $480", ["480 MXN"]), ("480 in euros", ["480 EUR"]), ("EUR: 480", ["480 EUR"]),
    ("USD 480 (EUR 440)", ["480 USD"]), ("480 EUR 500 USD", ["480 EUR", "500 USD"]), ("USD$480", ["$480"]), ("$1.234 million", [1_234_000]),
    ("480 $ CAD", ["480 CAD"]), ("480 New Zealand dollars", ["480 NZD"]), ("480+ people", [480]), ("CA $480", ["480 CAD"]), ("480 $", ["$480"]),
    ("480 (EUR)", ["480 EUR"]), ("amount=480", [480]), ("Amount:480", [480]),
    ("Rs. 500 or Rs.700", [500, 700, "500 INR"]), ("₹1,00,000", [100000, "100000 INR"]), ("1,00,000 rupees", [100000]),
    ("CHF 1'250.50", [Decimal("1250.5")]), ("1 250,50 kr", [Decimal("1250.5"), "1250.50 kr"]), ("480 zł", ["480 PLN"]),
    ("480,- EUR", [480, "480 EUR"]), ("CHF 480.-", [480, "480 CHF"]), ("480.00", [480, "480"]), ("EUR480", [480, "€480"]),
    ("480EUR", [480]), ("480€", [480]), ("€ 480", [480]), ("480.", [480]), ("480!", [480]), ("**480**", [480]),
    ("2.5 million euros", [2_500_000, "2500000 EUR"]), ("a limit of 20k", [20_000]), ("5 lakh", [500_000]),
    ("3 thousand", [3000]), ("5万円", [50_000, "50000 JPY"]), ("480円", [480, "¥480"]), ("请付480元给田中", [480, "田中", "480 CNY"]),
    ("480원", [480]), ("pay 480 now", ["$480", "480 EUR"]), ("at 5pm", [5]), ("a 10% discount", [10]), ("30 days", [30]),
    ("a 30-day trial", [30]), ("10-20 people", [10, 20]), ("between $10-$20", [10, 20]), ("250 - 1000", [250, 1000]),
    ("3x", [3]), ("5 kg", [5]), ("$480/month", [480, "$480"]), ("(about 480 dollars)", [480]), ("~480", [480]),
    ("'480', ‘500’, `600`", [480, 500, 600]), ("480个给", [480]), ("I won 480", [480, "$480"]), ("*480 each", [480]),
    ("480👍", [480]), ("it is 480; not more", [480]), ("Bob's 480", [480]), ("\uff14\uff18\uff10", [480]), ("٤٨٠", [480]),
    ("0.5 or 0,25", [Decimal("0.5"), Decimal("0.25")]), ("USD 480, EUR 500", ["480 USD", "500 EUR"]), ("0 left", [0]),
    # lists and signs
    ("- 480\n- 500\n", [480, 500]), ("  - $480", [480, "$480"]), ("\u2013 480\n\u2022 500\n* 600", [480, 500, 600]),
    ("Rent \u2013 480", [480]), ("1) 480\n2) 500", [480, 500]), ("1. 480", [480]), ("Bob,480\nAnne,500", [480, 500]),
    ("-480", [-480, "-480"]), ("\u2212480", [-480, "-480"]), ("-$480", [-480, "-$480"]), ("$-480", [-480]),
    ("EUR -480", [-480]), ("balance: - 480", [-480]), ("(480)", [-480, "(480)"]), ("480-", [-480]), ("($480.50)", [Decimal("-480.5")]),
    ("1,2,3", [1, 2, 3]), ("4411, 4412", [4411, "4412"]), ("orders 4411 4412", [4411, 4412]), ("+480", [480]),
    # ids
    ("Where is my order #4411?", [4411, "4411", "#4411"]), ("order no.4411", [4411]), ("order-4411", [4411]),
    ("https://shop.example/orders/4411?x=1", [4411, "4411"]), ("INV-2024-001 please", ["INV-2024-001", "inv-2024-001"]),
    ("code 007", ["007"]), ("flight BA480", ["BA480", "ba480"]), ("acct_1001", ["acct_1001"]), ("4411-A", ["4411-A"]),
    ("IBAN DE89 3704 0044 0532 0130 00.", ["DE89370400440532013000", "DE89 3704 0044 0532 0130 00"]),
    ("to GB29 NWBK 6016 1331 9268 19 from me", ["GB29NWBK60161331926819"]), ("DE89370400440532013000", ["DE89 3704 0044 0532 0130 00"]),
    ("card 4111 1111 1111 1111", ["4111111111111111", 4111111111111111, "4111-1111-1111-1111"]),
    ("call +1 (555) 123-4567", ["15551234567", "+15551234567", "+1 555 123 4567", 15551234567]),
    ("call (555) 123-4567", [5551234567]), ("call 555.123.4567", ["5551234567"]), ("0171-1234567", ["01711234567"]),
    ("account 12345678", [12345678, "12345678", "1234 5678"]), ("tax 12/345/67890", ["1234567890"]),
    # dates and times
    ("on 2026-11-28 at 10:30", ["2026-11-28", "10:30"]), ("on 28/11/2026", ["28/11/2026"]), ("28 Nov 2026", ["28 nov 2026", 28, 2026]),
    ("2026-11-28 480 EUR", ["480 EUR"]), ("Nov 5, 2024", [5, 2024]),
    # addresses
    ("bob@acme.com, please.", ["bob@acme.com", "BOB@acme.com", "mailto:bob@acme.com"]), ("Bob <bob@acme.com>", ["bob@acme.com", "Bob"]),
    ("mailto:bob@acme.com", ["bob@acme.com"]), ("ask @bob", ["bob", "@bob"]), ("(bob@acme.com)", ["bob@acme.com"]),
    ("see https://acme.com/help?topic=a", ["https://acme.com/help?topic=a", "https://acme.com", "acme.com", "acme.com/help"]),
    ("go to acme.com/help", ["https://acme.com/help", "acme.com/help/"]), ("edit .env", [".env"]), ("cd ../etc", ["../etc"]),
    ("open C:\\data\\bob.txt", ["C:\\data\\bob.txt"]), ("in /data/bob/docs", ["/data/bob/docs", "/data/bob"]),
    # names
    ("Pay Bob's landlord", ["Bob", "Bob's landlord"]), ("O'Brien and Anne-Marie", ["O'Brien", "Anne-Marie"]), ("Bob\nSmith", ["Bob Smith"]),
    ("José, Strauß", ["JOSÉ", "strauß"]), ("Smith, Bob", ["Bob Smith", "Smith, Bob"]), ("_Bob_ and **Anne Lee**", ["Bob", "Anne Lee"]),
    ("bob_smith", ["bob_smith"]), ("给bob付款", ["bob"]), ("タナカさんに", ["タナカ"]), ("to שלום please", ["שלום"]), ("हिन्दी.", ["हिन्दी"]),
    ("홍길동 480", ["홍길동", 480]), ("say 'Bob' or \u201cAnne\u201d", ["Bob", "Anne"]), ("AT&T", ["AT&T"]), ("*Bob pays", ["Bob"]), ("...Bob", ["Bob"]),
    ("Bob/Anne", ["Bob/Anne", "Bob and Anne"][:1]), ("Bob - order 4411", ["Bob", "Bob - order 4411"]),
]  # fmt: skip

NOT_SAID: list[tuple[str, list[Any]]] = [
    # another sign
    ("pay 480", [-480, "-480", "- 480", "-|480", "480-", "480 -", "480 and -", "(480)", "-;480", "- (480)", "-$480", "\u2212480", "\u2013480"]),
    ("-480", [480, "480", "$480"]), ("-$480", [480, "480", "$480", "480 USD", "$480 to Bob"]), ("$-480", [480, "480"]),
    ("pay (480)", [480, "480"]), ("480-", [480, "480"]), ("480.00-", [480]), ("EUR (480)", [480]), ("($480)", [480, "$480"]),
    ("my balance is - 480", [480, "480"]), ("balance: - 480", [480]), ("EUR - 480", [480]), ("\u2013480", [480]), ("--480", [480]),
    ("EUR-480", [480]), ("-1,250.50", [Decimal("1250.5"), Decimal("250.5"), 1]), ("- 480\n", [-480]), ("±480", [480, -480]), ("x ➖480", [480]),
    ("- 480 and - 500", [500]), ("pay 480 -\nthanks", [480]),
    # other currency
    ("480 euros", ["480 USD", "$480", "480 CAD", "480 euros USD"]), ("C$480", ["$480", "480 USD", "$480 to Bob"]), ("A$480, not USD", ["480 USD"]),
    ("480 Canadian dollars", ["$480", "480 dollars", "480 USD"]), ("$480 Canadian", ["$480"]), ("480 Mexican pesos", ["480 USD", "480 ARS"]),
    ("$480 MXN", ["$480", "480 USD"]), ("480 THB", ["480 USD"]), ("480 thb", ["$480"]), ("480 rubles", ["$480"]), ("480₽", ["$480"]), ("₸480", ["$480"]),
    ("480 pounds", ["480 EUR"]), ("480 cents", ["$480"]), ("480 円", ["$480"]), ("480円", ["480 USD"]), ("in EUR: 480", ["480 USD"]), ("480 (EUR)", ["$480"]),
    ("10-20 EUR", ["$10", "$20"]), ("USD 480, EUR 500", ["500 USD", "480 EUR"]), ("480 EUR; ok USD", ["480 USD"]), ("10%", ["$10", "10", "10 EUR"]),
    ("5,000", [5, "5"]), ("1.000", [1]), ("$1.234", [Decimal("1.234")]), ("480 EUR 500 USD", ["500 EUR", "480 USD"]), ("USD 480 EUR 500", ["480 EUR", "500 USD"]),
    ("480 dollars canadiens", ["$480"]), ("480 US-Dollar", ["480 EUR"]), ("480 AUD$", ["$480"]), ("480 Schweizer Franken", ["480 EUR"]), ("480 dólares", ["480 EUR"]),
    ("480 $ CAD", ["$480"]), ("480$ CA", ["$480"]), ("CAD: $480", ["$480"]), ("480 Hong Kong dollars", ["$480"]), ("480 CFA", ["480 USD"]), ("480+20", [480, 20]),
    ("480 in euros", ["$480"]), ("480 km", ["$480"]), ("480 TRY", ["$480"]), ("480 Zambian kwacha ZMW", ["480 EUR"][:0]),
    # another size
    ("5,250", [5, 250, "5", "250", 525]), ("$1 250", [1, 250, "250", "$250"]), ("1.250.000", [1250, 250]), ("12,50", [1250, 12, 50]), ("1'250", [250]),
    ("1,2.5", [Decimal("12.5"), 1]), ("250.50,300", [Decimal("25050.3")]), ("0,250", [250]), ("0.480", [480]), (".480", [480, "480"]), ("pay .480", [480]),
    ("480", [".480", "0.480", ",480", "480,000", "480 000", "48 0", "4 80", "1480", "0480", "480.1"]), ("480k", [480, "480"]), ("5 million", [5]), ("$5M", [5]),
    ("2 dozen", [2]), ("480 thousand", [480]), ("5m", [5]), ("10²", [10, 102]), ("2½", [2, 21, 1]), ("480¹", [4801, 480]), ("1e3", [1, 3]), ("5%30", [530, 5]),
    ("12\u200b480", [12480]), ("4\u00ad80", [480]), ("1\u2044" "2", [1, 2]), ("480·50", [480, 50]), ("1_000", [1, 1000]), ("3/4", [3, 4]), ("10:30", [10, 30]),
    # parts of something else
    ("12345.67", [1234567, "1234567", 67]), ("250 - 1000", [2501000]), ("250-1000", [2501000]), ("7.50 12.30", [7501230]), ("250/1000", [2501000]),
    ("2026-11-28", [20261128, 2026, 11, 28, "28", "2026"]), ("28.11.2026", [28, 2026]), ("10.0.0.1", [10, 1]), ("v1.2", [1, 2, Decimal("1.2")]), ("BA480", [480, "480"]),
    ("acct_1001", [1001, "1001", "acct"]), ("INV-480", ["480"]), ("4411-A", ["4411"]), ("480@acme.com", [480]), ("480.com", [480]), ("x480", [480]), ("480b", [480]),
    ("4111 1111 1111 1111", [1111, 4111, "1111", "4111 1111"]), ("+1 (555) 123-4567", [555, 123, 4567, "4567", "5551234567"]), ("DE89 3704 0044 0532 0130 00", [3704, "3704", 89]),
    ("GB29 NWBK 6016 1331 9268 19", ["6016 1331 9268 19", "60161331926819"]), ("7", ["007"]), ("007", [7, "7"]), ("12345678", ["-12345678", "+12345678"]),
    ("account -12345678", [12345678, "12345678"]), ("to 1234567", ["to1234567"]), ("acct-1234567", ["acct1234567"]), ("555-123-4567 2 times", [5551234567]),
    # URLs and paths
    ("http://acme.com/a", ["https://acme.com/a", "ftp://acme.com/a"]), ("https://acme.com/a", ["http://acme.com/a", "http://acme.com", "https:///acme.com"]),
    ("acme.com", ["http://acme.com", "ftp://acme.com", "https:/acme.com", "https://acme.com:8080", "https://acme.com@evil.example", "acme.com/../x", "acme.co"]),
    ("ftp://acme.com", ["https://acme.com"]), ("env", [".env", "env/..", "./env"]), (".env", ["env"]), ("etc", ["../etc", "/etc", "etc//", "etc/..", "~/etc"]), ("../etc", ["etc", "/etc"]),
    ("../../etc", ["../etc"]), ("~/etc", ["/etc"]), ("C:/etc", ["/etc"]), ("/etc", ["etc"]), ("/data/bob", ["/data/bob/..", "/data/bob/../x", "bob"]), ("etc/../x", ["etc"]),
    ("bob", ["https://bob", "bob/", "bob=", "bob#", "bob?x=", "bob&", "=bob", "bob/?"]), ("bob@acme.com", ["https://bob@acme.com", "mailto:acme.com", "@acme.com", "bob@", "acme.com", "bob@acme.com.evil.example"]),
    # words
    ("bob_", ["bob"]), ("bob", ["bob_", "(bob)", '"bob"', "|bob|", ",bob", "bob)", "b\u200bob", "bob\0"]), ("bob\u200bsmith", ["bob", "smith"]), ("Anne-Marie", ["Anne", "Marie"]),
    ("secret", ["secret!", "secret?", "secret:", "secret,"]), ("48**0** and bo**b**", [48, "48", "bo", 0]), ("48*****0", [48, 0]), ("**4**80", [80, 4]), ("bob&#115;mith", ["bob", "smith"]),
    ("bob\u0336", ["bob"]), ("O'Brien", ["Brien"]), ("AT&T", ["AT"]), ("b%6fb", ["b"]), ("Straße", ["strasse"]), ("strasse", ["straße"]), ("José", ["Jose", "Jos"]), ("Jose", ["José"]),
    ("שלומית", ["שלום", "לומית"]), ("محمدي", ["محمد"]), ("हिन्दी", ["हिन", "हिन्द"]), ("สมชาย", ["สม"]), ("ที่", ["ท"]), ("홍길동에게", ["홍길", "홍길동"]), ("קָטָן", ["קטן"]),
    ("ハリーポッター", ["ハリー"]), ("か\u3099く", ["か"]), ("אבגד 5", ["אבג"]), ("Привет", ["При"]),
]  # fmt: skip


def flat(table: list[tuple[str, list[Any]]]) -> list[tuple[str, Any]]:
    return [(told, value) for told, values in table for value in values]


@pytest.mark.parametrize(("told", "value"), flat(SAID))
def test_what_a_customer_writes_as_people_do_is_said(told: str, value: Any) -> None:
    origins = Origins([Evidence(CUSTOMER, told)])
    assert (origins.origin(value), origins.said_by_customer(value)) == (CUSTOMER, True)


@pytest.mark.parametrize(("told", "value"), flat(NOT_SAID))
@pytest.mark.parametrize("origin", [CUSTOMER, TRUSTED])
def test_what_only_comes_near_is_not_said(told: str, value: Any, origin: str) -> None:
    for text in (told, f"{told}\nthanks", f"hello\n{told}"):
        origins = Origins([Evidence(origin, [text])])
        assert (origins.origin(value), origins.said_by_customer(value)) == ("model", False)


amounts = st.decimals(1, 9_999_999, places=2).map(lambda one: one.quantize(Decimal("0.01")))


def grouped(amount: Decimal, by: str, point: str) -> str:
    whole, cents = f"{amount:,.2f}".split(".")
    return f"{whole.replace(',', by)}{point}{cents}"


WAYS: list[Callable[[Decimal], str]] = [
    lambda one: f"pay {one}",
    lambda one: f"pay ${grouped(one, ',', '.')} now.",
    lambda one: f"{grouped(one, '.', ',')} € bitte",
    lambda one: f"- {grouped(one, ' ', ',')} kr",
    lambda one: f"CHF {grouped(one, chr(39), '.')}, danke",
    lambda one: f"(it is £{one} in all)",
]


@settings(deadline=None)
@given(amounts, st.sampled_from(WAYS))
def test_an_amount_is_told_however_it_is_written_and_no_other_is(
    amount: Decimal, way: Callable[[Decimal], str]
) -> None:
    origins = Origins([Evidence(CUSTOMER, way(amount))])
    assert origins.said_by_customer(amount) and origins.said_by_customer(str(amount))
    whole, cents = str(amount).split(".")
    others = [-amount, amount * 100, amount / 1000, amount * 1000, amount + 1, int(whole) if int(cents) else -1]
    assert not any(map(origins.said_by_customer, [*others, *map(str, others), f"-{amount}"]))


@settings(deadline=None)
@given(amounts, st.sampled_from(["-{}", "\u2212{}", "-${}", "$-{}", "({})", "{}-", "(${})", "total: - {}", "EUR -{}"]))
def test_a_negative_amount_is_never_told_as_a_positive_one(amount: Decimal, way: str) -> None:
    origins = Origins([Evidence(CUSTOMER, f"it says {way.format(amount)}")])
    assert origins.said_by_customer(-amount)
    assert not any(map(origins.said_by_customer, [amount, str(amount), f"${amount}", f"says {amount}"]))


CURRENCIES = [
    "USD",
    "EUR",
    "GBP",
    "CAD",
    "THB",
    "ZAR",
    "$",
    "€",
    "C$",
    "R$",
    "₽",
    "euros",
    "yen",
    "Canadian dollars",
    "kroner",
]


@settings(deadline=None)
@given(amounts, st.sampled_from(CURRENCIES), st.sampled_from(CURRENCIES), st.booleans())
def test_an_amount_of_one_currency_is_none_of_another(amount: Decimal, told: str, asked: str, ahead: bool) -> None:
    def currency(name: str) -> str:
        words = name.split()
        return of_word(name) or (
            of_words(*words) if len(words) == 2 else {"$": "$", "€": "eur", "C$": "cad", "R$": "brl", "₽": "rub"}[name]
        )

    ahead = ahead and told not in ("Canadian dollars", "kroner", "yen", "euros")
    text = f"{told}{amount}" if ahead else f"{amount} {told}"
    same = {currency(told), currency(asked)} <= {"$", "usd"} or currency(told) == currency(asked)
    assert Origins([Evidence(CUSTOMER, f"pay {text} today")]).said_by_customer(f"{amount} {asked}") is same


def test_two_currencies_beside_one_number_are_neither() -> None:
    assert (both("eur", "gbp"), both("$", "eur")) == ("eur or gbp", "$ or eur")
    origins = Origins([Evidence(CUSTOMER, "EUR 480 GBP")])
    assert origins.said_by_customer(480) and not any(map(origins.said_by_customer, ["480 EUR", "480 GBP"]))
