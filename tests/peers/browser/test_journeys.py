"""What administrators come for, by the words they read: with the mouse, and again with the keyboard alone."""

import contextlib
import imaplib
import json
import re
from collections.abc import Callable
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import PHONE, Visit
from tests.support.mail import eventually, imap, letter, send, submit
from tests.support.server import PASSWORD, Running, command

pytestmark = [pytest.mark.peer("chromium"), pytest.mark.xdist_group("browser")]
BY = pytest.mark.parametrize("by", ["mouse", "keys"])
MOST_STOPS = 120
"""Presses of Tab after which something counts as out of reach."""


class Hand:
    """Presses what has a name: with the mouse, or by going there with Tab and pressing Enter or Space."""

    def __init__(self, page: Page, by: str) -> None:
        self.page, self.keys = page, by == "keys"

    def reach(self, role: str, name: str | re.Pattern[str], *, within: str = "") -> None:
        """By Tab alone, and there must be something to see of where one is."""
        around = self.page.locator(within) if within else self.page
        target = around.get_by_role(role, name=name).first  # type: ignore[arg-type]
        target.wait_for()
        self.until("Tab", lambda: target.evaluate("(node) => node === document.activeElement"), MOST_STOPS)
        ring = target.evaluate(
            "(node) => { const style = getComputedStyle(node); const up = getComputedStyle(node.parentElement);"
            " return [style.outlineStyle, style.boxShadow, up.outlineStyle, up.boxShadow].join(' ') }"
        )
        assert ring != "none none none none", f"nothing shows that {role} {name} has the focus"

    def press(self, role: str, name: str | re.Pattern[str], *, within: str = "") -> None:
        if not self.keys:
            around = self.page.locator(within) if within else self.page
            around.get_by_role(role, name=name).first.click()  # type: ignore[arg-type]
        elif role == "radio":  # Tab goes to the one that is chosen, arrows to the others.
            around = self.page.locator(within) if within else self.page
            focused = "(node) => node === document.activeElement"
            target, group = around.get_by_role("radio", name=name).first, around.get_by_role("radio")
            target.wait_for()
            self.until("Tab", lambda: any(each.evaluate(focused) for each in group.all()), MOST_STOPS)
            self.until("ArrowDown", lambda: target.evaluate(focused))
        elif role == "menuitem":  # Arrows move within a menu; Tab leaves it.
            target = self.page.get_by_role("menuitem", name=name).first
            target.wait_for()
            self.until("ArrowDown", lambda: target.evaluate("(node) => node === document.activeElement"))
            self.page.keyboard.press("Enter")
        else:
            self.reach(role, name, within=within)
            self.page.keyboard.press("Space" if role in ("checkbox", "switch") else "Enter")

    def until(self, key: str, there: Callable[[], Any], most: int = 60) -> None:
        for _ in range(most):
            if there():
                return
            self.page.keyboard.press(key)
        raise AssertionError(f"not reached by {key}")

    def palette(self, text: str, entry: str) -> None:
        """Ctrl K, or the field in the heading; what was pasted; one of what it finds."""
        if self.keys:
            self.page.keyboard.press("Control+k")
            expect(self.page.get_by_role("combobox", name="Search screens")).to_be_focused()
        else:
            self.page.get_by_role("button", name=re.compile("Address, setting, ID, screen")).click()
        self.page.get_by_role("combobox", name="Search screens, settings, users, messages").fill(text)
        option = self.page.get_by_role("option", name=re.compile(re.escape(entry)))
        option.first.wait_for()
        if not self.keys:
            option.first.click()
            return
        self.until("ArrowDown", lambda: option.first.get_attribute("aria-selected") == "true")
        self.page.keyboard.press("Enter")

    def row(self, text: str) -> None:
        """Opens the row that has this text."""
        row = self.page.get_by_role("row").filter(has_text=text).first
        row.wait_for()
        if not self.keys:
            row.get_by_role("gridcell").nth(1).click()
            return
        grid = self.page.get_by_role("grid").first
        self.until("Tab", lambda: grid.evaluate("(node) => node === document.activeElement"), MOST_STOPS)
        self.until("ArrowDown", lambda: grid.get_attribute("aria-activedescendant") == row.get_attribute("id"))
        self.page.keyboard.press("Enter")

    def fill(self, name: str, text: str, *, within: str = "", role: str = "textbox") -> None:
        if not self.keys:
            (self.page.locator(within) if within else self.page).get_by_label(name, exact=True).fill(text)
            return
        self.reach(role, re.compile(f"^{re.escape(name)}$"), within=within)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)


def sees(page: Page, *words: str) -> None:
    """What one must see at once: on the screen, without scrolling."""
    for each in words:
        place = page.get_by_text(each).locator("visible=true").first
        expect(place).to_be_visible()
        expect(place).to_be_in_viewport()


