"""What stands before every route: who asks, from where, and what a browser may do with answers."""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import parse_qs

MOST_BYTES = 1_000_000
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
}
_GO_ON = (
    '<!doctype html><meta http-equiv="refresh" content="0; url=/"><title>skactive</title>'
    '<a href="/">Go on</a>'
)


class Guard:
    """An ASGI application around another one.

    Parameters
    ----------
    app : ASGI application
        What answers those who may ask; `scope["labeller"]` says who it is.
    hosts : set of str
        What the header Host may say, besides the address at which a request came in. A page of
        another name that leads here gets nothing.
    tokens : dict of str to str
        The name of the labeller of each token.
    cookie : str
        The name of the cookie.
    """

    def __init__(self, app: Any, hosts: set[str], tokens: dict[str, str], cookie: str) -> None:
        self.app = app
        self.hosts = hosts
        self.tokens = tokens
        self.cookie = cookie

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        status, body, more = self._verdict(scope, headers)
        if status:
            await _answer(send, status, body, more)
            return
        scope["labeller"] = self._who(headers)
        body_read = await _read(receive)
        if body_read is None:
            await _answer(send, 413, "The request is too long.", {"connection": "close"})
            return
        await self.app(scope, _again(body_read, receive), _with_headers(send))

    def _verdict(self, scope: Any, headers: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        """Return a status and a message, or 0 if the request may pass."""
        host = headers.get("host", "").lower()
        full = host if ":" in host else f"{host}:80"  # which browsers leave out
        if full not in self.hosts | {"{}:{}".format(*scope["server"])}:
            return 421, "This server has another name.", {}
        if scope["path"] == "/" and b"token=" in scope["query_string"]:
            return self._let_in(scope)
        if self._who(headers) is None:
            return 401, "Open the address that skactive has printed: it has the key.", {}
        if scope["method"] in {"GET", "HEAD"}:
            return 0, "", {}
        if headers.get("origin") != f"http://{host}":
            return 403, "Only this server's own page may write.", {}
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return 415, "What is written has to be JSON.", {}
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            return 413, "The request is too long.", {"connection": "close"}
        return 0, "", {}

    def _let_in(self, scope: Any) -> tuple[int, str, dict[str, str]]:
        """Turn the token of the printed address into a cookie, so that it leaves the address.

        Not by a redirect: where the address was opened from another page, such as a mail, a
        browser would not send the cookie along with it.
        """
        (token, *_) = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
        if self._labeller_of(token) is None:
            return 401, "This key is not valid any more; skactive has printed another.", {}
        cookie = f"{self.cookie}={token}; HttpOnly; SameSite=Strict; Path=/"
        return 200, _GO_ON, {"set-cookie": cookie, "content-type": "text/html; charset=utf-8"}

    def _who(self, headers: dict[str, str]) -> str | None:
        # Cookies of this computer go to all its servers: those of others, however odd, are skipped.
        for pair in headers.get("cookie", "").split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self.cookie:
                return self._labeller_of(value)
        return None

    def _labeller_of(self, token: str) -> str | None:
        found = None
        for known, name in self.tokens.items():  # all, in a time that tells nothing
            if hmac.compare_digest(known.encode(), token.encode()):
                found = name
        return found


async def _read(receive: Any) -> bytes | None:
    """Return the body of a request, or None if it is longer than it may be, whatever it said."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MOST_BYTES:
            return None
    return body


def _again(body: bytes, receive: Any) -> Any:
    """Return a receive that gives the body that was read, and then what comes."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def wrapped() -> Any:
        return messages.pop() if messages else await receive()

    return wrapped


def _with_headers(send: Any) -> Any:
    async def wrapped(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *_headers({})]}
        await send(message)

    return wrapped


def _headers(more: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(key.encode(), value.encode()) for key, value in {**HEADERS, **more}.items()]


async def _answer(send: Any, status: int, body: str, more: dict[str, str]) -> None:
    headers = _headers({"content-type": "text/plain; charset=utf-8", **more})
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})
