"""Amounts of money as people write them, and as contracts keep them: whole minor units of a currency."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

_WITHOUT = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_OF_THREE = "BHD IQD JOD KWD LYD OMR TND"
_DIGITS = {**dict.fromkeys(_WITHOUT.split(), 0), **dict.fromkeys(_OF_THREE.split(), 3)}
"""Digits after the point where ISO 4217 has not two."""
_LONGEST = 20


def digits(currency: str) -> int:
    """How many digits of a currency stand after the point."""
    return _DIGITS.get(currency, 2)


def written(minor: int, currency: str) -> str:
    """An amount of minor units as it is typed into a form: `12.50`."""
    places = digits(currency)
    return f"{Decimal(minor).scaleb(-places):.{places}f}"


def shown(minor: int, currency: str) -> str:
    """An amount as a page shows it, with narrow spaces between thousands: `1 250.00 EUR`."""
    return f"{Decimal(minor).scaleb(-digits(currency)):,.{digits(currency)}f}".replace(
        ",", "\N{NARROW NO-BREAK SPACE}"
    ) + (f"\N{NO-BREAK SPACE}{currency}")


def decimal_of(text: str) -> Decimal | None:
    """Read a number as people type it: spaces between thousands, one point; None when it is none."""
    plain = "".join(text.split()).replace("\N{NARROW NO-BREAK SPACE}", "")
    if len(plain) > _LONGEST or not plain.isascii() or not set(plain) <= set("0123456789.+-"):
        return None
    try:
        return Decimal(plain)
    except InvalidOperation:
        return None


def minor_of(amount: Decimal, currency: str) -> int | None:
    """An amount in minor units; None when it has more digits after the point than the currency."""
    minor = amount.scaleb(digits(currency))
    return int(minor) if minor == minor.to_integral_value() else None
