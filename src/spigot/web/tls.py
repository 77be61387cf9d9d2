"""TLS for a listener, with a certificate that can be exchanged while it listens."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from spigot.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def server_context(certificate: Path, key: Path | None, *, option: str) -> ssl.SSLContext:
    """Return a context that serves a certificate, from TLS 1.2 on (RFC 9325, section 3.1.1).

    Args:
        certificate: A PEM file with the certificate and what it is signed by.
        key: The PEM file of its key, without a passphrase; None if it is in the same file.
        option: What the files are called in the configuration, for errors.

    Raises:
        SettingsError: They cannot be read, or do not belong together.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a passphrase at hand, OpenSSL would ask for one at the terminal, and wait.
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (OSError, ssl.SSLError, ValueError) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
        with_key = f" and {key}" if key else ""
        raise SettingsError(
            f"{option}: {certificate}{with_key} cannot be used ({why}). Name a PEM file with the "
            "certificate chain, and one with its key, without a passphrase, that this user may "
            "read."
        ) from error
    return context


class Certificate:
    """What a listener serves now: new connections get the newest, old ones keep theirs.

    Args:
        context: What it serves first.

    Attributes:
        front: Give it to the listener; each handshake goes on with the newest context.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self.front = context
        self._newest = context
        context.sni_callback = self._choose

    def serve(self, context: ssl.SSLContext) -> None:
        """Serve another one from the next connection on."""
        self._newest = context

    def _choose(self, line: ssl.SSLObject, _name: str | None, _front: ssl.SSLContext) -> None:
        """Take the newest; OpenSSL asks at each handshake, whether a name is given or not."""
        if self._newest is not self.front:
            line.context = self._newest
