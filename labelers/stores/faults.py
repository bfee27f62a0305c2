"""What a store did not do, in one line: what was asked of which store, and what to do."""

import re

__all__ = ["AGAIN", "explained", "is_fault"]

_SAID = re.compile(
    r"When [^:\n]*?bucket '(?P<bucket>[^']*)'[^:\n]*: "
    r"AWS Error (?P<error>.*?) during (?P<asked>\w+) operation(?:: (?P<more>[^\n]*))?"
)
_SHORT = re.compile(r"AWS Error (?P<error>.*?) during (?P<asked>\w+) operation(?:: (?P<more>[^\n]*))?")
_BROKEN = (ConnectionError, TimeoutError)

AGAIN = "then run the same command again; what is done is kept"
"""What to do once a fault has passed."""
_CAUSES = (
    (
        r"expired",
        "says that the credentials have expired",
        f"renew them here and on all workers, {AGAIN}",
    ),
    (
        r"INVALID_ACCESS_KEY|SIGNATURE|ACCESS_DENIED|status 40[13]|InvalidToken|CREDENTIALS",
        "refuses the credentials",
        f"check the access key, the profile or the role, here and on all workers, {AGAIN}",
    ),
    (
        r"NO_SUCH_BUCKET|NoSuchBucket",
        "has no such bucket",
        "make it, or correct the URI",
    ),
    (
        r"status 400",
        "does not accept the request",
        "renew credentials that may have expired, or set AWS_REQUEST_CHECKSUM_CALCULATION=when_required for it",
    ),
    (
        r"SLOW_DOWN|UNAVAILABLE|status (?:429|5\d\d)|INTERNAL_FAILURE|THROTTL",
        "is too busy, also after several attempts",
        f"wait, or use fewer workers or a larger [store] retries, {AGAIN}",
    ),
    (
        r"NETWORK_CONNECTION|curlCode|TIMEOUT",
        "does not answer, or breaks the connection, also after several attempts",
        f"check the endpoint and the network, {AGAIN}",
    ),
)
"""Per cause how its text looks, what the store does, and what to do."""


def is_fault(error: BaseException) -> bool:
    """Return whether an error says something of a store and not of a file in it.

    Example:
        >>> is_fault(OSError("AWS Error SLOW_DOWN during GetObject operation: ")), is_fault(OSError("not a gzip file"))
        (True, False)
    """
    return isinstance(error, _BROKEN) or bool(_SHORT.search(str(error)))


def explained(error: BaseException, again: str = AGAIN) -> str:
    """Return what an error says; of a store's fault, one line with what to do.

    Args:
        error: of a store, or any other.
        again: how to go on once the fault has passed.

    Example:
        >>> said = "When reading key 'a' in bucket 'b': AWS Error NETWORK_CONNECTION during HeadObject operation: x"
        >>> explained(OSError(said)).partition(";")[0]
        's3://b does not answer, or breaks the connection, also after several attempts (HeadObject: NETWORK_CONNECTION)'
    """
    text = str(error)
    found = _SAID.search(text) or _SHORT.search(text)
    if not found:
        return text
    parts = {"bucket": "", **found.groupdict(default="")}
    store = f"s3://{parts['bucket']}" if parts["bucket"] else "the store"
    whole = f"{parts['error']} {parts.get('more', '')}"
    for pattern, does, advice in _CAUSES:
        if re.search(pattern, whole, re.IGNORECASE):
            return f"{store} {does} ({parts['asked']}: {parts['error']}); {advice.replace(AGAIN, again)}"
    return f"{store} fails at {parts['asked']}: {whole.strip()}"
