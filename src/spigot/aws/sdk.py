"""The way to AWS: boto3, imported when it is needed, and what it raises, in a line each."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from spigot.errors import SettingsError, SpigotError, StoreError
from spigot.log import Log

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNREACHED = frozenset(
    ("EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError",
     "ProxyConnectionError", "SSLError")
)  # fmt: skip

_log = Log(__name__)


QUICK = 6.0
"""Seconds that an answer may take for which a provider waits, or a lane."""

PATIENT = 60.0
"""Seconds that an answer may take for which a person waits."""


def client(service: str, *, seconds: float = PATIENT) -> Any:
    """Return boto3's client for a service.

    Args:
        service: Such as ``sqs``.
        seconds: What an answer may take; three tries are made.

    Raises:
        SettingsError: boto3 is not installed.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise SettingsError(
            "A Spigot on AWS needs boto3, which is not installed: pip install 'spigot[aws]'."
        ) from None
    config = Config(
        connect_timeout=max(2.0, seconds / 10),
        read_timeout=seconds,
        retries={"total_max_attempts": 3},
        max_pool_connections=20,  # a drain's workers, and whoever receives
    )
    return boto3.client(service, config=config)


def brief(error: BaseException) -> str:
    """Return what an error of AWS says, in a line."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        said = response.get("Error", {}).get("Message") or str(error)
        return f"{getattr(error, 'operation_name', 'AWS')}: {said}"
    return " ".join(str(error).split())


def is_of_aws(error: BaseException) -> bool:
    """Tell whether boto3 raised it."""
    return type(error).__module__.partition(".")[0] in ("botocore", "boto3")


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn what boto3 raises into a `StoreError` that says what was tried.

    Args:
        what: What is tried, to follow "Cannot".
    """
    try:
        yield
    except Exception as error:
        if not is_of_aws(error):
            raise
        raise StoreError(f"Cannot {what}: {brief(error)}") from error


@contextlib.contextmanager
def tolerated(text: str) -> Iterator[None]:
    """Log what boto3 raises where nothing is lost by it."""
    try:
        yield
    except Exception as error:
        if not is_of_aws(error):
            raise
        _log.warning(text, exc=error)


@contextlib.contextmanager
def plainly() -> Iterator[None]:
    """Say in one line what to do about what boto3 raises, for a person.

    Raises:
        SettingsError: Credentials or region are missing.
        SpigotError: Whatever else AWS refused.
    """
    try:
        yield
    except Exception as error:
        if not is_of_aws(error):
            raise
        kind = type(error).__name__
        if kind in ("NoCredentialsError", "PartialCredentialsError"):
            raise SettingsError(
                "No AWS credentials found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and"
                " AWS_SECRET_ACCESS_KEY."
            ) from None
        if kind == "NoRegionError":
            raise SettingsError(
                "No AWS region is set: set AWS_REGION, such as eu-central-1, or one in the profile."
            ) from None
        if kind in _UNREACHED:
            raise SpigotError(
                f"AWS cannot be reached: {brief(error)} Check region and network."
            ) from None
        raise SpigotError(f"AWS refused: {brief(error)}") from None
