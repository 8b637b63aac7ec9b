"""Numbers, sums of money and days, formatted for a language."""

from datetime import date

from nexus.currencies import minor_digits
from nexus.i18n import Locale

#: The separator of groups of digits, here a no-break space in Russian, and the decimal separator.
SIGNS: dict[Locale, tuple[str, str]] = {"en": (",", "."), "ru": ("\u00a0", ",")}
#: The suffixes for powers of a thousand.
SUFFIXES: dict[Locale, tuple[str, ...]] = {
    "en": ("", "k", "M", "B", "T"),
    "ru": ("", "\u00a0тыс.", "\u00a0млн", "\u00a0млрд", "\u00a0трлн"),
}
MONTHS: dict[Locale, tuple[str, ...]] = {
    "en": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    "ru": ("янв", "фев", "мар", "апр", "мая", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"),
}


def whole(number: int, language: Locale) -> str:
    """A whole number in groups of three digits: 1,234,567."""
    return f"{number:,}".replace(",", SIGNS[language][0])


def money(amount: int, currency: str, language: Locale) -> str:
    """An amount, given in the smallest unit of a currency, in its main unit: 1,234.50."""
    digits = minor_digits(currency)
    units, rest = divmod(amount, 10**digits)
    return whole(units, language) + (f"{SIGNS[language][1]}{rest:0{digits}d}" if digits else "")


def short_money(amount: int, currency: str, language: Locale) -> str:
    """The same in short form, for a round amount: 1.5M."""
    units = 10 ** minor_digits(currency)
    return short(amount, units, language) if amount >= 1000 * units else _plain(amount, units, language)


def short(number: int, units: int, language: Locale) -> str:
    """A round number, divided by `units`, with a suffix from a thousand on."""
    suffixes = SUFFIXES[language]
    step = 0
    while step < len(suffixes) - 1 and number >= 1000 * units:
        step, units = step + 1, units * 1000
    return _plain(number, units, language) + suffixes[step]


def day(when: date, language: Locale) -> str:
    """A day without its year: 25 Nov."""
    return f"{when.day}\u00a0{MONTHS[language][when.month - 1]}"


def _plain(number: int, units: int, language: Locale) -> str:
    """A number divided by `units`, a power of ten, with as many decimals as it needs."""
    ones, rest = divmod(number, units)
    digits = str(rest).zfill(len(str(units)) - 1).rstrip("0") if rest else ""
    return whole(ones, language) + (SIGNS[language][1] + digits if digits else "")
