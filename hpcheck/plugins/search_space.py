"""What a search must know of an optimizer or a network: each says it in its own file."""

from dataclasses import dataclass

from hpcheck.plugins import find


@dataclass(frozen=True)
class Search:
    """How an optimizer is searched: momenta to try, bounds of the lr sweep, weight decays to try in short runs (None: by the network) and
    in full trainings (`confirmed`).

    `averages`: its momentum is a moving average, so that the length of a step does not grow with it. `decoupled`: it shrinks weights by
    lr * weight decay itself, and momentum has no part in that.
    """

    momenta: tuple[float, ...]
    sweep: tuple[float, float]
    weight_decays: tuple[float, ...] | None = None
    confirmed: tuple[float, ...] = (1e-4, 1e-3, 1e-2)
    averages: bool = False
    decoupled: bool = False


def search_of(optimizer: str) -> Search:
    """Of a shipped optimizer as its `SEARCH` says; the user's own is searched as sgd is."""
    return Search(**(find.literal("optimizers", optimizer, "SEARCH") or find.literal("optimizers", "sgd", "SEARCH")))


def is_shallow(model: str) -> bool:
    """Whether the network says that it has four weight layers or fewer (`SHALLOW`)."""
    return bool(find.literal("models", model, "SHALLOW"))
