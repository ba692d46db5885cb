"""Numbers of things in sentences for people."""


def counted(number: int, thing: str) -> str:
    """`1 message`, `2 messages`; `thing` is the singular of a word that takes an s."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
