"""How many requests an address may send in a second."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spigot.rates import Rates

ONE = ip_address("192.0.2.1")
OTHER = ip_address("192.0.2.2")


def test_a_seconds_worth_may_come_at_once_and_then_as_the_rate_says() -> None:
    rates = Rates(10)
    assert [rates.take(ONE, 100.0) for _ in range(10)] == [0.0] * 10
    assert rates.take(ONE, 100.0) == pytest.approx(0.1)
    assert rates.take(ONE, 100.05) == pytest.approx(0.05)
    assert rates.take(ONE, 100.1) == 0.0
    assert rates.take(ONE, 100.1) == pytest.approx(0.1)


def test_the_addresses_do_not_count_for_each_other() -> None:
    rates = Rates(1)
    assert rates.take(ONE, 0.0) == 0.0
    assert rates.take(ONE, 0.0) > 0
    assert rates.take(OTHER, 0.0) == 0.0


def test_what_is_refused_is_not_counted() -> None:
    rates = Rates(1)
    rates.take(ONE, 0.0)
    assert [rates.take(ONE, 0.5) for _ in range(100)] == [pytest.approx(0.5)] * 100
    assert rates.take(ONE, 1.0) == 0.0


def test_an_ipv6_sender_is_its_network() -> None:
    rates = Rates(1)
    assert rates.take(ip_address("2001:db8::1"), 0.0) == 0.0
    assert rates.take(ip_address("2001:db8::2:1"), 0.0) > 0
    assert rates.take(ip_address("2001:db8:0:1::1"), 0.0) == 0.0


def test_only_so_many_addresses_are_remembered() -> None:
    rates = Rates(1, addresses=100)
    for number in range(1000):
        rates.take(ip_address(number), 0.0)
    assert len(rates) == 100
    assert rates.take(ip_address(999), 0.0) > 0
    assert rates.take(ip_address(0), 0.0) == 0.0


@given(st.integers(1, 1000), st.lists(st.floats(0, 0.5), min_size=1, max_size=200))
def test_never_more_than_the_rate_and_a_seconds_worth(rate: int, pauses: list[float]) -> None:
    rates, now, passed = Rates(rate), 0.0, 0
    for pause in pauses:
        now += pause
        passed += rates.take(ONE, now) == 0.0
    assert passed <= rate * (1 + now) + 1
