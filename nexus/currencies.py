"""The number of decimal places of each currency (ISO 4217)."""

#: Currencies that do not have two.
DIGITS = {
    code: digits
    for digits, codes in (
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    )
    for code in codes.split()
}


def minor_digits(currency: str) -> int:
    """The number of digits after the decimal point, by the currency's three-letter code."""
    return DIGITS.get(currency, 2)
