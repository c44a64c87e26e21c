"""Words and marks around numbers that make them other numbers, or say nothing: signs, scales, units, labels."""

from __future__ import annotations

from engine.language.provenance import languages
from engine.language.provenance.languages import words
from engine.language.provenance.scripts import unspaced

SCALES = {
    "hundred": 100,
    "dozen": 12,
    "thousand": 1_000,
    "grand": 1_000,
    "tausend": 1_000,
    "mille": 1_000,
    "mil": 1_000,
    "lakh": 100_000,
    "crore": 10_000_000,
    "million": 1_000_000,
    "millionen": 1_000_000,
    "millones": 1_000_000,
    "mio": 1_000_000,
    "mln": 1_000_000,
    "mn": 1_000_000,
    "billion": 1_000_000_000,
    "bn": 1_000_000_000,
    "mrd": 1_000_000_000,
    "trillion": 1_000_000_000_000,
    "千": 1_000,
    "万": 10_000,
    "萬": 10_000,
    "億": 100_000_000,
    "亿": 100_000_000,
}

# scales whose size is not read: a number beside one is none
_OTHER_SCALES, _SHORT_SCALES = languages.scales(), languages.short_scales()
# words of something else too, where more than a blank is between
_DOUBTFUL = words("bin mila mie mii mia sto tis cem lac half grand grands ribu thou laki sata ek")
# in these scripts words go on without a blank
_BEGINNINGS = languages.beginnings()

_NEGATIVE = languages.signs()
_ENDINGS = tuple(words("マイナス 負の 負 负 減 减 赤字"))
# behind a number only: `credit 480 to me` says no sign
_NEGATIVE_BEHIND = _NEGATIVE | words("""
credit debit below crédit débit crédito débito kredit credito debito haben soll кредит дебет
""")

# before a number and nothing else, these are signs too
MARKS = frozenset("±∓≠△▲▽▼⊖")

LABELS = frozenset({"no", "nr", "id", "p", "ref", "pos"})
# told as texts of their own, as `kg` is by `480 kg`
UNITS = words("""
kg g lb lbs oz km cm mm mi mile miles ml l kb mb gb tb pcs px hr hrs min mins sec secs percent pct point points pts
prozent procent процентов percento porcento
""")
# of the number that they stand at, and nothing else
SUFFIXES = words("am pm h s d st nd rd th x")

# what stands between a number and what belongs to it, and says nothing itself
FILLERS = words("""
amount total sum price value currency ccy cur balance of in the a an is was by about approx more
betrag summe preis wert währung saldo der die das von ist montant prix devise solde de du la le est
importe monto precio moneda el es importo prezzo valuta bedrag kwota waluta сумма валюта итого 金額 通貨 合計 金额 货币
""")
JOINERS = words("and und et y e og och en и і та й")


def scale_of(word: str) -> int:
    """By how much a word multiplies a number, if that is known; 0 if it is no such word."""
    low = word.lower()
    return SCALES.get(low, 0) or SCALES.get(low.removesuffix("s"), 0)


def scales(word: str, *, apart: bool = False) -> bool:
    """Whether a word multiplies the number before it, by whatever; `apart` is one that more than a blank is before."""
    low = word.lower()
    if apart and low in _DOUBTFUL:
        return False
    return bool(scale_of(low)) or low in _OTHER_SCALES or low.startswith(_BEGINNINGS)


def scales_money(word: str) -> bool:
    """Whether a word multiplies the number before it if a currency stands behind it, as `tr` does in `480 tr đồng`."""
    return word.lower() in _SHORT_SCALES


def negates(word: str, *, behind: bool = False) -> bool:
    """Whether a word makes a number negative, before it or `behind` it."""
    low = word.lower()
    if behind:
        return low in _NEGATIVE_BEHIND
    return low in _NEGATIVE or (unspaced(word[-1]) and low.endswith(_ENDINGS))
