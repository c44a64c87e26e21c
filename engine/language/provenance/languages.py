"""The words for money, scales and signs, language by language: a language that has one of them has all.

`money` are names with the currency that each says (a plural in `s` is known by itself), `cents` the parts of one;
`thousand` and `million` are scales of about that size and beyond; `short` ones are scales only where a currency stands
behind them, as in `480 tr đồng`; `minus` makes a number negative.  One that `runs_on` puts no blanks between words.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """The words of one language, parted by blanks."""

    money: str
    thousand: str
    million: str
    minus: str
    cents: str = ""
    short: str = ""
    runs_on: bool = False


def words(text: str) -> frozenset[str]:
    """The words of a row, as what was told is read kindly."""
    return frozenset(unicodedata.normalize("NFKC", text).lower().split())


LANGUAGES = {
    "English": Language(
        "dollar:$ buck:$ pound:gbp quid:gbp sterling:gbp stg:gbp euro:eur yen:jpy yuan:cny renminbi:cny rmb:cny "
        "rupee:inr "
        "won:krw ruble:rub rouble:rub baht:thb zloty:pln forint:huf lira:try rand:zar real:brl shekel:ils naira:ngn "
        "dong:vnd ringgit:myr rupiah:idr hryvnia:uah bitcoin:btc ether:eth satoshi:sat sat:sat franc:franc fr:franc "
        "cfa:franc peso:peso crown:crown dirham:dirham dh:dirham dinar:dinar kd:kwd riyal:riyal rial:riyal "
        "shilling:shilling ksh:kes taka:bdt tenge:kzt cedi:ghs birr:etb dram:amd lari:gel manat:azn tugrik:mnt "
        "kip:lak "
        "riel:khr kyat:mmk afghani:afn canadian:cad australian:aud cdn:cad",
        "hundred thousand thousands thou grand grands k dozen half",
        "million millions mm mn m bn b billion t trillion kk",
        "minus negative neg less overdrawn cr dr",
        "cent ct penny:penny pence:penny dime nickel kopeck",
        "tn l",
    ),
    "German": Language(
        "pfund:gbp franken:franc sfr:chf rubel:rub kronen:crown krone:crown euro:eur",
        "hundert tausend tausende tsd tsnd dutzend teur",
        "million millionen mio mill milliarde milliarden mrd billion billionen",
        "minus negativ negative negatives negativer negativen weniger",
        "cent rappen pfennig groschen",
        "t",
    ),
    "French": Language(
        "livre:gbp euro:eur canadien:cad australien:aud franc:franc",
        "mille millier milliers centaine douzaine",
        "million millions milliard milliards md mds",
        "moins négatif négative",
        "centime",
    ),
    "Spanish": Language(
        "dólar:$ dólare:$ dolar:$ dolare:$ libra:gbp canadiense:cad australiano:aud bolivare:ves bolívare:ves "
        "colone:crc "
        "colón:crc quetzale:gtq quetzal:gtq lempira:hnl sole:pen peso:peso",
        "cien ciento cientos mil docena",
        "millón millon millones billones",
        "menos negativo negativa",
        "centavo céntimo centimo",
    ),
    "Portuguese": Language(
        "dólar:$ dólare:$ reais:brl real:brl canadense:cad",
        "cem cento mil milhar milhares dúzia",
        "milhão milhao milhões milhoes bilhão bilhao bilhões bilhoes trilhões",
        "menos negativo negativa",
        "centavo cêntimo",
        "mi bi tri",
    ),
    "Italian": Language(
        "dollari:$ dollaro:$ sterline:gbp franchi:franc euro:eur canadesi:cad australiani:aud",
        "cento mille mila migliaia dozzina",
        "milione milioni mln miliardo miliardi mld mlrd",
        "meno negativo negativa",
        "centesimi centesimo",
        "mi",
    ),
    "Dutch": Language(
        "euro:eur canadese:cad",
        "honderd duizend duizenden dzd",
        "miljoen miljoenen mln miljard mld",
        "minus negatief negatieve",
        "eurocent",
    ),
    "Swedish, Norwegian, Danish": Language(
        "krona:crown kronor:crown krone:crown kroner:crown kr:crown",
        "hundra hundre tusen tusind tkr tnok tsek tdkk",
        "miljon miljoner million millioner mio mill mkr mnok msek mdkk miljard miljarder milliard milliarder mia mrd",
        "minus negativ negativt",
        "öre øre",
        "tn md",
    ),
    "Icelandic": Language(
        "króna:isk krónur:isk krónum:isk",
        "þúsund þús hundrað",
        "milljón milljónir milljarður milljarðar",
        "mínus neikvætt",
        "aurar",
        "m",
    ),
    "Finnish": Language(
        "euroa:eur kruunua:crown dollaria:$ puntaa:gbp",
        "sata tuhat tuhatta t",
        "miljoona miljoonaa milj miljardi miljardia mrd",
        "miinus negatiivinen",
        "senttiä",
        "m",
    ),
    "Polish": Language(
        "złoty:pln zł:pln złotych:pln złote:pln zlotych:pln dolarów:$ dolary:$ dolara:$ funtów:gbp funty:gbp",
        "sto tys tysiąc tysiące tysięcy tucet",
        "mln milion miliony milionów miliard miliardy miliardów mld",
        "minus ujemny ujemna ujemne",
        "grosz grosze groszy",
    ),
    "Czech, Slovak": Language(
        "koruna:czk koruny:czk korun:czk kč:czk dolarů:$ liber:gbp",
        "sto tis tisíc tisíce tisíců tisic tucet",
        "mil mio mln milion miliony milionů milión milióny miliónov miliarda miliardy miliard mld",
        "mínus minus záporný záporná záporné",
        "haléř haléřů halierov",
    ),
    "Hungarian": Language(
        "forint:huf forintot:huf ft:huf euró:eur dollár:$",
        "száz ezer ezren eft tucat",
        "millió millio mft milliárd mrdft",
        "mínusz minusz negatív",
        "fillér",
        "e m mrd",
    ),
    "Romanian": Language(
        "leu:ron lei:ron dolari:$",
        "sută sute mie mii",
        "milion milioane mil miliard miliarde mld",
        "minus negativ negativă",
        "bani",
        "mil",
    ),
    "Croatian, Serbian, Slovene": Language(
        "kuna:hrk kune:hrk dinara:dinar динара:dinar динар:dinar eura:eur evro:eur evra:eur evrov:eur",
        "sto tisuća tisuće tisuc hiljada hiljade хиљада хиљаде",
        "milijun milijuna milion miliona милион милиона milijarda milijarde милијарда",
        "minus минус negativan негативан",
        "lipa",
    ),
    "Lithuanian, Latvian, Estonian": Language(
        "eurų:eur eurai:eur eiro:eur eurot:eur",
        "tūkstantis tūkstančiai tūkst tūkstotis tūkstoši tūkstošu tuhat tuhande",
        "milijonas milijonų mln miljons miljoni miljonu miljonit miljardas milijardas milijardų",
        "minus mīnus miinus neigiamas negatīvs negatiivne",
        "centų centi senti",
    ),
    "Turkish": Language(
        "lira:try tl:try lirası:try avro:eur euro:eur sterlin:gbp",
        "yüz bin düzine",
        "milyon milyar mlyr trilyon mio",
        "eksi negatif",
        "kuruş",
        "mr mn b",
    ),
    "Azeri, Uzbek": Language(
        "manat:azn сум:uzs сўм:uzs",
        "минг",
        "million mln milyon milyard mlrd",
        "mənfi minus манфий",
        "qəpik tiyin",
        "min ming",
    ),
    "Greek": Language(
        "ευρώ:eur ευρω:eur δολάρια:$ δολάριο:$ λίρες:gbp",
        "εκατό χίλια χιλ χιλιάδες χιλιάδα",
        "εκατ εκ εκατομμύριο εκατομμύρια δις δισ δισεκατομμύρια δισεκατομμύριο",
        "μείον πλην αρνητικό αρνητική αρνητικός",
        "λεπτά",
    ),
    "Russian": Language(
        "руб:rub р:rub рубль:rub рубля:rub рублей:rub рубли:rub рублях:rub евро:eur доллар:$ доллара:$ долларов:$ "
        "долл:$ фунтов:gbp юаней:cny иен:jpy",
        "сто сотен тыс тысяч тысяча тысячи тысячу дюжина",
        "млн лям лямов миллион миллиона миллионов млрд миллиард миллиарда миллиардов трлн",
        "минус отрицательный отрицательная отрицательное минусовой",
        "копейка копейки копеек коп цент центов",
        "т к м штук",
    ),
    "Ukrainian": Language(
        "грн:uah гривня:uah гривні:uah гривень:uah гривен:uah євро:eur доларів:$ долари:$",
        "тис тисяч тисяча тисячі",
        "млн мільйон мільйони мільйонів млрд мільярд мільярдів",
        "мінус мінусовий",
        "копійок копійка копійки",
        "т",
    ),
    "Bulgarian": Language(
        "лв:bgn лева:bgn лев:bgn lev:bgn leva:bgn евро:eur",
        "хиляди хиляда хил",
        "млн милион милиона милиони млрд милиард милиарда",
        "минус отрицателен отрицателна",
        "стотинки стотинка ст",
    ),
    "Kazakh, Kyrgyz": Language(
        "теңге:kzt тенге:kzt тг:kzt tenge:kzt сом:kgs",
        "мың миң myn",
        "миллион млн миллиард млрд",
        "минус теріс",
        "тиын",
    ),
    "Georgian": Language(
        "ლარი:gel ლარის:gel",
        "ათასი ათას",
        "მილიონი მილიონ მლნ მილიარდი",
        "მინუს უარყოფითი",
        "თეთრი",
    ),
    "Armenian": Language("դրամ:amd դր:amd", "հազար", "միլիոն մլն միլիարդ մլրդ", "մինուս բացասական", "լումա"),
    "Mongolian": Language("төгрөг:mnt төг:mnt", "мянга мянган", "сая тэрбум", "хасах", "мөнгө"),
    "Hebrew": Language(
        "שקלים:ils שקל:ils דולר:$ דולרים:$ אירו:eur יורו:eur",
        "אלף אלפים מאות",
        "מיליון מיליוני מיליארד",
        "מינוס שלילי פחות",
        "אגורות",
        "א",
    ),
    "Arabic": Language(
        "درهم:dirham ريال:riyal دينار:dinar دولار:$ دولارات:$ دولارا:$ يورو:eur جنيه:egp ليرة:lira",
        "ألف آلاف الف الاف مئة",
        "مليون ملايين مليار مليارات",
        "ناقص سالب سلبي",
        "سنت قرش هللة فلس",
    ),
    "Persian": Language(
        "یورو:eur تومان:irt ریال:riyal دلار:$ پوند:gbp افغانی:afn",
        "هزار صد",
        "میلیون میلیارد",
        "منفی منهای",
        "سنت",
    ),
    "Urdu": Language("روپے:pkr روپیہ:pkr ڈالر:$", "ہزار", "لاکھ کروڑ ملین ارب", "منفی نفی", "پیسے"),
    "Hindi, Marathi, Nepali": Language(
        "rs:inr रुपये:inr रुपए:inr रुपया:inr रु:inr डॉलर:$ यूरो:eur",
        "हज़ार हजार सौ",
        "लाख करोड़ करोड lakh lac lacs crore crores मिलियन अरब",
        "माइनस ऋण ऋणात्मक घटा",
        "पैसे paise paisa",
        "l",
    ),
    "Bengali": Language("টাকা:bdt ডলার:$", "হাজার শত", "লক্ষ লাখ কোটি মিলিয়ন", "মাইনাস ঋণাত্মক বিয়োগ", "পয়সা"),
    "Tamil, Telugu": Language(
        "ரூபாய்:inr రూపాయలు:inr",
        "ஆயிரம் వేలు వేల",
        "லட்சம் கோடி లక్షలు లక్ష కోట్లు కోటి",
        "கழித்தல் மைனஸ் మైనస్",
        "பைசா పైసలు",
    ),
    "Sinhala": Language("රුපියල්:lkr", "දහස දහසක්", "ලක්ෂ මිලියන", "ඍණ", "ශත"),
    "Thai": Language(
        "บาท:thb ดอลลาร์:$ ยูโร:eur",
        "ร้อย พัน หมื่น แสน",
        "ล้าน",
        "ลบ ติดลบ",
        "สตางค์",
        "ม",
        runs_on=True,
    ),
    "Lao": Language("ກີບ:lak", "ພັນ ໝື່ນ ແສນ", "ລ້ານ", "ລົບ", "ອັດ", runs_on=True),
    "Khmer": Language("រៀល:khr", "ពាន់ ម៉ឺន សែន", "លាន", "ដក", "សេន", runs_on=True),
    "Burmese": Language("ကျပ်:mmk", "ထောင် သောင်း သိန်း", "သန်း", "အနုတ်", "ပြား", runs_on=True),
    "Vietnamese": Language("đồng:vnd đô:$ euro:eur", "trăm nghìn ngàn", "triệu tỷ tỉ", "âm trừ", "xu", "tr"),
    "Indonesian, Malay": Language(
        "rupiah:idr rp:idr ringgit:myr rm:myr dolar:$",
        "ratus ribu ribuan rb",
        "juta jutaan jt milyar miliar miliaran triliun",
        "minus negatif kurang",
    ),
    "Swahili": Language("shilingi:shilling dola:$", "elfu mia", "milioni laki bilioni", "hasi kasoro", "senti"),
    "Amharic": Language("ብር:etb", "ሺህ ሺ", "ሚሊዮን ቢሊዮን", "ሲቀነስ", "ሳንቲም"),
    "Chinese": Language(
        "元:cny 块:cny 塊:cny 美元:usd 加元:cad 欧元:eur 歐元:eur 日元:jpy 港元:hkd 港币:hkd 港幣:hkd 加币:cad "
        "加幣:cad 英镑:gbp 英鎊:gbp 澳元:aud 人民币:cny",
        "百 千 仟 万 萬",
        "百万 億 亿 兆",
        "負 负 负数 減 减 赤字",
        "分 角 美分",
        runs_on=True,
    ),
    "Japanese": Language(
        "円:jpy ユーロ:eur ドル:$ 米ドル:usd カナダドル:cad 豪ドル:aud 香港ドル:hkd ポンド:gbp",
        "百 千 万",
        "百万 億 兆",
        "マイナス 負の 負 赤字",
        "セント 銭",
        runs_on=True,
    ),
    "Korean": Language(
        "원:krw 유로:eur 달러:$ 엔:jpy 위안:cny",
        "백 천 만 백만 천만",
        "억 조",
        "마이너스 음수 음의",
        "센트 전",
        runs_on=True,
    ),
}


def money() -> dict[str, str]:
    """What each name of a currency says, in all languages."""
    found = dict[str, str]()
    for one in LANGUAGES.values():
        found |= dict(pair.rsplit(":", 1) for pair in unicodedata.normalize("NFKC", one.money).lower().split())
        found |= {name: said or "cent" for name, _, said in (word.partition(":") for word in words(one.cents))}
    return found


def scales() -> frozenset[str]:
    """The words that multiply a number, in all languages."""
    return words(" ".join(f"{one.thousand} {one.million}" for one in LANGUAGES.values()))


def beginnings() -> tuple[str, ...]:
    """The scales that a word may begin with, where words go on without a blank."""
    return tuple(words(" ".join(f"{one.thousand} {one.million}" for one in LANGUAGES.values() if one.runs_on)))


def short_scales() -> frozenset[str]:
    """Those that do where a currency stands behind them."""
    return words(" ".join(one.short for one in LANGUAGES.values()))


def signs() -> frozenset[str]:
    """The words that make a number negative, in all languages."""
    return words(" ".join(one.minus for one in LANGUAGES.values()))
