"""Words and signs beside a number that say which currency it counts."""

from __future__ import annotations

import re
import unicodedata

from engine.language.provenance import languages

# ISO 4217, and what is paid with beside it
_ISO = """
aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd btn bwp byn bzd cad cdf
chf clp cny cop crc cup cve czk djf dkk dop dzd egp ern etb eur fjd fkp gbp gel ghs gip gmd gnf gtq gyd hkd
hnl htg huf idr ils inr iqd irr isk jmd jod jpy kes kgs khr kmf kpw krw kwd kyd kzt lak lbp lkr lrd lsl lyd
mad mdl mga mkd mmk mnt mop mru mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln
pyg qar ron rsd rub rwf sar sbd scr sdg sek sgd shp sle sos srd ssp stn svc syp szl thb tjs tmt tnd top try
ttd twd tzs uah ugx usd uyu uzs ved ves vnd vuv wst xaf xcd xof xpf yer zar zmw zwg zwl btc eth usdc usdt
"""
_CODES = frozenset(_ISO.split())

# codes that are words too: in capitals only
_WORDS = frozenset({"all", "bob", "cop", "cup", "gel", "mad", "mop", "pen", "ron", "sos", "top", "try"})

# what says something else before a number
_AMBIGUOUS_NAMES = frozenset({"won", "sat", "real", "ft", "lev", "canadian", "canadien", "australian"})

_SIGNS = {
    "$": "$",
    "€": "eur",
    "£": "gbp",
    "¥": "jpy",
    "₹": "inr",
    "₽": "rub",
    "₩": "krw",
    "₺": "try",
    "₴": "uah",
    "₫": "vnd",
    "₦": "ngn",
    "₱": "php",
    "฿": "thb",
    "₪": "ils",
    "₿": "btc",
    "₸": "kzt",
    "₾": "gel",
    "₼": "azn",
    "us$": "usd",
    "u$": "usd",
    "c$": "cad",
    "ca$": "cad",
    "can$": "cad",
    "a$": "aud",
    "au$": "aud",
    "nz$": "nzd",
    "hk$": "hkd",
    "s$": "sgd",
    "sg$": "sgd",
    "r$": "brl",
    "mx$": "mxn",
    "nt$": "twd",
    "cdn$": "cad",
    "aus$": "aud",
}

_LETTERED = {"$a": "aud", "$c": "cad", "$u": "uyu"}
# thousands and millions of a currency as one word; of names and codes in small letters only these
_JOINED = re.compile(r"(?:mrd|mio|mia|mln|mld|mn|md|bn|[tkmgbe])([^\W\d_]{2,3})", re.IGNORECASE)
_SHORT = frozenset({"eur", "usd", "gbp", "chf", "sek", "nok", "dkk", "kr", "ft", "tl", "rp", "rm", "zł", "kč", "руб"})

_NAMES = languages.money()

# whose currency it is, where several have one of that name
_WHOSE = {
    "us dollar": "usd",
    "american dollar": "usd",
    "canadian dollar": "cad",
    "australian dollar": "aud",
    "singapore dollar": "sgd",
    "hong kong dollar": "hkd",
    "new zealand dollar": "nzd",
    "british pound": "gbp",
    "swiss franc": "chf",
    "indian rupee": "inr",
    "mexican peso": "mxn",
    "swedish crown": "sek",
    "norwegian crown": "nok",
    "danish crown": "dkk",
    "czech crown": "czk",
    "turkish lira": "try",
}
_SHARED = {
    "$": "dollar",
    "gbp": "pound",
    "franc": "franc",
    "inr": "rupee",
    "peso": "peso",
    "crown": "crown",
    "try": "lira",
    "dirham": "dirham",
    "dinar": "dinar",
    "riyal": "riyal",
    "shilling": "shilling",
}

# of these `$` is the sign too
_DOLLARS = frozenset(
    {"usd", "cad", "aud", "nzd", "hkd", "sgd", "twd", "bbd", "bmd", "bnd", "bsd", "bzd", "fjd", "gyd", "jmd", "kyd"}
    | {"lrd", "nad", "sbd", "srd", "ttd", "xcd", "zwl", "peso", "mxn", "ars", "clp", "cop", "cup", "dop", "uyu", "php"}
    | {"brl", "nio", "top", "wst"}
)

