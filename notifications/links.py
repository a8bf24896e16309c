"""Links in reminders: unforgeable, one purpose each, short enough for any mail program; and hashes of addresses.

`link_id` = HMAC-SHA256(its key, public id), 16 bytes; the row keeps its SHA-256 only. A link carries it, and 9 bytes of
HMAC-SHA256(its purpose's key, link_id): who sees one link cannot build another. Each use has a key of its own, derived
from each of `NOTIFICATIONS_LINK_KEYS`: who gets hold of one forges nothing of another use.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import re
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from notifications.conf import conf

ID_BYTES, MAC_BYTES, MAILBOX_MAC_BYTES = 16, 9, 5
_LABEL = b"notifications.links.key:"
_LINK_ID, _VISITOR, _SOURCE, _UNSUBSCRIBE_MAILBOX = "link id", "visitor", "source", "unsubscribe mailbox"
_SITE_BITS = 64
"""Of an IPv6 address: the rest is the device's own, and changes by the hour."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{34}", re.ASCII)
_MAILBOX = re.compile(r"u-([a-z2-7]{34})@(.+)", re.ASCII)


class Purpose(StrEnum):
    """What a link is for."""

    RESTORE = "r"
    UNSUBSCRIBE = "u"
    PREFERENCES = "p"
    OPEN = "o"
    TRAP = "h"


def new_link(public_id: str) -> bytes:
    """Give the link id of a message, always the same while the newest key stays."""
    return hmac.digest(derived_keys(_LINK_ID)[0], public_id.encode(), hashlib.sha256)[:ID_BYTES]


def link_hash(link_id: bytes) -> str:
    """Give what a message's row keeps of its link id."""
    return hashlib.sha256(link_id).hexdigest()


def token(purpose: Purpose, link_id: bytes) -> str:
    """Write the 34 characters that a link carries."""
    return _b64(link_id) + _b64(_mac(derived_keys(purpose)[0], link_id))


def read_token(purpose: Purpose, text: str) -> str | None:
    """Give the link hash that a token stands for; None if it is altered, or was made for something else."""
    if not _TOKEN.fullmatch(text):
        return None
    try:
        link_id, mac = _unb64(text[:22]), _unb64(text[22:])
    except (binascii.Error, ValueError):
        return None
    if _b64(link_id) != text[:22]:  # two spellings of one id: only ours counts
        return None
    # Every key is tried, so that how long it takes tells nothing of which one fits.
    fits = [hmac.compare_digest(mac, _mac(key, link_id)) for key in derived_keys(purpose)]
    # Mails that went before purposes had keys of their own: their opt-outs must work for as long as they are kept.
    old = purpose.value.encode() + link_id
    fits += [hmac.compare_digest(mac, _mac(key, old)) for key in conf().keys]
    return link_hash(link_id) if any(fits) else None


def mailbox(link_id: bytes) -> str:
    """Write the address to which any mail opts out: base32, as the part before the @ may be lower-cased on its way."""
    mac = _mailbox_mac(derived_keys(_UNSUBSCRIBE_MAILBOX)[0], link_id)
    return f"u-{_b32(link_id + mac)}@{conf().unsubscribe_mailbox}"


def read_mailbox(address: str) -> str | None:
    """Give the link hash that an address of `mailbox` stands for, in any case; None if it is another or altered."""
    found = _MAILBOX.fullmatch(address.strip().lower())
    if found is None or found[2] != conf().unsubscribe_mailbox.lower():
        return None
    data = base64.b32decode(found[1].upper() + "=" * (-len(found[1]) % 8))
    if _b32(data) != found[1]:  # two spellings of one id: only ours counts
        return None
    link_id, mac = data[:ID_BYTES], data[ID_BYTES:]
    fits = [hmac.compare_digest(mac, _mailbox_mac(key, link_id)) for key in derived_keys(_UNSUBSCRIBE_MAILBOX)]
    return link_hash(link_id) if any(fits) else None


def address_hashes(email: str) -> tuple[str, ...]:
    """Give the keyed hashes of an address, by each pepper, the newest first: what is kept, and what is looked for."""
    plain = normalize(email).encode()
    return tuple(hmac.new(pepper, plain, hashlib.sha256).hexdigest() for pepper in conf().all_peppers)


def normalize(email: str) -> str:
    """Write an address in the one way in which it is hashed: trimmed, lower case, its domain in IDNA."""
    local, _, domain = email.strip().lower().rpartition("@")
    if conf().strip_plus_tags:
        local = local.partition("+")[0]
    with contextlib.suppress(UnicodeError):
        domain = domain.encode("idna").decode()
    return f"{local}@{domain}"


def domain_of(email: str) -> str:
    """Tell the domain that receives what goes to an address, in the one way in which it is written; empty: none."""
    return normalize(email).rpartition("@")[2]


def visitor_hash(owner: str) -> str:
    """Shorten a visitor's cart to what counts people and names nobody."""
    return hmac.new(derived_keys(_VISITOR)[0], owner.encode(), hashlib.sha256).hexdigest()[:16] if owner else ""


def source_hash(address: str) -> str:
    """Shorten a network address (of IPv6 its network) to what tells two sources apart; empty if it is none."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    kept = found.packed[: _SITE_BITS // 8]
    return hmac.new(derived_keys(_SOURCE)[0], kept, hashlib.sha256).hexdigest()[:16]


def derived_keys(use: str) -> tuple[bytes, ...]:
    """Give the keys of one use, the newest first."""
    return _derived(conf().keys, use)


@lru_cache(maxsize=64)
def _derived(keys: tuple[bytes, ...], use: str) -> tuple[bytes, ...]:
    """Derive a use's keys once a process: as HKDF-Expand does (RFC 5869), with one block and the use as its label."""
    return tuple(hmac.digest(key, _LABEL + use.encode() + b"\x01", hashlib.sha256) for key in keys)


def _mac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, hashlib.sha256)[:MAC_BYTES]


def _mailbox_mac(key: bytes, link_id: bytes) -> bytes:
    return hmac.digest(key, link_id, hashlib.sha256)[:MAILBOX_MAC_BYTES]


def _b32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
