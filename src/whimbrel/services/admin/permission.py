"""Who may make a call (mission S12): by right, within domains, or for oneself; and whose mail is shown to whom."""

from collections.abc import Mapping

from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import Call, CallError, Failure, Whose
from whimbrel.services.admin.context import Caller


def permit(call: Call, caller: Caller, arguments: Mapping[str, object]) -> Right:
    """The right by which the caller may. CallError."""
    if call.right is Right.SELF:  # The call itself keeps to what concerns the caller.
        return Right.SELF
    within = caller.grants.domains(call.right, reads=call.reads)
    if within is None:
        return call.right
    if _for_oneself(call, caller, arguments):
        return Right.SELF
    if within:  # The call itself stays within them (`AdminContext.within`).
        return call.right
    raise CallError(Failure.FORBIDDEN, f"'{call.name}' needs the right {call.right}; {caller.name} has {caller.grants}")


def permit_now(call: Call, caller: Caller) -> None:
    """A browser that was left open is not enough for rights, exports and people's mail. CallError"""
    if call.reauthenticates:
        demand_password(caller, f"'{call.name}'")


def demand_password(caller: Caller, what: str) -> None:
    """CallError: the caller is to give the password once more."""
    if not caller.reauthenticated:
        raise CallError(Failure.REAUTHENTICATE, f"{what} asks for your password once more")


def permit_mail(call: Call, caller: Caller, whose: Whose) -> None:
    """No right to administer includes that to see mail. CallError."""
    within = caller.grants.domains(Right.MAIL_READ)
    if within is None or (whose.domain and whose.domain in within):
        return
    raise CallError(
        Failure.FORBIDDEN,
        f"'{call.name}' shows people's mail ({whose.text}) and needs the right {Right.MAIL_READ}; {caller.name} has "
        f"{caller.grants}",
    )


def _for_oneself(call: Call, caller: Caller, arguments: Mapping[str, object]) -> bool:
    """The account named is the caller's own, by its full address, and nothing is given that is not his to say."""
    own = call.own
    if own is None or not caller.account:
        return False
    named = arguments.get(own.parameter)
    mine = isinstance(named, str) and named.casefold() == caller.account.casefold()
    return mine and all(name == own.parameter or name in own.fields for name in arguments)
