"""Amazon S3: objects of JSON records, such as the contact records that Amazon Connect streams
through Firehose. An object belongs to the day on which it was written; all are listed.
"""

import gzip
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3

from qa_core.base.errors import Refusal
from qa_core.sources.protocol.declaration import (
    LISTING,
    Items,
    SourceAccess,
    SourceFailed,
    SourcePlatform,
    Span,
    check_host,
)
from qa_core.sources.protocol.http import CAUSES, MAX_BYTES, WAITS, connect, exchange

LOG = logging.getLogger("qa_core")
PAGE_KEYS = 1000
FILE_NAME = "rows.json"
GZIP = b"\x1f\x8b"
"""First bytes of a compressed object; names and headers of objects are not always right."""
NOT_THERE = ("NoSuchKey", "404", "PreconditionFailed", "412")
"""Codes of an object that is gone, or is another one than was listed."""


def check(address: str, statement: str | None) -> str:
    """Raise Refusal for an address without a bucket, a host that the operator does not allow, or
    where the driver is not installed.
    """
    try:
        import boto3  # noqa: F401
    except ImportError:
        raise Refusal(
            "no_driver",
            "Objects in S3 need boto3, which is not installed.",
            ("python -m pip install -r requirements-sources.txt",),
        ) from None
    if not urlsplit(address).path.strip("/"):
        raise Refusal(
            "no_bucket",
            "Write the address as https://s3.REGION.amazonaws.com/BUCKET/PREFIX.",
        )
    return check_host(address, statement)


@contextmanager
def _open(access: SourceAccess) -> Iterator[tuple[Any, str, str]]:
    """Open a client, and split the address into bucket and prefix. All requests take the way of
    `_send`: to the host that was checked, and to no other. Raises SourceFailed.
    """
    from botocore import exceptions
    from botocore.config import Config

    parts = urlsplit(access.address)
    bucket, _slash, prefix = parts.path.lstrip("/").partition("/")
    number, _colon, secret = (access.secret or "").partition(":")
    if not (number and secret):  # the driver would look for others on this machine
        raise SourceFailed("denied")
    with connect(parts) as pool:
        try:
            client = _open_session().client(
                "s3",
                aws_access_key_id=number,
                aws_secret_access_key=secret,
                region_name=_find_region(parts.hostname or ""),
                endpoint_url=f"{parts.scheme}://{parts.netloc}",
                config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
            )
            send = partial(_send, pool, parts.netloc, access.wait)
            client.meta.events.register_first("before-send.s3", send)
            yield client, bucket, prefix
        except exceptions.ClientError:
            raise SourceFailed("refused") from None
        except exceptions.BotoCoreError:
            raise SourceFailed("changed") from None


@cache
def _open_session() -> Any:
    """Open the session that keeps the description of the API, without any secret."""
    import boto3

    return boto3.session.Session()


def _find_region(host: str) -> str:
    """Find the region in a host such as s3.eu-west-3.amazonaws.com."""
    labels = host.split(".")
    is_regional = labels[0] == "s3" and "amazonaws" in labels[2:]
    return labels[1] if is_regional else "us-east-1"


def _send(
    pool: urllib3.HTTPConnectionPool,
    host: str,
    wait: Callable[[float], None],
    request: Any,
    **_given: Any,
) -> Any:
    """Send a signed request, again where that helps. Raises SourceFailed."""
    from botocore.awsrequest import AWSResponse

    target = request.url.split(host, 1)[1]
    headers = dict(request.headers.items()) | {"Host": host}
    cause = "unreachable"
    for seconds in (*WAITS, None):
        try:
            status, given, content = exchange(
                pool, request.method, target, request.body, headers, is_decoded=False
            )
        except urllib3.exceptions.HTTPError:
            cause = "unreachable"
        else:
            if status in CAUSES:
                raise SourceFailed(CAUSES[status])
            if status != 429 and status < 500:
                raw = urllib3.HTTPResponse(io.BytesIO(content), given, preload_content=False)
                return AWSResponse(request.url, status, given, raw)
            cause = "throttled" if status in (429, 503) else "unreachable"
        if seconds is not None:
            wait(seconds)
    raise SourceFailed(cause)


def find_items(access: SourceAccess, span: Span) -> Items:
    """List the objects that were written in a span, the oldest first, with their ETags. A prefix
    with %Y, %m and %d is listed for the days around the span only.
    """
    first = span.since.date() - timedelta(days=1)
    days = (first + timedelta(days=n) for n in range((span.until.date() - first).days + 2))
    with _open(access) as (client, bucket, prefix):
        pages = partial(
            client.get_paginator("list_objects_v2").paginate,
            PaginationConfig={"PageSize": PAGE_KEYS},
        )
        found = sorted(
            (item["LastModified"], item["Key"], item["ETag"])
            for name in sorted({f"{day:{prefix}}" if "%" in prefix else prefix for day in days})
            for page in pages(Bucket=bucket, Prefix=name)
            for item in page.get("Contents", ())
            if span.since <= item["LastModified"] < span.until and not item["Key"].endswith("/")
        )
    return {key: version for _at, key, version in found}


def fetch_items(
    access: SourceAccess, items: Items, folder: Path
) -> tuple[Sequence[Path], set[str]]:
    """Append the records of these objects to one file. An object that is gone, has changed since
    it was listed or holds no JSON is left out.
    """
    from botocore.exceptions import ClientError

    path, done = folder / FILE_NAME, set()
    with _open(access) as (client, bucket, _prefix), path.open("ab") as file:
        for key, version in items.items():
            try:
                answer = client.get_object(Bucket=bucket, Key=key, IfMatch=version)
                file.write(_read_json(answer["Body"].read()))
            except ClientError as error:
                if error.response["Error"]["Code"] not in NOT_THERE:
                    raise
            except (ValueError, OSError, EOFError):
                LOG.warning("the object %s of %s holds no JSON", key, access.address)
            else:
                done.add(key)
    return [path] if path.stat().st_size else [], done


def _read_json(content: bytes) -> bytes:
    """Unpack the JSON documents of an object, which may follow each other without a separator.
    Raises ValueError, OSError or EOFError for other content.
    """
    if content.startswith(GZIP):
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            content = file.read(MAX_BYTES + 1)
    content = content.strip()
    if content and not (
        content[:1] in b"{[" and content[-1:] in b"}]" and len(content) <= MAX_BYTES
    ):
        raise ValueError
    return content + b"\n" if content else b""


PLATFORM = SourcePlatform(
    title="Amazon S3",
    basis=LISTING,
    settle=timedelta(days=1),
    profile="amazon_connect",
    asks=("address", "secret"),
    check=check,
    find_items=find_items,
    fetch_items=fetch_items,
)