@BY
def test_mail_that_did_not_arrive(visit: Callable[..., Visit], house: Running, by: str) -> None:
    sender = f"robert-{by}@x.test"
    send(house, "anna@example.test", letter(f"missing-{by}", sender=sender), sender=sender)
    seen = visit(size=(1024, 768))
    page, hand = seen.page, Hand(seen.page, by)
    hand.palette(f"from {sender} to anna@example.test", "Trace what became of it")
    sees(page, "Delivered to anna / INBOX", "Last 24 hours")
    hand.row("Delivered to anna / INBOX")
    sees(page, "What happened", "Received", "Delivery", "Copy for the sender")
    page.keyboard.press("Escape")
    expect(page.locator("main aside")).to_have_count(0)
    hand.palette("nobody@x.test", "Trace mail from and to this address")
    sees(page, "No message from or to nobody@x.test in the last 24 hours", "Search the last 30 days")
    hand.press("button", "Search the last 30 days")
    sees(page, "in the last 30 days")
    assert not seen.faults.said, "\n".join(seen.faults.said)


@BY
def test_a_refused_message_says_why(visit: Callable[..., Visit], house: Running, by: str) -> None:
    sender = f"carol-{by}@y.test"
    with pytest.raises(SMTPRecipientsRefused):
        send(house, "anne@example.test", letter("typo"), sender=sender)
    seen = visit(size=(1024, 768))
    hand = Hand(seen.page, by)
    hand.palette(sender, "Trace mail from and to this address")
    sees(seen.page, "anne")
    sees(seen.page, "Refused")


@BY
def test_mail_that_waits_is_said_in_the_trace_and_released_in_the_queue(
    visit: Callable[..., Visit], house: Running, by: str
) -> None:
    submit(house, "bob@example.test", f"waits-{by}@far.test", letter("waits"))
    seen = visit(size=(1024, 768))
    page, hand = seen.page, Hand(seen.page, by)
    hand.palette(f"waits-{by}@far.test", "Trace mail from and to this address")
    sees(page, "Held")
    hand.row(f"waits-{by}@far.test")
    hand.press("button", "Open in the queue")
    expect(page.get_by_role("heading", level=1)).to_have_text("Queue")
    sees(page, "Held: outgoing mail is held", "View source")
    hand.press("button", "View source", within="main aside")
    expect(page.get_by_text("Subject: waits")).to_be_visible()
    hand.press("button", "Close", within="[role=dialog]")
    hand.press("button", "Release", within="main aside")
    sees(page, "Waiting")


@BY
def test_a_colleague_comes(visit: Callable[..., Visit], house: Running, by: str) -> None:
    seen = visit(size=(1024, 768))
    page, hand = seen.page, Hand(seen.page, by)
    hand.palette("Add user", "Add user")
    hand.fill("Full name", f"Käthe Groß {by}", within="main aside")
    address = f"kaethe.gross.{by}"
    assert page.locator("main aside").get_by_label("Address", exact=True).input_value() == address
    hand.press("radio", "Type one", within="main aside")
    hand.fill("Password", "a", within="main aside")
    hand.press("button", "Add user", within="main aside form")
    expect(page.get_by_text("must have at least 8 characters")).to_be_visible()
    seen.faults.said.clear()  # Refused as it should be.
    hand.fill("Password", PASSWORD, within="main aside")
    hand.fill("Same as a colleague", "anna@example.test", within="main aside", role="combobox")
    hand.press("button", "Take over", within="main aside")
    group = page.get_by_role("button", name="Group staff@example.test")
    expect(group).to_have_attribute("aria-pressed", "true")
    hand.press("button", "Alias office@example.test", within="main aside")
    hand.press("button", "Add user", within="main aside form")
    sees(page, f"{address}@example.test can sign in.", "Not signed in yet", "IMAP", "POP3")
    expect(page.locator("main aside")).to_contain_text(str(house.ports["imaps"]))
    members = command(house.directory, "group", "show", "staff@example.test")
    assert f"{address}@example.test" in members
    assert address not in command(house.directory, "alias", "show", "office@example.test"), "it was taken out"
    with imap(house, f"{address}@example.test"):
        pass
    expect(page.get_by_text("Signed in at")).to_be_visible(timeout=30_000)
    assert any(f"Käthe Groß {by}" in command(house.directory, "user", "list") for _ in eventually(5))
    hand.press("button", "Add another")
    expect(page.locator("main aside").get_by_label("Full name")).to_have_value("")
    assert not seen.faults.said, "\n".join(seen.faults.said)


