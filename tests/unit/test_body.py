from hypothesis import given
from hypothesis import strategies as st

from spigot.web.body import Body


@given(st.lists(st.binary()))
def test_a_body_is_its_parts_in_their_order(parts: list[bytes]) -> None:
    body = Body()
    for part in parts:
        body.add(part)
    assert body.whole() == b"".join(parts)
    assert body.size == len(b"".join(parts))


def test_a_body_in_one_part_is_not_copied() -> None:
    part = bytes(1000)
    body = Body()
    body.add(part)
    assert body.whole() is part
