"""Several servers of one model: who is asked, who takes over, what that does to their health. Without a network."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from structlog.testing import capture_logs

from streamproc.config import ServerSettings
from streamproc.errors import ConfigError, InferenceError, NotSent
from streamproc.modelreply import Listed, Reply, RequestRefused, ServerUnfit, TryLater
from streamproc.modelserver import ModelServer
from streamproc.runtime.breaker import Health
from streamproc.testing import FakeClock, until
from streamproc.testing_modelserver import FakeEndpoint

pytestmark = pytest.mark.timeout(30)
ASK: Any = [{"role": "user", "content": "Name a colour."}]
ADDRESSES = ("http://a:1/v1", "http://b:1/v1")


class Colour(Reply):
    colour: str


class Tier:
    """Two servers behind one client."""

    def __init__(self, stack: ExitStack, **settings: Any) -> None:
        self.a, self.b = (FakeEndpoint(name, f'{{"colour": "{name}"}}') for name in ADDRESSES)
        self.heard: list[Health] = []
        self.clock = FakeClock()
        given = {"base_url": ADDRESSES, "model": "test-model", "retries": 0, "deadline_s": 5.0} | settings
        self.client = ModelServer(
            ServerSettings.model_validate(given), self.clock, endpoints=(self.a, self.b), on_health=self.heard.append
        )
        stack.callback(self.client.close)

    def ask(self, **how: Any) -> str:
        (reply,) = self.client.ask(ASK, Colour, **how)
        assert isinstance(reply, Colour)
        return reply.colour

    def takes_down(self, *several: FakeEndpoint) -> None:
        for _ in range(3):
            for one in several:
                one.script.append(InferenceError("gone"))
        for _ in range(3 * len(several)):
            try:
                self.ask()
            except InferenceError:
                continue


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def test_requests_are_shared_and_each_server_has_its_own_bound(stack: ExitStack) -> None:
    tier = Tier(stack, max_in_flight=2, deadline_s=60.0)
    for one in (tier.a, tier.b):
        one.script.extend([None, None])  # no answer, as long as it is asked
    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(tier.ask)
        until(lambda: len(tier.a.requests) + len(tier.b.requests) == 4)
        assert [one.in_flight for one in tier.client.readings()] == [2, 2]
        tier.client.close()


@pytest.mark.parametrize("failure", [InferenceError("gone"), TryLater("busy", 1e9), ServerUnfit("other")], ids=repr)
def test_what_one_fails_on_the_other_answers_without_a_pause(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, failure: InferenceError
) -> None:
    monkeypatch.setattr("streamproc.endpoints.attempts._Pause._own", staticmethod(lambda _: 1e9))
    tier = Tier(stack)
    tier.a.script.append(failure)
    assert tier.ask() == "http://b:1/v1"
    tier.a.script.append(failure)
    tier.b.script.append(failure)
    with pytest.raises(type(failure), match=str(failure)):  # both fail, and no round is left
        tier.ask()


def test_a_retry_is_a_further_round_over_all(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.endpoints.attempts._Pause._own", staticmethod(lambda _: 0.001))
    tier = Tier(stack, retries=2)
    for one in (tier.a, tier.b):
        one.script.extend([InferenceError("gone")] * 3)
    with pytest.raises(InferenceError, match="gone"):
        tier.ask()
    assert (len(tier.a.requests), len(tier.b.requests)) == (3, 3)
    assert tier.client.health == Health(True, "http://a:1/v1 gone; http://b:1/v1 gone", 1)  # one call, one failure


def test_one_that_hangs_leaves_the_other_half_of_the_deadline(stack: ExitStack) -> None:
    tier = Tier(stack, deadline_s=0.6)
    tier.a.script.append(None)
    assert tier.ask() == "http://b:1/v1"
    (a, b) = tier.client.readings()
    assert (a.detail, b.detail) == ("does not answer within 0.3 s", "")
    assert (a.failed, a.answered, b.failed, b.answered) == (1, 0, 0, 1)


def test_one_that_hangs_costs_a_few_calls_half_a_deadline_and_then_nothing(stack: ExitStack) -> None:
    tier = Tier(stack, deadline_s=0.2)
    tier.a.script.extend([None] * 3)
    for _ in range(12):
        assert tier.ask() == "http://b:1/v1"
    assert len(tier.a.requests) == 3
    assert tier.client.health.up
    assert tier.client.health.reason == "http://a:1/v1 does not answer within 0.1 s"
    assert tier.heard == []  # the role is served


def test_a_short_deadline_is_not_held_against_any(stack: ExitStack) -> None:
    tier = Tier(stack, deadline_s=60.0)
    for _ in range(4):
        tier.a.script.append(None)
        tier.b.script.append(None)
        with pytest.raises(InferenceError, match="does not answer"):
            tier.ask(within_s=0.05)
    assert [one.up for one in tier.client.readings()] == [True, True]


def test_the_role_is_down_when_all_are_and_up_with_the_first(stack: ExitStack) -> None:
    tier = Tier(stack)
    tier.takes_down(tier.a)
    assert tier.heard == []
    tier.takes_down(tier.b)
    assert [health.up for health in tier.heard] == [False]
    with pytest.raises(InferenceError, match=r"model servers test-model at http://a:1/v1, http://b:1/v1 are down"):
        tier.ask()
    asked = len(tier.a.requests) + len(tier.b.requests)
    tier.clock.advance(60)
    assert tier.ask() in ADDRESSES
    assert len(tier.a.requests) + len(tier.b.requests) == asked + 1
    assert [health.up for health in tier.heard] == [False, True]


def test_a_request_that_is_refused_for_itself_is_refused_once(stack: ExitStack) -> None:
    tier = Tier(stack)
    tier.a.script.append(RequestRefused("too many tokens"))
    with pytest.raises(RequestRefused, match=r"test-model at http://a:1/v1 too many tokens"):
        tier.ask()
    assert tier.b.requests == []


def test_where_all_are_busy_the_request_is_not_sent_and_nobody_is_to_blame(stack: ExitStack) -> None:
    tier = Tier(stack, max_in_flight=1, deadline_s=0.8)
    tier.a.script.append(None)
    tier.b.script.append(None)
    with ThreadPoolExecutor(2) as pool:
        slow = [pool.submit(tier.ask) for _ in range(2)]
        until(lambda: tier.a.requests and tier.b.requests)
        with pytest.raises(NotSent, match="1 requests under way") as caught:
            tier.ask(within_s=0.1)
        assert caught.value.cause == "overloaded"
        for one in slow:
            one.exception(5)


def test_what_one_server_cannot_is_not_held_to_be_so_of_the_other(stack: ExitStack) -> None:
    tier = Tier(stack)
    tier.a.script.extend([RequestRefused("only n = 1")])
    assert len(tier.client.ask(ASK, Colour, n=2)) == 2
    assert [one.get("n") for one in tier.a.requests] == [2, None, None]
    assert len(tier.client.ask(ASK, Colour, n=2)) == 2
    assert [one.get("n") for one in tier.b.requests] == [2]
    assert len(tier.client.ask(ASK, Colour, n=2)) == 2
    assert [one.get("n") for one in tier.a.requests] == [2, None, None, None, None]


def test_tokens_are_summed_over_servers_and_told_of_each(stack: ExitStack) -> None:
    tier = Tier(stack)
    tier.ask()
    tier.ask()
    tier.ask()
    spent = tier.client.spent
    assert (spent.prompt_tokens, spent.reply_tokens, spent.cached_tokens) == (30, 6, 24)
    assert [(one.prompt_tokens, one.cached_tokens) for one in tier.client.readings()] == [(20, 16), (10, 8)]


# ---- start-up


def test_each_is_checked_and_the_one_that_serves_another_model_is_named(stack: ExitStack) -> None:
    tier = Tier(stack)
    assert tier.client.check() == ("test-model",)
    tier.b.listed = {"llama": Listed(None, None)}
    with pytest.raises(ConfigError, match=r"at http://b:1/v1 does not serve test-model; it has: llama"):
        tier.client.check()


def test_the_smallest_context_counts(stack: ExitStack) -> None:
    tier = Tier(stack)
    tier.a.listed = {"test-model": Listed(8192, "weights")}
    tier.b.listed = {"test-model": Listed(4096, "weights")}
    tier.client.check()
    assert tier.client.context_tokens == 4096
    assert [one.base_url for one in tier.client.reached()] == [(one,) for one in ADDRESSES]


def test_one_that_cannot_be_reached_at_start_is_said_and_the_other_goes_on(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    tier = Tier(stack)

    async def gone() -> Any:
        raise InferenceError("cannot be reached")

    monkeypatch.setattr(tier.a, "models", gone)
    with capture_logs() as said:
        assert tier.client.check() == ("test-model",)
    (warned,) = [row for row in said if row["event"] == "model_server_unreachable"]
    assert warned["error"] == "model server test-model at http://a:1/v1 cannot be reached"
    assert [one.base_url for one in tier.client.reached()] == [("http://b:1/v1",)]
    monkeypatch.setattr(tier.b, "models", gone)
    with pytest.raises(InferenceError, match=r"http://a:1/v1 cannot be reached"):
        tier.client.check()


# ---- what they tell of themselves

PAGE = 'vllm:num_requests_waiting{model_name="test-model"} 7.0\n'


def test_what_servers_tell_is_read_now_and_then_and_never_waited_for(stack: ExitStack) -> None:
    tier = Tier(stack)
    tier.a.page = PAGE
    assert [one.gauges for one in tier.client.readings()] == [None, None]
    until(lambda: tier.client.readings()[0].gauges is not None)
    first, second = tier.client.readings()
    assert first.gauges is not None
    assert (first.gauges.waiting, second.gauges) == (7.0, None)
    tier.a.page = PAGE.replace("7.0", "9.0")
    assert tier.client.readings()[0].gauges == first.gauges  # not yet due
    tier.clock.advance(10.0)
    tier.client.readings()
    until(lambda: (found := tier.client.readings()[0].gauges) is not None and found.waiting == 9.0)


def test_closing_closes_each_and_a_reading_afterwards_starts_nothing(stack: ExitStack) -> None:
    tier = Tier(stack)
    tier.ask()
    tier.client.close()
    assert (tier.a.closed, tier.b.closed) == (True, True)
    assert len(tier.client.readings()) == 2
    assert not [thread for thread in threading.enumerate() if thread.name == "model-test-model"]
