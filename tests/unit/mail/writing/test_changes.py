"""What a rule changes is changed exactly; every other octet stays as it came."""

import email
from email import policy as email_policy

import pytest

from whimbrel.mail.structure import header
from whimbrel.mail.writing.changes import (
    AddField,
    AddText,
    Change,
    MarkSubject,
    Plan,
    RemoveFields,
    Survey,
    TakeOut,
    TooComplex,
)
from whimbrel.mail.writing.edit import Rewriter

PLAIN = b"From: a@b.test\r\nSubject: hello\r\nX-Spam-Flag: YES\r\n\r\nbody\r\n"
ALTERNATIVE = (
    b"From: a@b.test\r\nContent-Type: multipart/alternative; boundary=in\r\nSubject: hello\r\nMIME-Version: 1.0\r\n\r\n"
    b"--in\r\n\r\ntext\r\n--in\r\nContent-Type: text/html\r\n\r\n<p>text\r\n--in--\r\n"
)
MIXED = (
    b"Subject: hello\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=out\r\n\r\npreamble\r\n"
    b"--out\r\nContent-Type: multipart/alternative; boundary=in\r\n\r\n"
    b"--in\r\n\r\ntext\r\n--in\r\nContent-Type: text/html\r\n\r\n<p>text\r\n--in--\r\n\r\n"
    b"--out\r\nContent-Type: application/x-msdownload\r\nContent-Disposition: attachment; filename=a.exe\r\n\r\nMZ\r\n"
    b"--out--\r\nepilogue\r\n"
)
SIGNED = (
    b"Subject: hello\r\nContent-Type: multipart/signed; boundary=out\r\n\r\n--out\r\n\r\ntext\r\n"
    b"--out\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n--out--\r\n"
)


def changed(message: bytes, *changes: Change, size: int = 1 << 20) -> bytes:
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    plan = Plan(changes, message[: 64 * 1024], len(message))
    survey = None
    if plan.whole:
        survey = Survey()
        for piece in pieces:
            survey.feed(piece)
        survey.end()
    rewriter = Rewriter(plan.edits(survey))
    return plan.front + b"".join(map(rewriter.feed, pieces or [b""]))


def subject(message: bytes) -> str:
    return next(field.text for field in header.fields(message) if field.name.lower() == b"subject")


def parts(message: bytes) -> list[tuple[str, str]]:
    """Type and text of each leaf."""
    found = email.message_from_bytes(message, policy=email_policy.compat32)
    return [
        (part.get_content_type(), part.get_payload(decode=True).decode().replace("\r\n", "\n").strip())
        for part in found.walk()
        if not part.is_multipart()
    ]


def test_fields_are_added_in_front_and_removed_by_name_or_prefix() -> None:
    added = AddField(b"X-New: 1\r\n")
    assert changed(PLAIN, added) == b"X-New: 1\r\n" + PLAIN
    without = b"From: a@b.test\r\nSubject: hello\r\n\r\nbody\r\n"
    assert changed(PLAIN, RemoveFields(b"x-spam-flag")) == changed(PLAIN, RemoveFields(b"x-spam-*")) == without
    assert changed(PLAIN, RemoveFields(b"x-spam")) == PLAIN
    folded = b"A: 1\r\nX-Spam-Status: a\r\n\tb\r\n c\r\nB: 2\r\n\r\nX-Spam-Flag: body\r\n"
    assert changed(folded, RemoveFields(b"x-spam-*")) == b"A: 1\r\nB: 2\r\n\r\nX-Spam-Flag: body\r\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Subject: hello\r\n", b"Subject: **spam** hello\r\n"),
        (b"Subject:hello\r\n", b"Subject: **spam** hello\r\n"),
        (b"SUBJECT : hello\r\n", b"SUBJECT : **spam** hello\r\n"),
        (b"Subject:\r\n", b"Subject: **spam**\r\n"),
        (b"Subject: \r\n", b"Subject: **spam** \r\n"),
        (b"Subject:\r\n folded\r\n\there\r\n", b"Subject: **spam**\r\n folded\r\n\there\r\n"),
        (b"Subject: **spam** hello\r\n", b"Subject: **spam** hello\r\n"),
        (b"Subject: =?utf-8?Q?**spam**_h=C3=BC?=\r\n", b"Subject: =?utf-8?Q?**spam**_h=C3=BC?=\r\n"),
        (b"Subject: Re: **spam** hello\r\n", b"Subject: **spam** Re: **spam** hello\r\n"),
        (b"Subject: h\xc3\xbc\xff\r\n", b"Subject: **spam** h\xc3\xbc\xff\r\n"),
        (b"X: 1\r\n", b"Subject: **spam**\r\nX: 1\r\n"),
        (b"Subject: a\r\nSubject: b\r\n", b"Subject: **spam** a\r\nSubject: **spam** b\r\n"),
    ],
)
def test_the_mark_precedes_the_unchanged_subject_once(before: bytes, after: bytes) -> None:
    mark = MarkSubject("**spam**")
    assert changed(before + b"\r\nbody", mark) == after + b"\r\nbody"
    bare = before.replace(b"\r\n", b"\n")
    expected = after.replace(b"\r\n", b"\n") if before != b"X: 1\r\n" else b"Subject: **spam**\r\nX: 1\n"
    assert changed(bare + b"\nbody", mark) == expected + b"\nbody"
    twice = changed(after + b"\r\nbody", mark)
    assert twice == after + b"\r\nbody"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"hello", "Achtung: Müll hello"),
        (b"=?utf-8?B?aMO8?= =?utf-8?B?aMO8?=", "Achtung: Müll hühü"),
        (b"=?iso-8859-1?Q?h=FC?=", "Achtung: Müll hü"),
    ],
)
def test_a_mark_beyond_ascii_is_an_encoded_word_and_one_space_is_seen_behind_it(before: bytes, after: bytes) -> None:
    message = changed(b"Subject: %b\r\n\r\nbody" % before, MarkSubject("Achtung: Müll"))
    assert message.isascii() and before in message
    assert subject(message) == after
    assert changed(message, MarkSubject("Achtung: Müll")) == message


