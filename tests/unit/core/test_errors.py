"""What a peer may hear, and what only our log does."""

import pytest

from whimbrel.core.errors import Condition, MailboxError, MailError


@pytest.mark.parametrize(("code", "temporary"), [(421, True), (451, True), (500, False), (550, False), (250, False)])
def test_only_4xx_is_temporary(code: int, temporary: bool) -> None:
    assert MailError(code, "x.0.0", "text").temporary is temporary


def test_the_detail_is_for_the_log_only() -> None:
    error = MailError(451, "4.3.0", "Try again", detail="/store/x: disk on fire")
    assert error.text == "Try again" and error.detail in str(error)
    assert str(MailError(550, "5.1.1", "No such user")) == "550 5.1.1 No such user"


@pytest.mark.parametrize("condition", Condition)
def test_every_condition_has_an_smtp_reply_of_one_class(condition: Condition) -> None:
    error = MailboxError(condition, "text", detail="why")
    assert isinstance(error, MailError) and error.condition is condition
    assert error.enhanced[0] == str(error.code)[0]  # RFC 3463 2: both tell the same class.
    assert error.code // 100 in (4, 5)


def test_what_can_pass_is_temporary_and_what_cannot_is_not() -> None:
    temporary = {condition for condition in Condition if MailboxError(condition, "").temporary}
    assert temporary == {Condition.INUSE, Condition.OVERQUOTA, Condition.LIMIT, Condition.UNAVAILABLE}
