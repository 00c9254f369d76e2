"""The tables that come with linreg."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bundled:
    """A bundled table: its file, the columns that are chosen first, source and licence."""

    title: str
    file: str
    target: str
    features: tuple[str, ...]
    source: str
    licence: str


BUNDLED = {
    "auto-mpg": Bundled(
        title="Fuel economy of cars",
        file="auto-mpg.csv",
        target="mpg",
        features=("horsepower", "weight"),
        source=(
            "R. Quinlan, Auto MPG, UCI Machine Learning Repository, 1993,"
            " https://doi.org/10.24432/C5859H"
        ),
        licence="CC BY 4.0",
    )
}
