"""The table of a writer's states: what it holds and what it refuses."""

from __future__ import annotations

import pytest

from shardlog.journal.states import TRANSITIONS, ProtocolMisuse, State, Step, after


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("step", Step)
def test_a_step_that_the_table_does_not_hold_is_refused(state: State, step: Step) -> None:
    if (state, step) in TRANSITIONS:
        assert after(state, step) is TRANSITIONS[state, step]
    else:
        with pytest.raises(ProtocolMisuse, match=state.value):
            after(state, step)


def test_from_every_state_a_writer_can_fail_and_claim_again() -> None:
    for state in State:
        failed = after(state, Step.FAIL)
        assert after(after(failed, Step.ABANDON), Step.CLAIM) is State.CLAIMING
