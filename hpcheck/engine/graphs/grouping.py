"""Which runs of a round may be computed together on one device, as far as their specs tell. No torch."""

from collections.abc import Sequence
from dataclasses import fields

from hpcheck.plugins import find
from hpcheck.runs.spec import RunSpec, Spec

BRANCHES = "branches"  # what "auto" tries
COMPILED = "compiled"  # branches whose networks' kernels torch.compile makes: by name alone, since that takes from seconds to a minute
MOST_TOGETHER = 16  # ours: members of one group; more are split into several
OWN = {"lr", "momentum", "weight_decay", "seed", "init", "parent", "label", "keep"}  # what members of a group may differ in
Job = tuple[str, Spec]  # run id, spec


def refusal(specs: Sequence[RunSpec]) -> str | None:
    """Why these runs cannot be computed together: the first field that they differ in, by name; None where they can."""
    for field in fields(RunSpec):
        values = {repr(getattr(spec, field.name)) for spec in specs}
        if field.name not in OWN and len(values) > 1:
            return f"members of different {field.name} ({', '.join(sorted(values)[:2])}) cannot be computed together"
    return None


def refusal_of(spec: RunSpec) -> str | None:
    """Why a run cannot be part of any group: it computes something of which nobody here knows what it does besides. None where it may."""
    if not find.is_hpchecks_network(spec.model.name):
        return may_draw(spec)
    own = [f"{kind} {name}" for kind, name in _parts(spec) if find.is_users_own(name)]
    return f"{own[0]} is not hpcheck's, and may need more than tensors on the device" if own else None


def may_draw(spec: RunSpec) -> str:
    return f"model {spec.model.name} may draw random numbers (dropout), which would not be those of a run alone"


def _parts(spec: RunSpec) -> list[tuple[str, str]]:
    return [("optimizer", spec.optimizer.name), ("loss", spec.data.loss), ("metric", spec.data.metric)]


def groups(jobs: Sequence[Job]) -> list[list[Job]]:
    """The jobs in groups that may be computed together, of at most `MOST_TOGETHER`, in the order of their first members."""
    found: list[list[Job]] = []
    for job in jobs:
        joined = next((group for group in found if len(group) < MOST_TOGETHER and _fits(group[0][1], job[1])), None)
        if joined is None:
            found.append([job])
        else:
            joined.append(job)
    return found


def _fits(spec: Spec, other: Spec) -> bool:
    return isinstance(spec, RunSpec) and isinstance(other, RunSpec) and refusal([spec, other]) is None
