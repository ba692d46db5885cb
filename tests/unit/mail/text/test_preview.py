import pytest

from whimbrel.mail.scan import scan
from whimbrel.mail.text.preview import html_text
from whimbrel.mail.text.quicklook import QuickLook
from whimbrel.mail.text.searchable import searchable


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


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<b>wor</b>d", "word"),
        ("w<span style='x'>o</span>r<font color=red>d</font>", "word"),
        ("wo<!-- comment -->rd", "word"),
        ("wo&shy;r\u200bd<wbr>s", "words"),
        ("one<br>two<p>three</p>four<td>five", "one two three four five"),
        ("a<blockquote>b</blockquote>c<article>d", "a b c d"),  # Begin like inline elements.
        ("a<b", "a"),
        ("wo<style>p{}</style>r<script>x()</script>d", "word"),
        ('wo<span class="a>b">r</span>d', "word"),
        ("wo<b title='p>q'>rd</b>", "word"),
        ('wo<a title = "x > y" href=z>rd</a> <img alt="a<b>c">end', "word end"),
        ('it="5 > 4" <b title=">word', 'it="5 > 4" word'),  # A quote without its end counts for nothing.
        ("wo<![if !mso]>r<![endif]>d", "word"),
        ('wo<?xml:namespace prefix = o ns = "x" />rd', "word"),
        ("w<st1:place>o</st1:place>r<v:shape>d</v:shape>s<x-y>!</x-y>", "words!"),
        ("w<ruby>o<output>r</output><slot>d<map>s", "words"),
        ("a<p-x>b</p-x>c<p/>d<table-y>e", "abc de"),
        ("a<rt>b</rt>c<h1>d", "a b c d"),
    ],
)
def test_inline_elements_end_no_word(source: str, text: str) -> None:
    assert " ".join(html_text(source).split()) == text
    mail = f"Content-Type: text/html; charset=utf-8\n\n{source}"
    assert preview(mail) == text
    for word in text.split():
        assert any(word in piece for piece in searchable(mail.encode()))
        assert not QuickLook(mail.encode()).lacks_body(word)


def test_long_style_sheets_hide_no_text() -> None:
    for size in (100, 5000, 60_000):
        style = "<style>" + "p { color: red }\n" * (size // 17) + "</style>"
        mail = "Content-Type: text/html\n\n" + style + "<p>the text" + " x" * 9000
        assert preview(mail).startswith("the text"), size


def test_a_soft_line_break_followed_by_blanks_is_none() -> None:
    mail = "Content-Transfer-Encoding: quoted-printable\n\nwo=  \nrd"
    assert preview(mail) == "word" and any("word" in piece for piece in searchable(mail.encode()))
    assert not QuickLook(mail.encode()).lacks_body("word")