@BY
def test_a_colleague_sets_the_password_by_a_link(
    visit: Callable[..., Visit], browser: Browser, house: Running, by: str
) -> None:
    seen = visit(size=(1024, 768))
    page, hand = seen.page, Hand(seen.page, by)
    hand.palette("Add user", "Add user")
    hand.fill("Full name", f"Nina Nord {by}", within="main aside")
    address = f"nina.nord.{by}@example.test"
    hand.press("button", "Add user", within="main aside form")
    sees(page, f"{address} receives mail.", "Not signed in yet")
    link = page.locator("main aside").get_by_text("/set-password#").locator("visible=true").first.inner_text()
    expect(page.get_by_role("img", name="The link as a QR code").locator("visible=true")).to_be_visible()
    with pytest.raises(imaplib.IMAP4.error), imap(house, address, password="seven-green-kites"):
        pass

    # The colleague, in another browser, whom no cookie helps.
    other = Visit(browser, link, size=PHONE)
    try:
        theirs, own = other.page, Hand(other.page, by)
        theirs.goto(link)
        sees(theirs, "Set your password", address, "At least 8 characters")
        own.fill("New password", "password")
        own.fill("The same password once more", "password")
        own.press("button", "Set password")
        expect(theirs.get_by_text("must not be among the most common ones")).to_be_visible()
        other.faults.said.clear()  # Refused as it should be; nobody is signed in here.
        own.fill("New password", "seven-green-kites")
        own.fill("The same password once more", "seven-green-kites")
        own.press("button", "Set password")
        sees(theirs, "The password is set", address, str(house.ports["imaps"]))
        assert "#" not in theirs.url
        with imap(house, address, password="seven-green-kites"):
            pass
        theirs.goto("about:blank")
        theirs.goto(link)
        expect(theirs.get_by_text("This link opens nothing")).to_be_visible()
    finally:
        other.context.close()
    expect(page.get_by_text("Signed in at")).to_be_visible(timeout=30_000)
    sees(page, f"{address} can sign in.")
    expect(page.locator("main aside").get_by_text("/set-password#").locator("visible=true")).to_have_count(0)
    security = (house.directory / "store" / "logs" / "security.log").read_text()
    assert "Used password link" in security and link.partition("#")[2] not in security

    # And once more from the drawer, to be revoked.
    seen.go(f"/users?open={address}&tab=access")
    hand.press("button", "Make a link", within="main aside")
    expect(page.get_by_text("Link made, expires")).to_be_visible()
    hand.press("button", "Revoke the link", within="main aside")
    expect(page.get_by_text("Link made, expires")).to_have_count(0)
    assert not seen.faults.said, "\n".join(seen.faults.said)


@BY
def test_what_was_typed_of_a_colleague_outlives_escape(visit: Callable[..., Visit], by: str) -> None:
    seen = visit(size=(1024, 768))
    page, hand = seen.page, Hand(seen.page, by)
    hand.palette("Add user", "Add user")
    hand.fill("Full name", "Łukasz Þór", within="main aside")
    page.locator("main aside").get_by_label("Domain").select_option("school.test")
    page.keyboard.press("Escape")
    sees(page, "What was typed for the new user is kept")
    expect(page.locator("main aside")).to_have_count(0)
    hand.press("button", "Add user")
    sees(page, "This was typed before and not added.")
    expect(page.locator("main aside").get_by_label("Address", exact=True)).to_have_value("lukasz.thor")
    expect(page.locator("main aside").get_by_label("Domain")).to_have_value("school.test")
    hand.press("button", "Begin anew", within="main aside")
    expect(page.locator("main aside").get_by_label("Full name")).to_have_value("")


@BY
def test_a_colleague_leaves_and_is_brought_back(visit: Callable[..., Visit], house: Running, by: str) -> None:
    name = {"mouse": "user20", "keys": "user21"}[by]
    seen = visit(size=(1024, 768))
    page, hand = seen.page, Hand(seen.page, by)
    hand.palette(name, f"{name} {name}@example.test")
    expect(page.locator("main aside")).to_be_visible()
    hand.press("button", "More actions")
    hand.press("menuitem", "Remove user")
    sees(page, f"Remove {name}@example.test?")
    hand.press("button", "Remove user", within="[role=dialog]")
    sees(page, f"{name}@example.test is removed; the mail is kept")
    assert f"{name}@" not in command(house.directory, "user", "list")
    undo = page.get_by_role("button", name="Undo").first
    undo.wait_for()
    page.keyboard.press("Control+z") if by == "keys" else undo.click()  # It is there for ten seconds.
    sees(page, f"{name}@example.test is back")
    assert f"{name}@" in command(house.directory, "user", "list")


