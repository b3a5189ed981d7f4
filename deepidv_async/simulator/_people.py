"""Made-up names and places for made-up people; nobody real is meant."""

from datetime import date, timedelta
from random import Random
from typing import Any, Final

import attrs

__all__ = ["Person", "draw_person"]

_FIRST: Final = (
    "Aiko", "Bram", "Chiara", "Dmitri", "Elif", "Femi", "Greta", "Hugo", "Ines", "Jonas",
    "Keira", "Lars", "Maya", "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Søren", "Théa",
    "Umar", "Vera", "Wei", "Ximena", "Yusuf", "Zoë",
)  # fmt: skip
_LAST: Final = (
    "Abara", "Bauer", "Cohen", "Dubois", "Eriksen", "Fischer", "García", "Haddad", "Ito",
    "Jansen", "Kowalski", "Lindqvist", "Moreau", "Nguyen", "O'Brien", "Petrov", "Quispe",
    "Rossi", "Silva", "Tanaka", "Usman", "Varga", "Walsh", "Xu", "Yavuz", "Zając",
)  # fmt: skip
_PLACES: Final = (
    ("Canada", "CA", "Toronto", "Ontario", "America/Toronto", 43.65, -79.38),
    ("United States", "US", "Portland", "Oregon", "America/Los_Angeles", 45.52, -122.68),
    ("Germany", "DE", "Leipzig", "Sachsen", "Europe/Berlin", 51.34, 12.37),
    ("Brazil", "BR", "Recife", "Pernambuco", "America/Recife", -8.05, -34.88),
    ("Japan", "JP", "Sendai", "Miyagi", "Asia/Tokyo", 38.27, 140.87),
)
# Birthdays from 1946 to 2006.
_OLDEST: Final = date(1946, 1, 1)
_AGES: Final = 60 * 365


@attrs.frozen
class Person:
    """Somebody who does not exist.

    Attributes:
        first_name: given name; some hold letters outside ASCII.
        last_name: family name.
        birthday: ISO date.
        document: number of a passport that was never issued.
        place: country, its ISO code, city, subdivision, time zone, latitude, longitude.
    """

    first_name: str
    last_name: str
    birthday: str
    document: str
    place: tuple[str, str, str, str, str, float, float]

    def texts(self) -> list[dict[str, Any]]:
        """Give what an analysis of the person's document would read from it."""
        values = {
            "FIRST_NAME": self.first_name,
            "LAST_NAME": self.last_name,
            "DATE_OF_BIRTH": self.birthday,
            "DOCUMENT_NUMBER": self.document,
        }
        return [{"type": kind, "value": text, "confidence": 98.7} for kind, text in values.items()]


def draw_person(random: Random) -> Person:
    """Make up a person; the same `random` makes up the same."""
    return Person(
        first_name=random.choice(_FIRST),
        last_name=random.choice(_LAST),
        birthday=str(_OLDEST + timedelta(days=random.randrange(_AGES))),
        document=f"X{random.randint(10**7, 10**8 - 1)}",
        place=random.choice(_PLACES),
    )
