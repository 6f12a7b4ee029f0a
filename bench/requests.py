"""What a load generator sends: bytes made beforehand, with places for an id, a new key, and a signature."""

import hashlib
import hmac
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Maker = Callable[[], bytes]
MINUTE = "%Y%m%d%H%M"  # of an end-to-end id


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of request. In head and body, `{subject}` is one of the ids, `{key}` differs each time.

    With a secret, the body is signed as docs/network.md says, and `{minute}` and the rest are filled in.
    """

    head: str
    body: str
    subjects: Sequence[str]
    secret: str | None = None

    def maker(self, host: str) -> Maker:
        """A function that gives the bytes of the next request."""
        return self._signed(host) if self.secret else self._plain(host)

    def _plain(self, host: str) -> Maker:
        length = len(_places(self.body) % _example(self.subjects[0]))
        lines = f"{self.head}host: {host}\r\n" + (f"content-length: {length}\r\n" if self.body else "") + "\r\n"
        whole = _places(lines + self.body)
        subjects = [subject.encode() for subject in self.subjects]
        prefix, number, choose = b"%016x" % random.getrandbits(64), 0, random.choice

        def make() -> bytes:
            nonlocal number
            number += 1
            return whole % {b"subject": choose(subjects), b"key": b"%b%016x" % (prefix, number)}

        return make

    def _signed(self, host: str) -> Maker:
        assert self.secret is not None
        secret = self.secret.encode()
        head = _places(f"{self.head}host: {host}\r\ncontent-length: {{length}}\r\n\r\n")
        body = _places(self.body)
        subject, number = self.subjects[0].encode(), random.getrandbits(40)

        def make() -> bytes:
            nonlocal number
            number += 1
            now = int(time.time())
            minute = time.strftime(MINUTE, time.gmtime(now)).encode()
            content = body % {b"subject": subject, b"key": b"%011x" % number, b"minute": minute}
            timestamp = b"%d" % now
            signature = hmac.digest(secret, timestamp + b"." + content, hashlib.sha256).hex().encode()
            filled = {b"timestamp": timestamp, b"signature": signature, b"length": b"%d" % len(content)}
            return head % filled + content

        return make


def _places(text: str) -> bytes:
    """The template as bytes that `%` fills in."""
    escaped = text.replace("%", "%%")
    for name in ("subject", "key", "minute", "timestamp", "signature", "length"):
        escaped = escaped.replace(f"{{{name}}}", f"%({name})s")
    return escaped.encode()


def _example(subject: str) -> dict[bytes, bytes]:
    return {b"subject": subject.encode(), b"key": b"0" * 32}