@BY
def test_it_is_decided_what_becomes_of_a_colleague(visit: Callable[..., Visit], house: Running, by: str) -> None:
    name, other = {"mouse": ("user22", "user24"), "keys": ("user23", "user25")}[by]
    address, colleague = f"{name}@example.test", f"{other}@example.test"
    seen = visit(size=(1024, 768))
    page, hand = seen.page, Hand(seen.page, by)
    hand.palette(name, f"{name} {address}")
    hand.press("button", "More actions")
    hand.press("menuitem", "User leaves")
    sees(page, "What becomes of", "Mail from now on", "Who gets a copy of the mailbox", "Carry it out")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Mail from now on").select_option("to")
    dialog.get_by_label("Who gets the mail").fill(colleague)
    dialog.get_by_label("Who gets a copy of the mailbox").fill(colleague)
    sees(page, f"Mail goes to {colleague}", f"in the folder {address}")
    hand.press("button", "Carry it out", within="[role=dialog]")
    undo = page.get_by_role("button", name="Undo")
    undo.wait_for()
    page.keyboard.press("Control+z") if by == "keys" else undo.click()  # It is there for ten seconds.
    sees(page, "stays")
    assert json.loads(command(house.directory, "user", "show", address, "--json"))["left"] is False
    hand.press("button", "More actions")
    hand.press("menuitem", "User leaves")
    dialog.get_by_label("Mail from now on").select_option("refused")
    dialog.get_by_label("Text with which mail is refused").fill("has left")
    sees(page, "Mail is refused with: 550 has left")
    hand.press("button", "Carry it out", within="[role=dialog]")
    assert any(json.loads(command(house.directory, "user", "show", address, "--json"))["left"] for _ in eventually(30))
    sees(page, "Has left: sign-in is off", "Mail is refused with: has left")
    assert not seen.faults.said, "\n".join(seen.faults.said)


def test_a_phone_shows_the_first_sight_of_each_journey(visit: Callable[..., Visit]) -> None:
    seen = visit(size=PHONE)
    for path, words in {
        "/trace?q=anna@example.test": ["Delivered to anna / INBOX"],
        "/queue": ["Held"],
        "/users": ["anna"],
        "/dashboard": ["Health"],
    }.items():
        seen.go(path)
        sees(seen.page, *words)
        wide = seen.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{path} scrolls sideways by {wide}"


@BY
def test_the_disk_fills_up(visit: Callable[..., Visit], house: Running, by: str) -> None:
    seen = visit(size=(1024, 768))
    page, hand = seen.page, Hand(seen.page, by)
    command(house.directory, "config", "set", "space/soft-limit", "900000G")
    try:
        hand.palette("Dashboard", "Dashboard")
        hand.press("button", "Run checks")
        row = page.get_by_role("listitem").filter(has_text="Disk").first
        expect(row).to_be_visible()
        expect(row.get_by_text("Warns")).to_be_visible()
        row.get_by_role("link", name="Show").focus()
        page.keyboard.press("Enter") if by == "keys" else row.get_by_role("link", name="Show").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Storage")
        sees(page, "Space is low")
        hand.press("button", "Count mailboxes")
        sees(page, "What holds the room", "Largest mailboxes", "anna@example.test")
        command(house.directory, "config", "set", "space/hard-limit", "800000G")
        seen.go("/storage")
        sees(page, "mail is being put off, nothing is lost")
    finally:
        command(house.directory, "config", "unset", "space/hard-limit")
        command(house.directory, "config", "unset", "space/soft-limit")
    seen.go("/storage")
    expect(page.get_by_text("There is room").or_(page.get_by_text("Full in"))).to_be_visible()


@BY
def test_a_phone_cannot_sign_in(visit: Callable[..., Visit], house: Running, by: str) -> None:
    name = {"mouse": "user26", "keys": "user27"}[by]
    attempt(house, name)
    seen = visit(size=(1024, 768))
    page, hand = seen.page, Hand(seen.page, by)
    hand.palette(name, f"{name} {name}@example.test")
    if by == "keys":
        hand.reach("tab", "General", within="main aside")
        page.keyboard.press("End")
        hand.until("ArrowLeft", lambda: page.get_by_role("tab", name="Sign-in", selected=True).count())
    else:
        page.get_by_role("tab", name="Sign-in").click()
    sees(page, "1 failed attempt since", "From 1 address.")
    for _ in range(3):  # The person with the phone tries again; it is seen without a press.
        attempt(house, name)
    sees(page, "Locked out from 127.0.0.1")
    hand.press("button", "Unlock", within="main aside")
    expect(page.get_by_text("Locked out from")).to_have_count(0)
    with imap(house, f"{name}@example.test"):
        pass


def attempt(house: Running, name: str) -> None:
    with contextlib.suppress(imaplib.IMAP4.error), imap(house, f"{name}@example.test", password="an old one"):
        pass
