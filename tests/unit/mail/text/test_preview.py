from whimbrel.mail.scan import scan
from whimbrel.mail.text.preview import html_text


def preview(mail: str) -> str:
    return scan(mail.encode()).preview


def test_plain_text_is_folded_to_one_line_and_cut() -> None:
    assert preview("A: 1\n\n  one\n\ntwo\tthree ") == "one two three"
    assert preview("A: 1\n\n" + "word " * 500) == ("word " * 40).strip()


def test_encodings_and_charsets_are_undone() -> None:
    assert preview("Content-Transfer-Encoding: base64\nContent-Type: text/plain; charset=utf-8\n\nw6k=\n") == "é"
    assert (
        preview("Content-Transfer-Encoding: quoted-printable\nContent-Type: text/plain; charset=latin1\n\n=E9=\n!")
        == "é!"
    )


def test_plain_text_goes_before_html_and_attachments_are_left_out() -> None:
    boundary = "Content-Type: multipart/alternative; boundary=b\n\n"
    attached = "--b\nContent-Disposition: attachment\n\nfile\n"
    rich = "--b\nContent-Type: text/html\n\n<p>rich</p>\n"
    plain = "--b\n\nplain\n"
    assert preview(boundary + attached + rich + plain) == "plain"
    assert preview(boundary + attached + rich) == "rich"
    assert preview(boundary + attached) == ""
    assert preview("Content-Type: image/gif\n\nGIF89a") == ""


def test_quoted_lines_are_left_out_if_there_are_others() -> None:
    assert preview("A: 1\n\n> old\nnew\n") == "new"
    assert preview("A: 1\n\n> old\n") == "> old"


def test_html_is_read_without_its_machinery() -> None:
    source = (
        "<html><head><title>T</title><style>p {}</style></head><body><!-- <p>no</p> --><SCRIPT>no()</Script>"
        "a &lt; b &amp;&nbsp;c<br>d 1 < 2 <a href='x'>link</a></body>"
    )
    assert " ".join(html_text(source).split()) == "a < b & c d 1 < 2 link"


def test_html_that_never_ends_is_no_trap() -> None:
    assert html_text("<style>" * 3 + "x").split() == ["x"]
    assert html_text("a <!-- b").split() == ["a"]


def test_invisible_padding_is_dropped() -> None:
    assert preview("Content-Type: text/plain; charset=utf-8\n\nHi\u200b\u034f there") == "Hi there"
