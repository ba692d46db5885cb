from whimbrel.mail.text.searchable import MAX_PART, searchable

MAIL = (
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
    b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nw4RyZ2Vy\n--b\n"
    b"Content-Type: text/html\nContent-Description: Deep\n\n<p>one <b>two</b></p>\n--b\n"
    b"Content-Type: image/gif\nContent-Transfer-Encoding: base64\n\nc2VjcmV0\n--b\n"
    b"Content-Type: message/rfc822\n\nSubject: Inner\n\nlast\n--b--\n"
)


def has(needle: str, *, headers: bool = True) -> bool:
    return any(needle in piece for piece in searchable(MAIL, headers=headers))


def test_decoded_text_is_found_without_regard_to_case() -> None:
    for needle in ("grüsse", "ärger", "one two", "<b>two", "last", "inner"):
        assert has(needle.casefold()), needle


def test_body_leaves_header_fields_out_also_those_within() -> None:
    assert not has("grüsse", headers=False) and not has("subject: inner", headers=False)
    assert has("ärger", headers=False) and has("deep") and has("subject: inner")


def test_what_is_no_text_is_not_searched() -> None:
    assert not has("secret") and not has("c2vjcmv0")


def test_a_long_part_is_searched_up_to_a_limit() -> None:
    pieces = list(searchable(b"A: 1\n\n" + b"x" * (2 * MAX_PART)))
    assert max(map(len, pieces)) == MAX_PART
