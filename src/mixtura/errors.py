"""The ways a fit can end badly, each with what was found and what to do."""

from __future__ import annotations


class FitError(ValueError):
    """No start led to a usable mixture; the message says why."""


class IllDefined(FitError):
    """A component's covariance is not positive definite (scikit-learn's wording).

    `component` is its index.
    """

    def __init__(self, component: int) -> None:
        self.component = component
        super().__init__(
            "Fitting the mixture model failed because some components have ill-defined empirical "
            "covariance (for instance caused by singleton or collapsed samples). Try to decrease "
            "the number of components, increase reg_covar, or scale the input data. "
            f"[component {component}]"
        )

    def __reduce__(self) -> tuple[type[IllDefined], tuple[int]]:
        return (type(self), (self.component,))


class Collapse(FitError):
    """A component is shrinking onto a point or a plane, where the likelihood has no bound."""

    def __init__(self, component: int, count: float, spread: float) -> None:
        self.component, self.count, self.spread = component, count, spread
        super().__init__(
            f"component {component} holds {count:.3g} rows and its smallest variance is "
            f"{spread:.2g} of the table's: it is collapsing onto a point or a plane, where the "
            "likelihood has no bound. Use fewer components, or leave reg_covar=None."
        )

    def __reduce__(self) -> tuple[type[Collapse], tuple[int, float, float]]:
        return (type(self), (self.component, self.count, self.spread))


class Coincident(Collapse):
    """No component has any spread, so that an eigenvalue ratio bounds nothing."""

    def __init__(self, count: float) -> None:
        super().__init__(0, count, 0.0)
        self.args = (
            f"in each component all rows are alike ({count:.3g} rows together), so that no "
            "eigenvalue is above zero and constraint has nothing to compare with: use fewer "
            "components than there are different rows",
        )

    def __reduce__(self) -> tuple[type[Coincident], tuple[float]]:  # type: ignore[override]
        return (type(self), (self.count,))


class Heywood(Collapse):
    """The noise of a column of factors has run to zero, to where the likelihood has a bound."""


class Vanishing(FitError):
    """The noise of a column of factors is on a slow way to zero: a Heywood case."""

    def __init__(self, component: int, columns: tuple[int, ...]) -> None:
        self.component, self.columns = component, columns
        super().__init__(
            f"in component {component} the noise of column {', '.join(map(str, columns))} (counted "
            "from 0) is on a slow way to zero: a Heywood case, in which a column is a factor all "
            "by itself. Use fewer factors."
        )

    def __reduce__(self) -> tuple[type[Vanishing], tuple[int, tuple[int, ...]]]:
        return (type(self), (self.component, self.columns))


class Drowned(FitError):
    """The noise of a component is nothing beside its factors, as far as float64 can tell."""

    def __init__(self, component: int, most: float) -> None:
        self.component, self.most = component, most
        super().__init__(
            f"the covariance of component {component} is ill-defined: its factors are more than "
            f"{most:.0e} times as strong as its noise, which float64 then holds too few digits of. "
            "Divide the columns by their typical sizes, or give each noise of its own ('UUU')"
        )

    def __reduce__(self) -> tuple[type[Drowned], tuple[int, float]]:
        return (type(self), (self.component, self.most))


class WrongReturn(TypeError):
    """A method of a user's model or family returned what it may not; the message says what."""


class LikelihoodFell(ArithmeticError):
    """An EM step lowered the objective by more than rounding can: a defect, never ignored."""

    def __init__(self, before: float, after: float) -> None:
        # Numbers of NumPy would show their type.
        self.before, self.after = float(before), float(after)
        super().__init__(
            f"the log-likelihood fell from {self.before!r} to {self.after!r} in an EM step, which "
            "EM cannot do: the rows changed between two passes, the model's e_step and m_step do "
            "not belong together, or the data are so badly scaled that rounding dominates. If it "
            "is none of these, please report it with the data."
        )

    def __reduce__(self) -> tuple[type[LikelihoodFell], tuple[float, float]]:
        return (type(self), (self.before, self.after))


# What ends one climb but not the search: the start is skipped and reported.
FAILURES = (Collapse, Drowned, IllDefined, LikelihoodFell, Vanishing)