# what stands between a number and its currency and says nothing of whose it is
_BETWEEN = frozenset({"in", "of", "more"})
# behind these something new begins
_JOINING = frozenset({"or", "and", "to", "for", "plus", "then"})


# who is asked for something behind `can`, where a new sentence begins
_WHO = frozenset(
    {"you", "u", "i", "we", "they", "he", "she", "it", "someone", "somebody", "anyone", "this", "that", "my"}
)


def is_sign(char: str) -> bool:
    """Whether a character is the sign of some currency."""
    return unicodedata.category(char) == "Sc"


def of_sign(sign: str) -> str:
    """The currency of a sign with the letters before it, such as `$` or `C$`; one that is not known is itself."""
    return _SIGNS.get(sign.lower(), sign.lower())


def of_word(word: str, *, ahead: bool = False) -> str:
    """The currency that a word names beside a number, such as `EUR` or `euros`; empty if it names none."""
    low = word.lower()
    if low in _CODES:
        return "" if low in _WORDS and not word.isupper() else low
    found = _NAMES.get(low, "") or _NAMES.get(low.removesuffix("s"), "")
    return "" if ahead and (low in _AMBIGUOUS_NAMES or found == "cent") else found


def of_code(text: str) -> str:
    """The currency that a text is, a code or a sign; empty if it is none, as all names of currencies are words too."""
    if text and is_sign(text[-1]):
        return currency_word(of_sign(text))
    return of_word(text) if text.lower() in _CODES else ""


def of_country(country: str, sign: str, *, ahead: bool = False) -> str:
    """The currency of a sign that a country stands beside, such as `CA $`, or `C $` ahead; empty if that is none."""
    return _SIGNS.get(f"{country}{sign}".lower(), "") if len(country) > 1 or (ahead and country.isupper()) else ""


def of_letters(letters: str, sign: str) -> str:
    """The currency of a sign with capitals behind it, as in `$A 480`; one that is not known is itself."""
    return _LETTERED.get(f"{sign}{letters}".lower(), f"{sign}{letters}".lower())


def of_joined(word: str) -> str:
    """The currency that a word ends with behind a letter or two for a scale, as `TEUR` does; empty if none."""
    found = _JOINED.fullmatch(word)
    return of_word(found[1]) if found is not None and (found[1].isupper() or found[1].lower() in _SHORT) else ""


def in_country(text: str) -> str:
    """Whose dollars they are, by the country that a text behind them begins with; empty if it begins with none."""
    words = re.findall(r"[^\W\d_]+", text)[:2]
    if words and words[0].lower() == "can" and words[-1].lower() in _WHO:
        return ""
    for one in (" ".join(words), *words[:1]):
        found = _WHOSE.get(f"{one} dollar".lower(), "") or of_country(one, "$")
        if found:
            return found
    return ""


def of_words(*words: str) -> str:
    """The currency that some words name behind a number, such as `Canadian dollars`; empty if they name none."""
    first, name = words[0].lower(), words[-1]
    currency = of_word(name)
    if not currency or first in _BETWEEN:
        return currency
    kind = "" if name.lower() in _CODES or first in _JOINING else _SHARED.get(currency, "")
    whose = " ".join([*words[:-1], kind]).lower().replace(".", "")
    return _WHOSE.get(whose, whose) if kind else ""


def both(first: str, second: str) -> str:
    """What a number counts that two things beside it tell: `$480 MXN` are pesos; of two currencies it is neither."""
    if not first or not second or first == second:
        return first or second
    if "$" in (first, second):
        other = second if first == "$" else first
        if other in _DOLLARS:
            return other
    return f"{first} or {second}"


def is_code(word: str) -> bool:
    """Whether a word is a currency's code beside a number."""
    return word.lower() in _CODES and bool(of_word(word))


def is_word_too(word: str) -> bool:
    """Whether capitals that are a code may be a word of a sentence in capitals, beside the sign of a dollar."""
    low = word.lower()
    return low in _WORDS and low not in _DOLLARS


def currency_word(counts: str) -> str:
    """The currency that a number counts as one word: a dollar of no country is of the USA."""
    return "usd" if counts == "$" else counts
