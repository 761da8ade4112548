"""The route of a proposal against the table of the semantics, over its whole input space."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from workunits.core.autonomy import LEVELS, RISKS, Facts, route
from workunits.core.proposal import worth

SHARE = st.floats(0, 1, exclude_max=True)
FACTS = st.builds(
    Facts,
    level=st.sampled_from(LEVELS),
    risk=st.sampled_from(RISKS),
    confidence=st.none() | st.floats(0, 1) | st.just(math.nan),
    threshold=st.none() | st.floats(0, 1),
    draw=SHARE,
    blind=st.floats(0, 0.5),
    audit=st.floats(0, 0.5),
    dual=st.sets(st.sampled_from(RISKS)).map(tuple),
    veto=st.booleans(),
    stopped=st.booleans(),
    failed=st.sampled_from(["", "ai_unavailable"]),
)


@given(FACTS)
def test_a_model_decides_only_where_all_of_it_allows_that(facts: Facts) -> None:
    """Signed level, routine act, calibrated confidence at the threshold, a window where one is due, and no stop."""
    allowed = (
        facts.level in ("A4", "A5")
        and facts.risk == "routine"
        and facts.confidence is not None
        and facts.threshold is not None
        and facts.confidence >= facts.threshold
        and not facts.stopped
        and not facts.failed
        and facts.draw >= facts.blind
        and (facts.level == "A5" or facts.veto)
    )
    assert (route(facts).route == "auto") == allowed


@given(FACTS)
def test_what_is_shown_follows_the_table(facts: Facts) -> None:
    """Nothing at A0, A1, in a blind sample or without a proposal; the proposal wherever a person decides on it."""
    routed = route(facts)
    if routed.route == "human_only":
        assert not routed.shown
    if routed.route in ("review", "dual_review"):
        assert routed.shown
    if facts.stopped or facts.failed or facts.level in ("A0", "A1"):
        assert routed.route == "human_only"
    elif facts.draw < facts.blind:
        assert (routed.route, routed.sampled) == ("human_only", "blind")
    elif facts.level in ("A2", "A3"):
        assert routed.route == ("dual_review" if facts.risk in facts.dual else "review")


@given(FACTS)
def test_the_reason_is_always_said_and_audits_are_of_automatic_decisions(facts: Facts) -> None:
    """Whoever asks why finds an answer; the audited share is drawn from what no person decided."""
    routed = route(facts)
    assert routed.why
    if routed.sampled == "audit":
        assert routed.route == "auto"
        assert facts.blind <= facts.draw < facts.blind + facts.audit


@given(FACTS, st.sampled_from(RISKS))
def test_a_higher_risk_never_makes_a_model_decide(facts: Facts, risk: str) -> None:
    """The ceiling only lowers."""
    if risk != "routine":
        assert route(facts._replace(risk=risk)).route != "auto"  # type: ignore[arg-type]


@given(st.lists(st.tuples(SHARE, SHARE), min_size=1, max_size=6), SHARE)
def test_a_calibration_stays_within_its_points(points: list[tuple[float, float]], raw: float) -> None:
    """It interpolates, and never claims more than the best point nor less than the worst."""
    said = worth(sorted(points), raw)
    assert said is not None
    assert min(y for _, y in points) - 1e-9 <= said <= max(y for _, y in points) + 1e-9


def test_without_a_calibration_nothing_is_worth_anything() -> None:
    """A model's own confidence is no probability."""
    assert worth([], 0.99) is None
    assert worth([(0.0, 0.0), (1.0, 0.5)], None) is None
