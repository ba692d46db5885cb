"""Matching names against aliases with `*` and `?`, without backtracking that grows."""


def matches(pattern: str, name: str) -> bool:
    """`*` is any number of characters, `?` one. Time is at most the product of both lengths."""
    star, mark = -1, 0
    p = n = 0
    while n < len(name):
        if p < len(pattern) and pattern[p] == "*":
            star, mark = p, n
            p += 1
        elif p < len(pattern) and pattern[p] in ("?", name[n]):
            p, n = p + 1, n + 1
        elif star >= 0:
            mark += 1
            p, n = star + 1, mark
        else:
            return False
    return not pattern[p:].strip("*")
