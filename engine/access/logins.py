"""Logins: a cookie of a browser, or a link that is opened once; both stand for a token."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

from engine.access.tokens import hash_of
from engine.ports.access import Login
from engine.random_bytes import random_hex

# how long a browser stays logged in, and how long a link waits to be opened
STAYS, WAITS = timedelta(hours=12), timedelta(minutes=10)


def new_login(token_id: str, at: datetime) -> tuple[str, Login]:
    """What goes into the cookie, and what is kept of it."""
    secret = random_hex(32)
    return secret, Login(hash_of(secret), token_id, at, at + STAYS)


def new_link(token_id: str, at: datetime) -> tuple[str, Login]:
    """What goes into a link that logs in once, and what is kept of it."""
    secret = random_hex(32)
    return secret, Login(hash_of(secret), token_id, at, at + WAITS, once=True)


def form_key(secret: str) -> str:
    """What each form of a login brings back: another page can't know it, and it says nothing of the cookie."""
    return hmac.new(secret.encode(), b"form", hashlib.sha256).hexdigest()


def is_form_key(secret: str, given: str) -> bool:
    """Whether a form was made for this login."""
    return hmac.compare_digest(form_key(secret).encode(), given.encode())
