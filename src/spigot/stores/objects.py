"""What lies in S3 beside the queue: bodies that fit into no message, and notes."""

from __future__ import annotations

from typing import Any

from spigot.aws.sdk import tolerated


class Objects:
    """One bucket; what it raises is boto3's.

    Args:
        s3: boto3's client.
        bucket: The bucket's name.
    """

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def put(self, key: str, content: bytes) -> None:
        """Keep something."""
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content)

    def get(self, key: str) -> bytes | None:
        """Return what is kept there; None if nothing is."""
        try:
            data: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            return None
        return data

    def size(self, key: str) -> int:
        """Return how many bytes are kept there; 0 if nothing is."""
        found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1)
        return next((one["Size"] for one in found.get("Contents", ()) if one["Key"] == key), 0)

    def delete(self, key: str) -> None:
        """Throw away what is kept there, if it can be; nothing is lost by what stays."""
        with tolerated("What a webhook left in S3 could not be deleted"):
            self._s3.delete_object(Bucket=self._bucket, Key=key)
