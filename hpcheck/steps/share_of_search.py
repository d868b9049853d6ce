"""What the search may cost before full trainings confirm it: when its share ends, the look at momentum is left out first, then batch's."""

from collections.abc import Mapping

from hpcheck.runs.records import RunRecord
from hpcheck.runs.spec import RunSpec
from hpcheck.steps import batch, lr_in_full, momentum
from hpcheck.steps.build_runs import short_steps
from hpcheck.steps.confirm_plan import iterations_of_a_training, trainings_of
from hpcheck.steps.policies import policy_of
from hpcheck.steps.reading import Settings
from hpcheck.steps.step import Asked, Missing

SHARE = 2.0  # ours: trainings of the user's that the search before `confirm` may cost, so that it is 10 with the eight in full
SHARE_OF_SHORT = 4.0  # ours: ... where one is so short that the lr is found by full trainings, since that takes three to five
AGAIN = 2  # ours: runs made again with another seed, beyond the first of each candidate, that a look is expected to need
LOOKS = ("batch", "momentum")
NOT_BEGUN = Missing((), 0)


def share(asked: Asked) -> float:
    """Training examples that the search may cost."""
    return share_in_trainings(asked) * iterations_of_a_training(asked) * asked.config.start.total_batch_size


def share_in_trainings(asked: Asked) -> float:
    """The same in trainings of the user's: 2, or 4 where one has fewer than 1,000 iterations."""
    return SHARE if iterations_of_a_training(asked) >= lr_in_full.SHORT else SHARE_OF_SHORT


def expected(asked: Asked, step: str, settings: Settings, timing: RunRecord | None) -> float:
    """Training examples that a look is expected to cost. Before step times are measured, the least that the batch step may cost."""
    if step == "momentum":
        values = len(momentum.momenta(asked))
        shaped = asked.config.momentum.cyclical and policy_of(asked) != "constant"
        runs = (values if values > 1 else 0) + (len(momentum.SHAPES) if shaped else 0)
        return (runs + AGAIN * (runs > 0)) * short_steps(asked, "momentum", settings) * settings.total_batch_size
    sizes, steps = batch.candidate_sizes(asked, settings), short_steps(asked, "batch", settings)
    if timing is None:
        reference = settings.total_batch_size
        return _of_sizes({size: steps * min(size, reference) for size in sizes}, reference)
    timed = batch.read_timing(asked, settings, sizes, timing)
    if timed is None:
        return 0.0
    took = timed.seconds[timed.reference]
    return _of_sizes({size: size * batch.iterations(steps, took, seconds) for size, seconds in timed.seconds.items()}, timed.reference)


def _of_sizes(examples: Mapping[int, float], reference: int) -> float:
    """What runs of so many examples at each size come to: two of them at a size above the reference, and a few with another seed.

    Runs are equally long in time. A step at a larger size takes at most as much longer as it has more examples, so the run has as many
    examples as the reference's at the least; at a smaller size the step takes no longer, so the run has as many steps at the least.
    """
    lrs = {size: 2 if size > reference else 1 for size in examples}
    return sum(lrs[size] * of_run for size, of_run in examples.items()) * (1 + AGAIN / sum(lrs.values()))


def left_out(
    asked: Asked, step: str, settings: Settings, used: float, timing: RunRecord | None, missing: Missing = NOT_BEGUN
) -> str | None:
    """Why a look is left out, or goes no further, in words; None where there is room for it. `used`: examples that the search has cost
    before it; `missing`: what it needs now, and what it has cost."""
    if step not in LOOKS or not trainings_of(asked):
        return None
    runs = [spec for spec in missing.specs if isinstance(spec, RunSpec)]
    has_begun = missing.done > (timing is not None) and runs
    more = sum(spec.examples for spec in runs) if has_begun else expected(asked, step, settings, timing)
    used += missing.examples
    if used + more <= share(asked):
        return None
    size = asked.config.start.total_batch_size
    had, next_, most = (f"{round(examples / size):,}" for examples in (used, more, share(asked)))
    about = "" if has_begun else "at least " if step == "batch" and timing is None else "about "
    return (
        f"left out, so yours stays. The search may cost {most} iterations of {size} before the full trainings. It has cost {had}, and this "
        f"step would cost {about}{next_} more. To run it anyway: hpcheck {step}"
    )