def test_an_encoded_subject_shows_one_space_behind_a_mark_in_ascii() -> None:
    assert subject(changed(b"Subject: =?utf-8?B?aMO8?=\r\n\r\n", MarkSubject("**spam**"))) == "**spam** hü"


def test_a_line_does_not_grow_beyond_what_a_line_may_have() -> None:
    message = changed(b"Subject: " + b"x" * 985 + b"\r\n\r\n", MarkSubject("**spam**"))
    assert max(map(len, message.split(b"\r\n"))) <= 998 and subject(message) == "**spam** " + "x" * 985


def test_a_message_without_a_header_has_only_fields_in_front() -> None:
    body = b"no header at all\r\n\r\nmore: text\r\n"
    assert changed(body, AddField(b"X: 1\r\n"), MarkSubject("**spam**"), RemoveFields(b"more"), AddText("foot")) == (
        b"X: 1\r\nSubject: **spam**\r\n" + body
    )


def test_plain_ascii_text_is_extended_at_its_end() -> None:
    assert changed(PLAIN, AddText("-- \nfooter")) == PLAIN + b"\r\n--\r\nfooter\r\n"
    assert changed(PLAIN[:-2], AddText("footer")) == PLAIN + b"\r\nfooter\r\n"
    bare = PLAIN.replace(b"\r\n", b"\n")
    assert changed(bare, AddText("footer")) == bare + b"\nfooter\n"


def test_plain_utf8_text_is_extended_by_text_in_utf8() -> None:
    head = b"Content-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    message = head + "schön\r\n".encode()
    assert changed(message, AddText("Grüße")) == message + "\r\nGrüße\r\n".encode()


def test_flowed_text_stays_readable() -> None:
    message = b"Content-Type: text/plain; format=flowed\r\n\r\nbody\r\n"
    assert changed(message, AddText("> not quoted\nFrom here \nend")) == (
        message + b"\r\n > not quoted\r\n From here\r\nend\r\n"
    )


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n",
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n",
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n",
        b"Content-Type: text/html; charset=utf-8\r\n",
        b"Content-Type: application/pdf\r\nContent-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n",
        b"Content-Type: message/rfc822\r\n",
    ],
)
def test_any_other_body_becomes_the_first_part_as_it_is(head: bytes) -> None:
    body = b"Ym9keQ==\r\n" if b"base64" in head else b"A: body\r\n\r\nx\r\n"
    message = b"From: a@b.test\r\n" + head + b"Subject: x\r\n\r\n" + body
    after = changed(message, AddText("footer"))
    assert after.startswith(b"From: a@b.test\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; ")
    assert b"\r\n" + head + b"\r\n" + body + b"\r\n--=_" in after
    assert parts(after)[-1] == ("text/plain", "footer") and len(email.message_from_bytes(after).get_payload()) == 2


