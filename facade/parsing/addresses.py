"""IP addresses as text: what is one, and the shortest way to write it."""

from __future__ import annotations

import ipaddress

from facade.exceptions import ValidationError

MAX_IPV6_LENGTH = 39


def is_ipv4(value: object) -> bool:
    """Return whether `value` is an IPv4 address: a text, an integer or an address object."""
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return False
    return True


def _parse_ipv6(text: str) -> ipaddress.IPv6Address:
    if len(text) > MAX_IPV6_LENGTH:
        raise ValueError(f"Unable to convert {text} to an IPv6 address (value too long).")
    return ipaddress.IPv6Address(int(ipaddress.IPv6Address(text)))  # by way of int: drops a scope


def is_ipv6(value: object) -> bool:
    """Return whether `value` is an IPv6 address: a text of at most 39 characters or an address object."""
    if isinstance(value, ipaddress.IPv6Address):
        return True
    if not isinstance(value, str):
        return False
    try:
        _parse_ipv6(value)
    except ValueError:
        return False
    return True


def clean_ipv6_address(
    ip_str: str, unpack_ipv4: bool = False, error_message: object = "This is not a valid IPv6 address."
) -> str:
    """Return the address in its shortest form; with `unpack_ipv4`, a mapped IPv4 address by itself.

    Raises ValidationError.

    >>> clean_ipv6_address("2001:DB8:0:0::1")
    '2001:db8::1'
    >>> clean_ipv6_address("::ffff:a00:1", unpack_ipv4=True)
    '10.0.0.1'
    """
    try:
        address = _parse_ipv6(ip_str)
    except ValueError:
        raise ValidationError(error_message, code="invalid", params={"protocol": "IPv6"})
    return str(address.ipv4_mapped) if unpack_ipv4 and address.ipv4_mapped else address_text(address)


def address_text(address: object) -> str:
    """Return an address object as text; Python's versions write mapped IPv4 addresses in different ways."""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(address) if mapped is None else f"::ffff:{mapped}"
