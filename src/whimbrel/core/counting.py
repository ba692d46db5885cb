"""Numbers of things in sentences for people."""


def counted(number: int, thing: str) -> str:
    """`1 message`, `2 messages`; `thing` is the singular of a word that takes an s."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def lasting(seconds: float) -> str:
    """`less than a minute`, `1 minute`, `5 hours`, `3 days`: in whole ones of the largest unit that fits."""
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            return counted(int(seconds // size), unit)
    return "less than a minute"


def octets_in_words(number: float) -> str:
    """`4.2 GB`, in powers of 1024."""
    for unit, size in (("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return counted(int(number), "byte")
