"""How many digits the minor unit of a currency takes (ISO 4217)."""

#: Where they are not two.
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
    """The digits after the point of a sum in a currency, given by its code of three letters."""
    return DIGITS.get(currency, 2)
