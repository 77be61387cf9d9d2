"""Who asks: networks, and the address that proxies vouch for."""

from __future__ import annotations

import pytest

from spigot.networks import holds, parse_address, parse_network, source_of

TRUSTED = [parse_network("10.0.0.0/8"), parse_network("fd00::/8")]


@pytest.mark.parametrize(
    ("written", "is_"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("192.0.2.1:8443", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:8443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_an_address_is_read_as_sockets_and_proxies_write_it(written: str, is_: str) -> None:
    assert str(parse_address(written)) == is_


@pytest.mark.parametrize("written", ["", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "a:1"])
def test_what_is_no_address_is_none(written: str) -> None:
    assert parse_address(written) is None


@pytest.mark.parametrize("written", ["10.0.0.1/8", "300.0.0.0/8", "10.0.0.0/33", "github", ""])
def test_what_is_no_network_is_an_error(written: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_network(written)


def test_a_network_holds_its_addresses_and_none_of_the_other_family() -> None:
    networks = [parse_network("192.0.2.0/24"), parse_network("2001:db8::7")]
    assert holds(networks, parse_address("192.0.2.255"))
    assert holds(networks, parse_address("2001:db8::7"))
    assert not holds(networks, parse_address("192.0.3.0"))
    assert not holds(networks, parse_address("2001:db8::8"))
    assert not holds(networks, None)


@pytest.mark.parametrize(
    ("peer", "forwarded", "source"),
    [
        pytest.param("192.0.2.1", [], "192.0.2.1", id="no proxy"),
        pytest.param("192.0.2.1", ["203.0.113.9"], "192.0.2.1", id="not believed from anybody"),
        pytest.param("10.0.0.1", ["203.0.113.9"], "203.0.113.9", id="one proxy"),
        pytest.param("10.0.0.1", ["203.0.113.9, 10.0.0.2"], "203.0.113.9", id="two proxies"),
        pytest.param("10.0.0.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9", id="forged before"),
        pytest.param("10.0.0.1", ["1.1.1.1", "203.0.113.9"], "203.0.113.9", id="two headers"),
        pytest.param("10.0.0.1", ["203.0.113.9:4711"], "203.0.113.9", id="with a port"),
        pytest.param("10.0.0.1", ["10.9.9.9, 10.0.0.2"], "10.9.9.9", id="all trusted"),
        pytest.param("10.0.0.1", [], "10.0.0.1", id="a proxy asks itself"),
        pytest.param("fd00::1", ["2001:db8::1"], "2001:db8::1", id="IPv6"),
        pytest.param("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9", id="mapped proxy"),
    ],
)
def test_the_address_that_asks_is_the_right_most_that_is_no_trusted_proxy(
    peer: str, forwarded: list[str], source: str
) -> None:
    assert source_of(peer, forwarded, TRUSTED) == (parse_address(source), True)


@pytest.mark.parametrize(
    ("forwarded", "proxy"),
    [
        pytest.param(["1.1.1.1, unknown"], "10.0.0.1", id="no address"),
        pytest.param(["1.1.1.1, unknown, 10.0.0.2"], "10.0.0.2", id="passed on by another"),
        pytest.param(["1.1.1.1,"], "10.0.0.1", id="an empty element"),
        pytest.param([""], "10.0.0.1", id="an empty header"),
        pytest.param(["1.1.1.1", "_hidden"], "10.0.0.1", id="an obfuscated identifier"),
    ],
)
def test_where_a_trusted_proxy_names_no_address_it_is_not_known_who_asks(
    forwarded: list[str], proxy: str
) -> None:
    assert source_of("10.0.0.1", forwarded, TRUSTED) == (parse_address(proxy), False)


def test_a_peer_without_an_address_is_nobody() -> None:
    assert source_of("", ["203.0.113.9"], TRUSTED) == (None, False)
