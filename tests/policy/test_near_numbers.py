"""What stands near a number bears on it, through blanks, markup, brackets and commas; ordinary sentences tell theirs.

A wrong yes is the severe mistake: a number counts only where all that stands around it is known.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.language.provenance.languages import LANGUAGES, words
from engine.language.provenance.origins import CUSTOMER, TRUSTED, Evidence, Origins
from tests.policy.test_told_sentences import flat

SAID: list[tuple[str, list[Any]]] = [
    ("refund 480 USD, please", [480, "480", "480 USD", "$480", "USD"]), ("order 12, 480 USD", [480, 12, "480 USD", "12"]),
    ("order 4411, 480 USD", ["4411", 4411, "480 USD"]), ("my order is 4411\n480 EUR please", [4411, 480, "480 EUR"]),
    ("Order: 4411\nAmount: 480 USD\nName: Bob", [4411, 480, "480 USD"]), ("Order 4411\nUSD 480\nthanks", [4411, 480, "480 USD"]),
    ("please refund **480 USD** to me", [480, "480 USD"]), ("**480** USD", [480]), ("__480 USD__", [480, "480 USD"]), ("`480` please", [480]),
    ("*480 EUR*", ["480 EUR"]), ("_480_ EUR", [480, "480 EUR"]), ("<b>480</b>", [480, "480"]), ("pay <b>480</b> now", [480]),
    ("<b>480</b> USD", [480, "480 USD"]), ("<b>480 USD</b>", ["480 USD"]), ("<p>480 USD</p><p>order 4411</p>", [4411, "480 USD"]),
    ("<table><tr><td>Rent</td><td>480 USD</td></tr></table>", [480, "480 USD"]), ("<tr><td>4411</td><td>480</td></tr>", [4411, 480]),
    ("<td>-</td><td>480</td>", [480]), ("<td><i>-</i></td><td>480</td>", [480]), ("<li>480</li><li>500</li>", [480, 500]), ("<strong>Total:</strong> 480 USD", [480, "480 USD"]),
    ("<b>Total</b>: $480", ["$480"]), ("I paid 480 USD and 20 EUR", ["480 USD", "20 EUR", 480, 20]), ("480 USD and then 500 USD", ["480 USD", "500 USD"]),
    ("480 USD or 440 EUR", ["480 USD", "440 EUR"]), ("either $480 or €440", ["$480", "€440"]), ("USD 480 (EUR 440)", ["480 USD"]),
    ("480 USD (440 EUR)", ["480 USD"]), ("480 USD / 440 EUR", ["480 USD", "440 EUR"]), ("USD 480 / EUR 440", ["480 USD", "440 EUR"]),
    ("480 USD, 500 EUR, 20 GBP", ["480 USD", "500 EUR", "20 GBP"]), ("USD 480, EUR 500, GBP 20", ["480 USD", "500 EUR", "20 GBP"]),
    ("$480, €500 and £20", ["$480", "€500", "£20"]), ("480$, 500€, 20£", ["$480", "€500", "£20"]),
    ("| order | amount |\n|---|---|\n| 4411 | 480 USD |\n| 4412 | 500 EUR |", [4411, 4412, "480 USD", "500 EUR"]),
    ("| order | amount | currency |\n| --- | ---: | --- |\n| 4411 | 480 | USD |\n| 4412 | 500 | EUR |", [4411, 480, "480 USD", 500, "500 EUR"]),
    ("order\tamount\n4411\t480\n4412\t500", [4411, 480, 4412, 500]), ("4411\t480 USD\n4412\t500 EUR", ["480 USD", "500 EUR", 4411]),
    ("4411; 480; USD", [4411, 480, "480 USD"]), ("4411, 480, USD", [480, "480 USD"]), ("Rent | - | 480", [480]), ("| - | 480 |", [480]),
    ("Total\n-----\n480 USD", ["480 USD"]), ("Total:\n---\n480", [480]), ("-- \nBob, 480 USD", ["480 USD"]), ("amounts:\n- 480\n- 500", [480, 500]),
    ("amounts:\n* 480 USD\n* 500 USD", ["480 USD", "500 USD"]), ("amounts:\n- **480**\n- **500**", [480, 500]),
    ("amounts:\n- `480`\n- \"500\"", [480, 500]), ("- <b>480</b>", [480]), ("> 480 USD", ["480 USD"]), ("1. 480\n2. 500", [480, 500]),
    ("a) 480 b) 500", [480, 500]), ("1) $480", ["$480"]), ("1. **480 USD**", ["480 USD"]), ("the amount is 480", [480]), ("the amount is: 480", [480]),
    ("amount = 480", [480]), ("amount -> 480", [480]), ("amount => 480", [480]), ("amount: \"480\"", [480]),
    ("{\"amount\": 480, \"currency\": \"USD\"}", [480, "480 USD"]), ("{\"currency\": \"EUR\", \"amount\": 480}", [480, "480 EUR"]),
    ("currency=EUR&amount=480", [480]), ("currency: EUR\namount: 480", [480, "480 EUR"]), ("I was charged 480 twice", [480]),
    ("charge of 480 on 5 May", [480, 5]), ("480 was charged", [480]), ("Rent – 480", [480]), ("Rent — **480**", [480]), ("total – $480", ["$480"]),
    ("480 - thanks", [480]), ("480 – thanks", [480]), ("**480** - thanks", [480]), ("480 :-)", [480]), ("480 ;-)", [480]), ("480 -> Bob", [480]),
    ("(refund 480)", [480]), ("(480 USD each)", ["480 USD"]), ("(order 4411)", [4411]), ("[480]", [480]), ("{480}", [480]), ("«480»", [480]),
    ("“480 USD”", ["480 USD"]), ("I said \"480 USD\".", ["480 USD"]), ("'480'", [480]), ("480 people", [480]), ("480 days ago", [480]),
    ("480 kg of rice", [480]), ("my number is 480. Thousand thanks", [480]), ("480! Million thanks", [480]), ("pay 480\nBest, K. Smith", [480]),
    ("pay 480\nThanks a million", [480]), ("480, thanks", [480]), ("between 2k and 5k", [2000, 5000]), ("limits are 2k, 500 and 300", [2000, 500, 300]),
    ("1 thousand\n500", [1000, 500]), ("2k or 500", [2000, 500]), ("I have a credit of 480 EUR", ["480 EUR", 480]),
    ("credit 480 EUR to my card", ["480 EUR"]), ("Total 480\nCredit card 1234", [480]), ("refund 480 to my credit card", [480]),
    ("480 EUR to my credit card", ["480 EUR"]), ("I want 480 in cash", [480]), ("480 in total", [480]), ("480 of 500", [480, 500]),
    ("480 out of 500", [480, 500]), ("480 for the shoes, 20 for the socks", [480, 20]), ("was 500, now 480", [500, 480]), ("500 → 480", [500, 480]),
    ("500 => 480", [500, 480]), ("from 480 to 500", [480, 500]), ("480–500", [480, 500]), ("$480-$500", [480, 500]),
    ("Amount\n480\nCurrency\nUSD", [480, "480 USD"]), ("480\nUSD", ["480 USD"]), ("USD\n480", ["480 USD"]), ("Rs. 1,250/-", [1250, "1250 INR"]),
    ("CHF 480.-", ["480 CHF"]), ("480.- CHF", ["480 CHF"]), ("480,- Kč", ["480 CZK"]), ("$480\nEUR account please", ["$480"]),
    ("$480. EUR is not mine", ["$480"]), ("480 USD!\nEUR 20 later", ["480 USD", "20 EUR"]), ("Ich zahlte 480 Euro, danke", ["480 EUR"]),
    ("J'ai payé 480 euros", ["480 EUR"]), ("pagué 480 euros", ["480 EUR"]), ("я заплатил 480 рублей", ["480 RUB"]), ("480円払いました", ["480 JPY"]),
    ("退款480元，谢谢", ["480 CNY"]), ("Hi,\n\nplease refund 480 USD.\n\nBob", ["480 USD"]), ("480 USD\n\n- Bob", ["480 USD"]),
    ("480 USD\n-- \nBob", ["480 USD"]), ("480 USD -- thanks", ["480 USD"]), ("480 USD - Bob", ["480 USD"]), ("I need 480,\nnot 500", [480, 500]),
    ("not 480 but 500", [480, 500]), ("480?", [480]), ("is it 480 (or 500)?", [480, 500]), ("480, 500, 520", [480, 500, 520]),
    ("480; 500; 520", [480, 500, 520]), ("order #4411 - 480 USD", ["4411"]), ("order #4411: 480 USD", [4411, "480 USD"]), ("order 4411 (480 USD)", [4411]),
    ("#4411 | 480 USD", [4411, "480 USD"]), ("cost me 480 bucks", ["$480"]), ("my account 12345678 got 480 USD", ["12345678", "480 USD"]),
    ("call 555-123-4567 about 480", ["5551234567", 480]), ("5 kg and 480 EUR", ["480 EUR", 5, "EUR", "kg"]), ("20 km", ["km"]),
    ("480 EUR", ["EUR", "480 EUR", "€"]), ("€480", ["EUR", "€"]), ("480 euros", ["EUR", "euros"]), ("$480", ["USD", "$"]), ("480EUR", ["EUR"]),
    ("EUR480", ["EUR"]), ("EUR 480", ["EUR"]), ("EUR: 480", ["EUR"]), ("480 Canadian dollars", ["CAD", "Canadian dollars"]), ("C$480", ["CAD"]),
    ("-480 EUR", ["EUR"]), ("480 <b>EUR</b>", ["EUR"]), ("480kg", ["kg"]), ("480 (EUR)", ["EUR"]), ("480,- EUR", ["EUR"]), ("2k EUR", ["EUR"]),
    ("10-20 EUR", ["EUR"]), ("480 CHF.", ["CHF"]), ("480 USD 500 EUR", ["USD", "EUR"]),
    ("Rent \u2014 \"480\"", [480]), ("Rent \u2013\t480", [480]), ("480:- kr", [480, "480 kr"]), ("1 250:-", [1250]), ("480 :-) thanks", [480]),
    # words that say nothing, or something else, and letters that are no scale
    ("480 in the total amount of that", [480, "$480"]), ("480, bin bags and mila", [480, "$480"]), ("K 500", [500]), ("a) 480 b) 500", [480, 500]),
]  # fmt: skip
# what a reader sees of a page
SAID += [
    ("$<!-- -->480", ["$480", 480]), ("480<!-- --> <!-- -->USD", ["480 USD"]), ("<td>480</td><!-- x --><td>EUR</td>", ["480 EUR"]),
    ("<b>480</b>.99", [Decimal("480.99")]), ("<span>1</span>,<span>480</span>", [1480]), ("480<!-- -->,000", [480_000]),
    ('<span class="a">480<span class="b">.</span></span><span class="c" title="<x>">99</span>', [Decimal("480.99")]),
    ("-<!-- -->480", [-480]), ("<li>480,</li><li>500</li>", [480, 500]), ("<td class=\"" + "x" * 90 + "\">480</td><td>500</td>", [480, 500]),
    ("480 <!-- k", [480]), ("480 <a", [480]), ("<img alt='$'>480", ["$480"]), ("<img alt=\"\">480 <img src=x>", [480]), ("[480], [500]", [480, 500]),
]  # fmt: skip

# as phones and people write: quotes, apostrophes, an article, what is told apart by a letter, a sentence in capitals
SAID += [
    ("„480“, »480«, ‚480‘, ›480‹", [480, "480"]), ("„480,00 €“", ["480 EUR"]), ("Mr O’Brien", ["O'Brien", "O’Brien"]), ("L’Oréal", ["L'Oréal"]),
    ("10 Queens’ Road", ["10 Queens' Road"]), ("it’s", ["it's"]), ("Jean‑Pierre, 12–14 Main St", ["Jean-Pierre", "12-14 Main St"]),
    ("A $480 charge", ["$480"]), ("Hi. A $480 fee", ["$480"]), ("Hi\nA $480 fee", ["$480"]), ("Plan C: $480", ["$480"]), ("Option A $480", ["$480"]), ("size S $480", ["$480"]),
    ("C: $480", ["$480"]), ("I was charged $480 Can you refund it?", ["$480"]), ("I WAS CHARGED $480 CAN YOU REFUND IT", ["$480"]),
    ("REFUND $480 ALL OF IT", ["$480"]), ("I PAID $480 TRY AGAIN", ["$480"]), ("SEND BOB $480", ["$480"]), ("$480 Real problem", ["$480"]),
    ("480 credit card charge", [480]), ("$480 debit card payment", [480, "$480"]), ("a 480-€-Schein", [480]), ("480 канадских $", [480]), ("480 total $", ["$480"]),
    ("480个美元", ["$480"]), ("480 in $", ["$480"]),
]  # fmt: skip


# of another sign, in whatever way the sign is parted from the number
NEGATIVE = [
    "balance is <b>-</b>480", "**-**480", "x **-** 480", "`-`480", "is -\"480\"", "is -\t480", "is -\xa0480", "is -\u2003480",
    "<span>-</span><span>480</span>", "is (-) 480", "is [-]480", "is - **480**", "is -<b>480</b>", "is −`480`", "is - `480`", "-\n480", "is -\n480",
    "is - $ **480**", "is -$ **480**", "minus 480", "minus **480**", "**minus** 480", "minus: 480", "minus\n480", "minus\t480", "minus the 480",
    "minus $480", "minus USD 480", "negative 480", "a negative balance of 480", "negativ: 480", "moins 480", "menos 480", "meno 480", "минус 480",
    "мінус 480", "minus (480)", "マイナス480", "残高はマイナス480", "マイナス 480", "負480", "负480", "△480", "▲ 480", "▲\t480", "▼480", "± 480", "( 480 )", "(480 )",
    "( 480)", "(\n480\n)", "(\t480)", "(**480**)", "(`480`)", "(<b>480</b>)", "( $480 )", "(($ 480))", "( 480 USD )", "480 CR", "480CR", "480 DR",
    "480 Cr.", "480 USD CR", "480 (CR)", "480, CR", "480\nCR", "480 credit", "480 USD credit", "480 in credit", "480 debit", "480 overdrawn", "480 minus",
    "480 negative", "480 below zero", "CR 480", "Dr. 480", "neg. 480", "480 <b>-</b>", "**480**-", "<b>480</b>-", "480 (-)", "**480** -", "'480'-",
    "480\t-", "480 ,-", "ناقص 480", "マイナス\u3000480", "ลบ 480", "âm 480", "eksi 480", "minus amount: 480", "less 480", "{-}480", "/-/480", "=-480",
    "= - 480", "is:-480", "is -<!-- -->480", "<td>-<!-- -->480</td>", "−<!-- x -->480", "is -<wbr>480", "480,00-€", "480-EUR", "480.00-$", "480-EUR, please", "음수 480원",
    "منفی 480", "is -<img alt=''>480", "<span class=neg>-</span> 480", "<i>−</i> $480", "<img alt=minus> 480",
]  # fmt: skip

# of another size, in whatever way the scale or another part is parted from the number
SCALED = [
    "480 k", "480 K", "$480 k", "$480\tk", "480\nk", "480, k", "480 M", "480 тыс", "480 тыс.", "480\nтысяч", "$480\nthousand", "$480,thousand",
    "$480, thousand", "$480\tthousand", "$480 **thousand**", "**$480** thousand", "$480 <b>thousand</b>", "<b>$480</b> k", "$480 (thousand)",
    "480 (in thousands)", "$480-thousand", "480/thousand", "480=thousand", "480 tausend", "480 Tsd.", "480 mille", "480 mil", "480 mila", "480 tys.",
    "480 tis.", "480 bin", "480 ribu", "480 ألف", "480 אלף", "480 हज़ार", "480 พันบาท", "480 nghìn", "480 千", "480 万円", "480、万", "480 만원", "480천",
    "480 млн", "480 mln", "480 Mio.", "480 Mrd", "480 milliards", "480 miljoen", "480 USD thousand", "480 USD k", "480 k USD", "480 k$", "480 lakh",
    "480, lakh", "480 dozen", "480 Dutzend", "480 ½", "480 and a half", "480 000", "480\t000", "480\n000", "480 dollars and 5 cents", "$480 and 5 cents",
    "12<b>480</b>", "12**480**", "x'`480", "12*'480", "480'~12", "<b>480</b>12", "<b>480</b>k", "480 MM", "480 hundred", "480 hundert", "480 grand",
    "<b>480</b>.99", "<b>480</b>,99", "480<sup>.99</sup>", "480<small>.99</small>", "<span>480</span><span>,000</span>", "<b>1</b>,480", "<span>1,</span><span>480</span>",
    "480<wbr>.50", "480<wbr>,000", "**1,**480", "`1,`480", "480*,50*", "1~~,~~480", "[480](x).50", "480<br>.50", "<x-y>480</x-y>.50", "1<x-y>,</x-y>480", "480<!-- -->,000",
    "1,<!-- -->480", "480<!-- -->k", "$480<!-- --> thousand", "480<!-- -->000", "480<b>99</b>", "<b title='>'>1</b>480", "480<img alt=k>", "a<!-- -->480",
    "480 TEUR", "480 Md€", "480 tkr", "480 MFt", "480 eFt", "480 mia. kr", "480 т. руб", "480 т.р.", "480 mr TL", "480 tr đồng", "480 min manat", "480 ม. บาท", "480 mi reais",
]  # fmt: skip

# what is added to a scale before it is no number of its own
ADDED = [
    "2k 500", "two thousand 500", "2 thousand 500", "2 thousand and 500", "2 million 500", "2k **500**", "deux mille 500", "zwei tausend 500",
    "две тысячи 500", "2 тыс. 500", "2k and 500",
]  # fmt: skip

# of another currency
OTHERS = [
    "480-EUR", "480 -EUR", "480 \u2014EUR", "480:- EUR", "480  EUR", "480\u00a0\u00a0EUR", "Betrag;W\u00e4hrung\n480;EUR", "480,00\tEUR",
    "480 <b>EUR</b>", "480\nEUR", "480\tEUR", "480 [EUR]", "480/EUR", "480 / EUR", "480,EUR", "480, EUR", "480;EUR", "480|EUR", "480 | EUR", "480=EUR",
    "480: EUR", "480 \"EUR\"", "480 `EUR`", "480 **EUR**", "**480** EUR", "**480** **EUR**", "480 {EUR}", "480 <EUR>", "(EUR) 480", "[EUR] 480", "EUR/480",
    "EUR | 480", "EUR, 480", "EUR\n480", "EUR\t480", "€\n480", "**€** 480", "(€) 480", "€ **480**", "EUR: **480**", "480 (€)", "480\n€", "480,€", "480/€",
    "currency=EUR, amount=480", "amount=480, currency=EUR", "{\"amount\": 480, \"currency\": \"EUR\"}", "{\"currency\": \"EUR\", \"amount\": \"480\"}",
    "currency: EUR\namount: 480", "amount: 480\ncurrency: EUR", "480,- €", "480.- EUR", "480, in euros", "480 (in euros)", "480 the currency is EUR",
    "480 dollars (CAD)", "480 dollars (Canadian)", "480 dollars, Canadian", "$480 (CAD)", "$480, CAD", "$480 **CAD**", "$CAN 480", "$CA 480", "$480 Cdn",
    "$480 CA", "C $480", "CDN $480", "$480 Aus", "$480 Hong Kong", "(CAD) $480", "CAD **$480**", "currency: CAD, amount: $480", "480 dollars\tCAD",
    "amounts in EUR:\n480", "EUR:\n- 480", "| 480 | EUR |", "<td>480</td><td>EUR</td>", "480 **euros**", "480 (euros)", "<b>480</b> euros",
    "<b>480</b> <i>€</i>", "480<!-- --> €", "€<!-- -->480", "480<wbr>€", "480 <abbr title=x>EUR</abbr>", "<td>480</td><!-- x --><td>EUR</td>", "480<img alt=€>",
    "<td>480</td><td class=\"" + "x" * 90 + "\">EUR</td>", "480 豪ドル", "480ニュージーランドドル", "480 dólares australianos", "480 канадских $", "$A 480", "$U 480", "$AR 480",
    "480 Rappen", "480 centavos", "480 öre", "480 Pfennig", "480円を払いましたので返金してください", "480 रुपये", "480 TRY NOW", "480 BOB NOW", "PAY BOB 480", "A $480", "A $480 was paid",
    "send C $480", "$480 CAN please", "$480 COP AGAIN", "$480 reais",
]  # fmt: skip

NOT_SAID: list[tuple[str, list[Any]]] = [
    ("2k 500", [2000]), ("2 thousand and 500", [2000]), ("2 and a half", [2]), ("four hundred and 80", [80]), ("480 Canadian dollars", ["EUR", "€", "USD"]),
    ("C$480", ["EUR", "€", "USD"]), ("480 CHF", ["EUR", "€", "USD"]), ("480 eurox", ["EUR", "€", "USD"]), ("480EURX", ["EUR", "€", "USD"]),
    ("AEUR480", ["EUR", "€", "USD"]), ("480 kgx", ["kg"]), ("480th", ["th"]),
    *((told, [480, "480", "$480", "480 USD"]) for told in (*NEGATIVE, *SCALED)),
    *((told, [500, "500", "$500"]) for told in ADDED),
    *((told, ["$480", "480 USD"]) for told in OTHERS),
]  # fmt: skip


@pytest.mark.parametrize(("told", "value"), flat(SAID))
def test_an_ordinary_sentence_tells_its_numbers_and_currencies(told: str, value: Any) -> None:
    origins = Origins([Evidence(CUSTOMER, told)])
    assert (origins.origin(value), origins.said_by_customer(value)) == (CUSTOMER, True)


@pytest.mark.parametrize(("told", "value"), flat(NOT_SAID))
def test_what_stands_near_a_number_makes_it_another_one(told: str, value: Any) -> None:
    for text in (told, f"hello\n{told}\nthanks"):
        assert not Origins([Evidence(CUSTOMER, text)]).said_by_customer(value)


def test_a_language_with_a_currency_has_its_scales_and_its_signs() -> None:
    for name, language in LANGUAGES.items():
        assert language.money and language.thousand and language.million and language.minus, name
        money = language.money.split()[0].rpartition(":")[0]
        for scale in (f"{language.thousand} {language.million}").split():
            assert not _tells(f"480 {scale} {money}"), (name, scale)
        for scale in language.short.split():
            assert not _tells(f"480 {scale}. {money}"), (name, scale)
        for sign in words(language.minus):
            assert not _tells(f"{sign} 480 {money}"), (name, sign)
        for cents in language.cents.split():
            assert not Origins([Evidence(CUSTOMER, f"480 {cents.partition(':')[0]}")]).said_by_customer("$480"), cents


def test_each_name_of_a_currency_is_known_beside_a_number() -> None:
    for language in LANGUAGES.values():
        for pair in language.money.split():
            name, _, said = pair.rpartition(":")
            dollars = Origins([Evidence(CUSTOMER, f"480 {name}")]).said_by_customer("$480")
            assert dollars is (said in ("$", "usd")), name


def _tells(text: str) -> bool:
    return any(map(Origins([Evidence(CUSTOMER, text)]).said_by_customer, [480, "480", "$480"]))


# what people and programs put between a number and what belongs to it
PARTING = [
    " ",
    "\t",
    "\n",
    "\u00a0",
    "\x0b",
    "**",
    "`",
    "~",
    '"',
    "'",
    "<b>",
    "</i>",
    "<span class=x>",
    "<!-- -->",
    "<wbr>",
    '<abbr title=">">',
    "(",
    "[",
    "{",
    "/",
    ",",
    "=",
    ":",
]
gaps = st.lists(st.sampled_from(PARTING), max_size=4).map("".join)


@settings(deadline=None)
@given(gaps, st.sampled_from(["-", "\u2212", "minus", "negative", "moins", "минус", "△", "▼", "±"]), st.booleans())
def test_no_gap_hides_a_sign(gap: str, sign: str, dollars: bool) -> None:
    told = f"it is {sign}{gap}{'$' * dollars}480"
    assert not any(map(Origins([Evidence(CUSTOMER, told)]).said_by_customer, [480, "480", "$480"]))


@settings(deadline=None)
@given(gaps, st.sampled_from(["k", "K", "M", "thousand", "million", "tausend", "mil", "тыс", "万", "천", "lakh"]))
def test_no_gap_hides_a_scale(gap: str, scale: str) -> None:
    told = f"pay $480{gap}{scale} please"
    assert not any(map(Origins([Evidence(CUSTOMER, told)]).said_by_customer, [480, "480", "$480"]))


@settings(deadline=None)
@given(gaps, st.sampled_from(["EUR", "€", "GBP", "£", "CHF", "руб", "zł"]), st.booleans())
def test_no_gap_hides_a_currency(gap: str, currency: str, ahead: bool) -> None:
    told = f"pay {currency}{gap}480 now" if ahead else f"pay 480{gap}{currency} now"
    assert not any(map(Origins([Evidence(CUSTOMER, told)]).said_by_customer, ["$480", "480 USD"]))


@pytest.mark.parametrize(("told", "given_", "value"), [
    ("480 EUR", {"currency": "EUR"}, "EUR"), ("480 EUR", {"q": "20 EUR"}, "EUR"), ("480 EUR", {"q": "€"}, "EUR"), ("$480", {"q": "usd"}, "USD"),
    ("480 kg", {"q": "kg"}, "kg"), ("€480", {"q": "20 EUR"}, "€"),
])  # fmt: skip
def test_a_currency_or_a_unit_that_a_trusted_tool_only_repeats_is_not_told_by_it(
    told: str, given_: Any, value: str
) -> None:
    assert Origins([Evidence(TRUSTED, told, given_)]).origin(value) == "model"
    assert Origins([Evidence(TRUSTED, told, {"q": "x"})]).origin(value) == TRUSTED