def test_an_alternative_is_wrapped_and_text_joins_a_mixed() -> None:
    after = changed(ALTERNATIVE, AddText("footer"))
    assert [kind for kind, _ in parts(after)] == ["text/plain", "text/html", "text/plain"]
    assert ALTERNATIVE.partition(b"\r\n\r\n")[2] in after and after.count(b"MIME-Version") == 1
    after = changed(MIXED, AddText("Füße"), AddText("two"))
    assert [text for _, text in parts(after)] == ["text", "<p>text", "MZ", "Füße", "two"]
    assert after.startswith(MIXED.partition(b"\r\n--out--")[0]) and after.endswith(b"\r\n--out--\r\nepilogue\r\n")


def test_a_mixed_that_was_never_closed_is_closed_behind_the_text() -> None:
    message = MIXED.partition(b"\r\n--out--")[0]
    after = changed(message, AddText("footer"))
    assert after.startswith(message) and after.endswith(b"\r\n--out--\r\n")
    assert [text for _, text in parts(after)] == ["text", "<p>text", "MZ", "footer"]


@pytest.mark.parametrize(
    "message",
    [
        SIGNED,
        SIGNED.replace(b"signed", b"encrypted"),
        b"Content-Type: application/pkcs7-mime\r\n\r\nMII\r\n",
        b"Content-Type: Application/X-PKCS7-mime\r\n\r\nMII\r\n",
        b"Subject: x\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n\r\nx\r\n",
        b"Subject: x\r\n\r\nHello\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA256\r\n",
        MIXED.replace(b"multipart/alternative", b"multipart/signed"),
    ],
)
def test_signed_and_encrypted_mail_gets_no_text(message: bytes) -> None:
    assert changed(message, AddText("footer")) == changed(message, AddText("footer"), size=1) == message


def test_a_signed_message_that_is_attached_does_not_stand_in_the_way() -> None:
    message = MIXED.replace(b"application/x-msdownload", b"message/rfc822").replace(b"MZ", SIGNED)
    assert b"footer" in changed(message, AddText("footer"))


def test_a_part_is_replaced_by_a_note_and_nothing_else_changes() -> None:
    after = changed(MIXED, TakeOut(4, "a.exe was taken out"))
    before, _, behind = MIXED.partition(b"Content-Type: application/x-msdownload")
    assert after.startswith(before) and after.endswith(behind.partition(b"MZ")[2])
    assert [text for _, text in parts(after)] == ["text", "<p>text", "a.exe was taken out"]
    assert b"MZ" not in after and b"a.exe\r\n" not in after


def test_a_multipart_is_taken_out_with_all_its_parts() -> None:
    after = changed(MIXED, TakeOut(1, "gone"), TakeOut(3, "gone with it"), AddText("footer"))
    assert [text for _, text in parts(after)] == ["gone", "MZ", "footer"]


def test_the_whole_content_can_be_taken_out() -> None:
    message = (
        b"Subject: x\r\nContent-Type: application/zip\r\nTo: c@d.test\r\nContent-Disposition: attachment\r\n\r\nPK"
    )
    after = changed(message, TakeOut(0, "gone"), AddText("footer"))
    assert after == (
        b"Subject: x\r\nTo: c@d.test\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n\r\ngone\r\n\r\nfooter\r\n"
    )


def test_a_part_is_taken_out_of_signed_mail_too() -> None:
    assert b"text" not in changed(SIGNED, TakeOut(1, "gone")).partition(b"--out")[2].replace(b"text/plain", b"")


def test_a_part_that_is_not_there_is_no_part() -> None:
    assert changed(MIXED, TakeOut(99, "gone")) == MIXED


def test_a_header_alone_gets_a_body() -> None:
    assert changed(b"Subject: x", AddText("footer")) == b"Subject: x\r\n\r\nfooter\r\n"
    html = b"Content-Type: text/html"
    assert parts(changed(html, AddText("footer"))) == [("text/html", ""), ("text/plain", "footer")]


def test_what_cannot_be_followed_is_not_changed_by_guessing() -> None:
    with pytest.raises(TooComplex):
        changed(b"X: 1\r\n" * 20_000 + b"Subject: x\r\n\r\nbody", MarkSubject("**spam**"))
    assert Plan([AddField(b"X: 1\r\n")], b"X: 1\r\n" * 20_000, 10**6).front == b"X: 1\r\n"
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(100, 300))
    with pytest.raises(TooComplex):
        changed(deep, TakeOut(1, "gone"))


def test_a_boundary_of_ours_cannot_be_forged_by_a_message_that_knows_us() -> None:
    boundaries = set()
    for text in (b"a", b"b"):
        after = changed(b"Content-Type: text/html\r\n\r\n" + text, AddText("footer"))
        boundaries.add(after.partition(b'boundary="')[2].partition(b'"')[0])
    assert len(boundaries) == 2
