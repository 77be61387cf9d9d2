import pytest
from hypothesis import given
from hypothesis import strategies as st

from spigot.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("7d", 604800),
        ("1h30m", 5400),
        ("1d1h1m1.5s", 90061.5),
        ("0.1s", 0.1),
        ("1.5h", 5400),
        ("45", 45),
        ("0", 0),
        (45, 45),
        (0.25, 0.25),
    ],
)
def test_a_duration_is_read_in_seconds(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "s", "-1", "-1s", "30m1h", "1h 30m", "1w", "5M", "1e3", "nan", "36501d", "٣s"],
)
def test_what_is_not_a_duration_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration such as 90s"):
        parse_duration(text)


@pytest.mark.parametrize("number", [-1, float("inf"), float("nan")])
def test_a_number_that_no_duration_can_be_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(number)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.25, "0.25s"),
        (0.0004, "0s"),
        (59.9996, "1m"),
        (90, "1m30s"),
        (5400.4, "1h30m"),
        (90061, "1d1h1m1s"),
        (604800, "7d"),
        (-90, "-1m30s"),
    ],
)
def test_a_duration_is_written_as_a_person_would(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(0, 10**9))
def test_whole_seconds_survive_being_written_and_read(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1024", 1024),
        ("512B", 512),
        ("1kB", 1000),
        ("25MB", 25_000_000),
        ("2GB", 2_000_000_000),
        ("1KiB", 1024),
        ("25MiB", 25 * 1024**2),
        ("25 mib", 25 * 1024**2),
        ("1.5GiB", 3 * 1024**3 // 2),
        (77, 77),
    ],
)
def test_a_size_is_read_in_bytes(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "MiB", "-1", "1.5", "1 TB", "1e6", "25  MiB", "9999999999GiB", -1, 2**63]
)
def test_what_is_not_a_size_is_refused_with_how_to_write_one(text: str | int) -> None:
    with pytest.raises(ValueError, match=r"is not a size such as 25MiB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (1023, "1023B"), (1024, "1KiB"), (1536, "1.5KiB"), (25 * 1024**2, "25MiB")],
)
def test_a_size_is_written_in_the_largest_unit_that_it_fills(size: int, text: str) -> None:
    assert format_size(size) == text


@given(st.integers(0, 1023), st.sampled_from([1, 1024, 1024**2, 1024**3]))
def test_a_round_size_survives_being_written_and_read(number: int, unit: int) -> None:
    assert parse_size(format_size(number * unit)) == number * unit


@pytest.mark.parametrize("value", [True, None, ["1s"]])
def test_neither_takes_what_is_no_text_and_no_number(value: object) -> None:
    with pytest.raises(TypeError):
        parse_duration(value)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        parse_size(value)  # type: ignore[arg-type]
