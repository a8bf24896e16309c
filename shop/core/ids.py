"""Ids and secrets that strangers cannot guess."""

from __future__ import annotations

import hashlib
import re
import secrets

TOKEN_BYTES = 32
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id(prefix: str) -> str:
    """Make an opaque public id such as `chk_4Jq…` with 120 random bits; alphanumeric after the prefix."""
    # 32 characters: five bits of each byte, none more likely than another.
    return f"{prefix}_" + "".join(_ALPHABET[byte & 31] for byte in secrets.token_bytes(24))


def new_token() -> str:
    """Make a secret of 256 random bits, base64url without padding: 43 characters."""
    return secrets.token_urlsafe(TOKEN_BYTES)


_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


def is_token(text: str) -> bool:
    """Tell whether `text` has the shape of a secret made by `new_token`."""
    return _TOKEN.fullmatch(text) is not None


def hash_token(token: str) -> str:
    """Hash a secret for keeping: SHA-256, 64 hex digits. Plain hashing is enough for 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()
