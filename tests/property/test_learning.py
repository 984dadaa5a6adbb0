"""Sketches against exact quantiles, and what no proposal may be."""

from __future__ import annotations

import math
from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from opmas.core.agent.terms import Limits
from opmas.core.resources import learning, limits
from opmas.core.resources.learning import DECAY, GROWTH, MIB, MOST, NOTHING, Peak, Sketch
from opmas.core.resources.limits import DEFAULT_LIMITS

FIGURES = st.floats(1.0, 1e6)
PEAKS = st.builds(
    Peak,
    memory=st.none() | st.integers(0, 4096 * MIB),
    tasks=st.none() | st.integers(1, 5000),
    cpu=st.none() | st.floats(0, 800),
)
OWN = st.builds(
    Limits,
    memory_max=st.none() | st.integers(MIB, 1 << 33),
    tasks_max=st.none() | st.integers(1, 9999),
)


def sketched(values: list[float]) -> Sketch:
    sketch = Sketch()
    for value in values:
        sketch = learning.added(sketch, value)
    return sketch


def exact(values: list[float], share: float) -> float:
    """The least figure that so large a share of the weights does not exceed."""
    weighed = sorted((value, DECAY**age) for age, value in enumerate(reversed(values)))
    missing = share * math.fsum(weight for _, weight in weighed)
    for value, weight in weighed:
        missing -= weight
        if missing <= 1e-9:
            return value
    return weighed[-1][0]


@given(st.lists(FIGURES, min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_off_by_one_bucket_at_most(values, share):
    found = learning.quantile(sketched(values), share)

    true = exact(values, share)
    assert found is not None
    assert true * (1 - 1e-9) <= found <= true * GROWTH * (1 + 1e-9)


@given(st.lists(FIGURES, max_size=300))
def test_a_sketch_is_never_large(values):
    assert len(sketched(values).weights) <= MOST


@given(st.lists(PEAKS, max_size=60), PEAKS, OWN, OWN, st.integers(5, 300))
def test_no_proposal_is_below_the_use_above_a_ceiling_or_against_a_hand(
    peaks, used, own, ceilings, room
):
    learned = NOTHING
    for peak in peaks:
        learned = learning.learn(learned, peak)
    effective = Limits(**{**asdict(DEFAULT_LIMITS), **limits.given(own)})

    fit = learning.fitting(learned, used, room)
    wanted = learning.proposal(fit, effective, own, learned, ceilings)

    for name, value in asdict(wanted).items():
        if value is None:
            continue
        ceiling = getattr(ceilings, name)
        assert getattr(own, name) is None
        assert ceiling is None or value <= ceiling
    if fit.memory_max is not None and used.memory is not None:
        assert fit.memory_max >= used.memory
    if wanted.memory_max is not None and wanted.memory_high is not None:
        assert wanted.memory_high <= wanted.memory_max
