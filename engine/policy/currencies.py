"""Words and signs beside a number that say which currency it counts."""

from __future__ import annotations

import re
import unicodedata

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
_BEHIND = frozenset({"won", "sat", "real", "ft", "cent", "lev", "canadian", "canadien", "australian"})

_SIGNS = {
    "$": "$", "€": "eur", "£": "gbp", "¥": "jpy", "₹": "inr", "₽": "rub", "₩": "krw", "₺": "try", "₴": "uah",
    "₫": "vnd", "₦": "ngn", "₱": "php", "฿": "thb", "₪": "ils", "₿": "btc", "₸": "kzt", "₾": "gel", "₼": "azn",
    "us$": "usd", "u$": "usd", "c$": "cad", "ca$": "cad", "can$": "cad", "a$": "aud", "au$": "aud", "nz$": "nzd",
    "hk$": "hkd", "s$": "sgd", "sg$": "sgd", "r$": "brl", "mx$": "mxn", "nt$": "twd", "cdn$": "cad", "aus$": "aud",
}  # fmt: skip

_NAMES = {
    "dólar": "$", "dólare": "$", "dolar": "$", "dolare": "$", "dollari": "$", "livre": "gbp", "libra": "gbp",
    "pfund": "gbp", "franken": "franc", "kronen": "crown", "rubel": "rub", "euro": "eur",
    "dollar": "$", "buck": "$", "pound": "gbp", "quid": "gbp", "sterling": "gbp", "yen": "jpy",
    "yuan": "cny", "renminbi": "cny", "rmb": "cny", "rupee": "inr", "rs": "inr", "won": "krw", "ruble": "rub",
    "rouble": "rub", "baht": "thb", "zloty": "pln", "złoty": "pln", "zł": "pln", "koruna": "czk", "kč": "czk",
    "forint": "huf", "ft": "huf", "lira": "try", "tl": "try", "rand": "zar", "real": "brl", "reais": "brl",
    "shekel": "ils", "naira": "ngn", "dong": "vnd", "ringgit": "myr", "rm": "myr", "rupiah": "idr", "rp": "idr",
    "hryvnia": "uah", "bitcoin": "btc", "ether": "eth", "franc": "franc", "fr": "franc", "sfr": "chf", "peso": "peso",
    "krone": "crown", "kroner": "crown", "krona": "crown", "kronor": "crown", "kr": "crown", "crown": "crown",
    "dirham": "dirham", "dinar": "dinar", "riyal": "riyal", "rial": "riyal", "shilling": "shilling", "lei": "ron",
    "lev": "bgn", "leva": "bgn", "taka": "bdt", "cent": "cent", "penny": "penny", "pence": "penny", "satoshi": "sat",
    "sat": "sat", "cfa": "franc", "canadian": "cad", "canadien": "cad", "australian": "aud", "円": "jpy",
    "元": "cny", "块": "cny", "ユーロ": "eur", "ドル": "$", "원": "krw", "руб": "rub",
    "рубль": "rub", "рубля": "rub", "рублей": "rub", "евро": "eur", "долларов": "$", "грн": "uah",
    "cdn": "cad", "canadiense": "cad", "australien": "aud", "stg": "gbp", "złotych": "pln", "złote": "pln",
    "korun": "czk", "koruny": "czk", "гривень": "uah", "гривен": "uah", "гривні": "uah", "лв": "bgn", "лева": "bgn",
    "שקלים": "ils", "שקל": "ils", "درهم": "dirham", "ريال": "riyal", "دينار": "dinar", "دولار": "$", "يورو": "eur",
    "یورو": "eur", "บาท": "thb", "đồng": "vnd", "tenge": "kzt", "bolivare": "ves", "bolívare": "ves", "colone": "crc",
    "colón": "crc", "quetzale": "gtq", "quetzal": "gtq", "lempira": "hnl", "sole": "pen", "dh": "dirham", "kd": "kwd",
    "ksh": "kes", "cedi": "ghs", "birr": "etb", "dram": "amd", "lari": "gel", "manat": "azn", "tugrik": "mnt",
    "kip": "lak", "riel": "khr", "kyat": "mmk", "afghani": "afn", "美元": "usd", "加元": "cad", "欧元": "eur",
    "日元": "jpy", "港元": "hkd", "英镑": "gbp", "米ドル": "usd", "カナダドル": "cad", "유로": "eur",
    "달러": "$", "ευρώ": "eur",
}  # fmt: skip

# whose currency it is, where several have one of that name
_WHOSE = {
    "us dollar": "usd", "american dollar": "usd", "canadian dollar": "cad", "australian dollar": "aud",
    "singapore dollar": "sgd", "hong kong dollar": "hkd", "new zealand dollar": "nzd",
    "british pound": "gbp", "swiss franc": "chf", "indian rupee": "inr",
    "mexican peso": "mxn", "swedish crown": "sek", "norwegian crown": "nok", "danish crown": "dkk",
    "czech crown": "czk", "turkish lira": "try",
}  # fmt: skip
_SHARED = {
    "$": "dollar", "gbp": "pound", "franc": "franc", "inr": "rupee", "peso": "peso", "crown": "crown", "try": "lira",
    "dirham": "dirham", "dinar": "dinar", "riyal": "riyal", "shilling": "shilling",
}  # fmt: skip

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
    if ahead and low in _BEHIND:
        return ""
    return _NAMES.get(low, "") or _NAMES.get(low.removesuffix("s"), "")


def of_code(text: str) -> str:
    """The currency that a text is, a code or a sign; empty if it is none, as all names of currencies are words too."""
    if text and is_sign(text[-1]):
        return told(of_sign(text))
    return of_word(text) if text.lower() in _CODES else ""


def of_country(country: str, sign: str, *, ahead: bool = False) -> str:
    """The currency of a sign that a country stands beside, such as `CA $`, or `C $` ahead; empty if that is none."""
    return _SIGNS.get(f"{country}{sign}".lower(), "") if len(country) > 1 or (ahead and country.isupper()) else ""


def in_country(text: str) -> str:
    """Whose dollars they are, by the country that a text behind them begins with; empty if it begins with none."""
    words = re.findall(r"[^\W\d_]+", text)[:2]
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


def told(counts: str) -> str:
    """The currency that a number counts as one word: a dollar of no country is of the USA."""
    return "usd" if counts == "$" else counts
