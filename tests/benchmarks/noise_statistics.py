"""Statistics of few trainings: spreads with their intervals, rank correlations, a scatter in text.

All intervals are of 95 %. Trainings of a network are taken as draws of a normal distribution.
"""

import math
import string
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2, f, rankdata, t

Figures = npt.NDArray[np.float64]
Correlation = Callable[[Figures, Figures], Figures]  # along the last axis
_LOW, _HIGH = 0.025, 0.975
_WIDTH, _HEIGHT = 49, 13  # of a scatter, in letters


class Estimate(NamedTuple):
    """A figure and its interval."""

    value: float
    low: float
    high: float


class Spread(NamedTuple):
    """A standard deviation with its degrees of freedom."""

    std: float
    freedom: float

    @property
    def estimate(self) -> Estimate:
        """With the interval of the chi-square distribution."""
        low, high = (
            self.std * math.sqrt(self.freedom / chi2.ppf(q, self.freedom)) for q in (_HIGH, _LOW)
        )
        return Estimate(self.std, low, high)


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of two or more values."""
    return Spread(float(np.std(values, ddof=1)), len(values) - 1)


def unpaired(first: Spread, second: Spread) -> Spread:
    """Return the spread of a difference of two independent values (Welch and Satterthwaite)."""
    squares = first.std**2, second.std**2
    parts = squares[0] ** 2 / first.freedom + squares[1] ** 2 / second.freedom
    freedom = sum(squares) ** 2 / parts if parts else first.freedom + second.freedom
    return Spread(math.sqrt(sum(squares)), freedom)


def ratio(first: Spread, second: Spread) -> Estimate:
    """Return first / second by the F distribution, as if the two were independent."""
    value = first.std / second.std if second.std else math.nan
    low, high = (value / math.sqrt(f.ppf(q, first.freedom, second.freedom)) for q in (_HIGH, _LOW))
    return Estimate(value, low, high)


def mean_difference(differences: Sequence[float]) -> Estimate:
    """Return the mean of two or more paired differences by Student's t."""
    value, (std, freedom) = float(np.mean(differences)), spread(differences)
    half = t.ppf(_HIGH, freedom) * std / math.sqrt(len(differences))
    return Estimate(value, value - half, value + half)


def pearson(x: Figures, y: Figures) -> Figures:
    """Return the linear correlation; NaN where all values are equal."""
    x, y = (each - each.mean(axis=-1, keepdims=True) for each in (x, y))
    return _cosine(x, y)


def spearman(x: Figures, y: Figures) -> Figures:
    """Return the rank correlation rho; equal values share their mean rank."""
    return pearson(rankdata(x, axis=-1), rankdata(y, axis=-1))


def kendall(x: Figures, y: Figures) -> Figures:
    """Return the rank correlation tau-b, from the order of each pair."""
    orders = (np.sign(each[..., :, None] - each[..., None, :]) for each in (x, y))
    x, y = (order.reshape(*order.shape[:-2], -1) for order in orders)
    return _cosine(x, y)


def _cosine(x: Figures, y: Figures) -> Figures:
    lengths = np.sqrt((x * x).sum(axis=-1) * (y * y).sum(axis=-1))
    products = (x * y).sum(axis=-1)
    found: Figures = np.full_like(products, np.nan)
    np.divide(products, lengths, out=found, where=lengths > 0)
    return found


def bootstrapped(
    correlation: Correlation, x: Sequence[float], y: Sequence[float], *, draws: int = 2000
) -> Estimate:
    """Return a correlation, and its percentile interval over draws of the pairs."""
    one, other = np.array(x, np.float64), np.array(y, np.float64)
    drawn = np.random.default_rng(0).integers(len(one), size=(draws, len(one)))
    low, high = np.nanquantile(correlation(one[drawn], other[drawn]), [_LOW, _HIGH])
    return Estimate(float(correlation(one, other)), float(low), float(high))


def ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value; 1 is the highest."""
    return [float(rank) for rank in rankdata([-value for value in values])]


def best(values: Sequence[float], count: int) -> set[int]:
    """Return the indices of the `count` highest values; the earlier of two equal ones."""
    return {*sorted(range(len(values)), key=lambda index: -values[index])[:count]}


def scatter(x: Sequence[float], y: Sequence[float]) -> str:
    """Return points as letters in the order given, x to the right, y upwards."""
    rows = [[" "] * _WIDTH for _ in range(_HEIGHT)]
    for letter, column, row in zip(
        string.ascii_uppercase, _places(x, _WIDTH), _places(y, _HEIGHT), strict=False
    ):
        line = rows[_HEIGHT - 1 - row]
        free = [place for place in range(_WIDTH) if line[place] == " "]
        line[min(free, key=lambda place: abs(place - column))] = letter
    return "\n".join(["|" + "".join(row).rstrip() for row in rows] + ["+" + "-" * _WIDTH])


def _places(values: Sequence[float], count: int) -> list[int]:
    low, high = min(values), max(values)
    return [round((value - low) / ((high - low) or 1.0) * (count - 1)) for value in values]
