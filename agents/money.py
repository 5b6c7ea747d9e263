"""Amounts as tools and replies carry them: whole minor units and a currency, never a float."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_EXPONENTS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "BHD": 3, "KWD": 3, "OMR": 3, "TND": 3, "JOD": 3}


def exponent(currency: str) -> int:
    """Decimal places of a currency's minor unit (ISO 4217): 2 for USD, 0 for JPY, 3 for KWD."""
    return _EXPONENTS.get(currency, 2)


class Money(BaseModel):
    """``minor`` whole minor units (cents) of ``currency`` (ISO 4217)."""

    model_config = ConfigDict(frozen=True, strict=True)

    minor: int
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]

    @property
    def decimal(self) -> Decimal:
        """The amount in major units, exact."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    def __str__(self) -> str:
        return f"{self.decimal:.{exponent(self.currency)}f} {self.currency}"

    def text(self, language: str = "en") -> str:
        """The amount as people of ``language`` write it: ``1,234.50 USD``, ``1.234,50 USD``."""
        number = f"{self.decimal:,.{exponent(self.currency)}f}"
        if language == "de":
            number = number.translate(str.maketrans(",.", ".,"))
        return f"{number} {self.currency}"
