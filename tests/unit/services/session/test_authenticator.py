"""Signing in: one driver for every mechanism, the same answer for every failure, lock-out."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.support.smtp import PASSWORD, account
from tests.unit.services.session.stage import PEER, RIGHT, WRONG, Client, Stage, run
from whimbrel.core.credentials.stored import StoredPassword
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.rights import Grants
from whimbrel.core.values import Secret
from whimbrel.protocols.sasl.exchange import (
    AcceptContext,
    Channel,
    CheckToken,
    ContextStep,
    Exchange,
    Form,
    Mechanism,
    Rejected,
    SaslError,
    Success,
    Want,
    accept,
    ask,
    check,
)
from whimbrel.protocols.sasl.login import LOGIN
from whimbrel.protocols.sasl.plain import PLAIN
from whimbrel.protocols.sasl.scram import SCRAM, SCRAM_PLUS
from whimbrel.services.session.authenticator import MAX_STEPS, Proof
from whimbrel.services.session.passwords import make_password
from whimbrel.services.session.record import LastSignIn, last_sign_in
from whimbrel.services.session.settings import SecuritySettings


def test_a_right_password_gives_the_account() -> None:
    stage = Stage()
    assert run(stage.check("alice", RIGHT)) == "alice@example.test"
    assert run(stage.check("Alice@Example.test", RIGHT)) == "alice@example.test"
    assert stage.log.named("signin.ok")[0]["user"] == "alice@example.test"
    assert stage.pauses == []


def test_all_failures_have_the_same_words_and_the_same_work() -> None:
    failures = [
        ("alice", WRONG),
        ("nobody", RIGHT),
        ("carol", RIGHT),
        ("carol", WRONG),
        ("", RIGHT),
        ("a" * 10_000, RIGHT),
    ]
    for name, password in failures:
        stage = Stage()
        assert run(stage.check(name, password)) == "535 5.7.8 Authentication credentials invalid"
        assert len(stage.pool.runs) == 1
        assert stage.pauses == [1.0]
        (record,) = stage.log.named("signin.failed")
        assert record["sender_host"] == "192.0.2.1"
        assert len(str(record["user"])) <= 320


def test_no_password_is_logged() -> None:
    stage = Stage()
    run(stage.check("alice", Secret("xyzzy-plugh")))
    run(stage.check("alice", RIGHT))
    assert "xyzzy-plugh" not in repr(stage.log.records)
    assert PASSWORD not in repr(stage.log.records)


def test_lock_out_holds_for_account_and_address_together() -> None:
    stage = Stage(settings=SecuritySettings(lock_out_after=3))
    for name in ("alice", "ALICE", "alice@example.test"):
        assert run(stage.check(name, WRONG)).startswith("535")
    runs = len(stage.pool.runs)
    assert run(stage.check("alice", RIGHT)).startswith("454 4.7.0")
    assert len(stage.pool.runs) == runs
    # Once when the lock begins, and once for who comes while it lasts.
    assert len(stage.log.named("signin.locked")) == 2 and stage.pauses == [1.0] * 4
    assert run(stage.check("bob", RIGHT)) == "bob@example.test"
    assert run(stage.check("alice", RIGHT, replace(PEER, ip="192.0.2.2"))) == "alice@example.test"


def test_a_whole_ipv6_network_is_one_address() -> None:
    stage = Stage(settings=SecuritySettings(lock_out_after=3))
    for at in range(3):
        run(stage.check("alice", WRONG, replace(PEER, ip=f"2001:db8::{at}")))
    assert run(stage.check("alice", RIGHT, replace(PEER, ip="2001:db8::ffff"))).startswith("454")
    assert run(stage.check("alice", RIGHT, replace(PEER, ip="2001:db8:0:1::1"))) == "alice@example.test"


def test_who_tries_many_accounts_is_locked_too() -> None:
    stage = Stage(settings=SecuritySettings(lock_out_after=3, lock_out_host_after=4))
    for at in range(4):
        assert run(stage.check(f"user{at}", WRONG)).startswith("535")
    assert run(stage.check("alice", RIGHT)).startswith("454")


def test_success_forgives_failures() -> None:
    stage = Stage(settings=SecuritySettings(lock_out_after=3))
    for _ in range(3):
        assert run(stage.check("alice", WRONG)).startswith("535")
        assert run(stage.check("alice", WRONG)).startswith("535")
        assert run(stage.check("alice", RIGHT)) == "alice@example.test"


def test_the_last_sign_in_is_remembered_and_many_connections_write_it_once() -> None:
    stage = Stage()
    assert run(last_sign_in(stage.state, AccountId("alice@example.test"))) is None
    run(stage.check("alice", WRONG))
    assert stage.state.values == {}
    run(stage.check("alice", RIGHT))
    first = stage.clock.now()
    assert run(last_sign_in(stage.state, AccountId("alice@example.test"))) == LastSignIn(first, "imap", "192.0.2.1")
    stage.clock.forward(30)
    run(stage.check("alice", RIGHT))
    last = run(last_sign_in(stage.state, AccountId("alice@example.test")))
    assert last is not None and last.at == first
    stage.clock.forward(31)
    run(stage.check("alice", RIGHT))
    last = run(last_sign_in(stage.state, AccountId("alice@example.test")))
    assert last is not None and last.at == first + 61


# Mechanisms


def plain(name: str, password: str = PASSWORD, authzid: str = "") -> bytes:
    return f"{authzid}\0{name}\0{password}".encode()


def test_a_right_sign_in_has_an_identity() -> None:
    stage = Stage(replace(account("alice"), grants=Grants.of("server-read")))
    identity = run(stage.exchange(PLAIN, plain("alice"))).identity
    assert (identity.account, identity.actor, identity.method) == ("alice@example.test", "alice@example.test", "PLAIN")
    assert identity.credential.startswith("password:")
    assert identity.grants == Grants.of("server-read")


@pytest.mark.parametrize(
    "authzid",
    ["alice", "ALICE", "alice@example.test", "Alice@Example.TEST", "alice@alias.test", '"alice"@example.test'],
)
def test_oneself_may_be_spelt_otherwise(authzid: str) -> None:
    assert run(Stage().exchange(PLAIN, plain("alice", authzid=authzid))).account.id == "alice@example.test"


@pytest.mark.parametrize(
    ("initial", "reason"),
    [
        (plain("alice", authzid="bob"), "acting for another user is not allowed"),
        (plain("alice", authzid="nobody"), "acting for another user is not allowed"),
        (plain("alice", "wrong"), "wrong password"),
        (plain("alice", "wrong", "bob"), "wrong password"),
        (plain("nobody"), "unknown user"),
        (plain("carol"), "the user is disabled"),
        (plain("carol", "wrong"), "the user is disabled"),
    ],
)
def test_why_it_failed_is_for_the_security_log_alone(initial: bytes, reason: str) -> None:
    stage = Stage()
    with pytest.raises(MailError) as failed:
        run(stage.exchange(PLAIN, initial))
    assert str(failed.value) == "535 5.7.8 Authentication credentials invalid"
    assert (failed.value.__cause__, failed.value.detail) == (None, "")
    assert stage.reasons() == [reason]
    assert (len(stage.pool.runs), stage.pauses) == (1, [1.0])


def test_what_is_not_of_the_mechanism_is_counted_for_the_address() -> None:
    stage = Stage(settings=SecuritySettings(lock_out_host_after=3))
    for initial in (b"nonsense", b"\xff\0\xff\0\xff", b""):
        with pytest.raises(SaslError):
            run(stage.exchange(PLAIN, initial))
    assert [record["sender_host"] for record in stage.log.named("signin.failed")] == ["192.0.2.1"] * 3
    assert run(stage.check("alice", RIGHT)).startswith("454")


def test_four_failed_mechanisms_then_plain_succeeds() -> None:
    stage = Stage()
    for mechanism, initial, client in [
        (SCRAM, b"n,,n=alice,r=abc", Client(b"c=biws,r=abc,p=AAAA")),
        (SCRAM, b"nonsense", Client()),
        (LOGIN, b"alice", Client(b"wrong")),
        (Mechanism("GSSAPI", Form.CONTEXT, context), b"ticket", Client()),
    ]:
        with pytest.raises((MailError, SaslError)):
            run(stage.exchange(mechanism, initial, client))
    assert run(stage.exchange(PLAIN, plain("alice"))).account.id == "alice@example.test"


def test_a_client_that_gives_up_has_not_failed() -> None:
    class Gone(Exception):
        pass

    async def gone(_challenge: bytes) -> bytes:
        raise Gone

    stage = Stage()
    with pytest.raises(Gone):
        run(stage.sign_in.start(LOGIN, None, PEER, gone))
    assert stage.log.records == []


# SCRAM, driven


class ScramClient(Client):
    """By RFC 5802 3; its proof is made when the server's message is there."""

    def __init__(self, name: str, password: str, header: bytes = b"n,,", binding: bytes = b"") -> None:
        super().__init__()
        self.first = b"n=%b,r=client" % name.encode()
        self.initial = header + self.first
        self.password, self._bound = password.encode(), base64.b64encode(header + binding)
        self.verified = False

    async def __call__(self, challenge: bytes) -> bytes:
        if challenge.startswith(b"v="):
            expected = hmac.digest(hmac.digest(self.salted, b"Server Key", "sha256"), self.message, "sha256")
            self.verified = base64.b64decode(challenge[2:]) == expected
            return b""
        nonce, salt, iterations = (part[2:] for part in challenge.split(b","))
        self.salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(salt), int(iterations))
        key = hmac.digest(self.salted, b"Client Key", "sha256")
        final = b"c=%b,r=%b" % (self._bound, nonce)
        self.message = b",".join((self.first, challenge, final))
        signature = hmac.digest(hashlib.sha256(key).digest(), self.message, "sha256")
        proof = bytes(left ^ right for left, right in zip(key, signature, strict=True))
        return final + b",p=" + base64.b64encode(proof)


STORED = make_password(RIGHT)


def scram_stage() -> Stage:
    stage = Stage()
    for name in ("alice", "carol"):
        stage.give_keys(name, STORED)
    return stage


def test_scram_signs_in_without_the_password_and_shows_that_we_have_its_keys() -> None:
    stage, client = scram_stage(), ScramClient("alice", PASSWORD)
    signed = run(stage.exchange(SCRAM, client.initial, client))
    assert client.verified
    assert (
        signed.identity.credential
        == f"password:{STORED.id or StoredPassword.read(STORED.verifier, STORED.beside()).id}"
    )
    assert stage.pool.runs == []  # no argon2


def test_scram_bound_to_the_certificate_that_was_shown() -> None:
    stage, header = scram_stage(), b"p=tls-server-end-point,,"
    peer = replace(PEER, binding={"tls-server-end-point": b"ours"}.get)
    client = ScramClient("alice", PASSWORD, header, b"ours")
    assert run(stage.exchange(SCRAM_PLUS, client.initial, client, peer)).account.id == "alice@example.test"
    between = ScramClient("alice", PASSWORD, header, b"of the man in the middle")
    with pytest.raises(MailError):
        run(stage.exchange(SCRAM_PLUS, between.initial, between, peer))
    assert stage.reasons() == ["the channel binding is of another connection"]


@pytest.mark.parametrize(
    ("name", "password", "header", "reason"),
    [
        ("alice", "wrong", b"n,,", "wrong proof"),
        ("alice", PASSWORD, b"n,a=bob,", "acting for another user is not allowed"),
        ("bob", PASSWORD, b"n,,", "wrong proof"),  # He has no keys yet.
        ("nobody", PASSWORD, b"n,,", "unknown user"),
        ("carol", PASSWORD, b"n,,", "the user is disabled"),
    ],
)
def test_scram_fails_in_the_same_words_as_any_other(name: str, password: str, header: bytes, reason: str) -> None:
    stage, client = scram_stage(), ScramClient(name, password, header)
    with pytest.raises(MailError, match="535"):
        run(stage.exchange(SCRAM, client.initial, client))
    assert not client.verified, "what only the server knows is not shown to who proved nothing"
    assert stage.reasons() == [reason]
    assert stage.pauses == [1.0]


def test_the_salt_does_not_tell_who_exists() -> None:
    stage = scram_stage()
    stage.counters.add = lambda *_given, **_more: 0  # type: ignore[method-assign]

    def salt(name: str) -> bytes:
        client = Client(b"c=biws,r=x,p=AAAA")
        with pytest.raises(MailError):
            run(stage.exchange(SCRAM, b"n,,n=%b,r=client" % name.encode(), client))
        return client.asked[0].split(b",")[1]

    for name in ("alice", "bob", "eve"):
        spellings = (name, name.upper(), f"{name}@example.test", f"{name}@EXAMPLE.test", f"{name}@alias.test")
        assert len({salt(spelling) for spelling in spellings}) == 1, name
    assert salt("eve") != salt("mallory")


def test_a_response_to_additional_data_is_empty() -> None:
    class Talkative(ScramClient):
        async def __call__(self, challenge: bytes) -> bytes:
            return await super().__call__(challenge) or b"thanks"

    stage, client = scram_stage(), Talkative("alice", PASSWORD)
    with pytest.raises(SaslError):
        run(stage.exchange(SCRAM, client.initial, client))


# Mechanisms of others: what a token and a security context need fits through the same driver


def bearer(initial: bytes | None, _channel: Channel) -> Exchange:
    name, token = (initial or (yield from ask(b""))).split(b" ", 1)
    if not (yield from check(CheckToken(name.decode(), Secret(token.decode())))):
        # RFC 7628 3.2.2: the error is a challenge, answered with a dummy response before the exchange fails.
        yield from ask(b'{"status":"invalid_token"}')
        raise Rejected("wrong token")
    return Success(name.decode())


def context(initial: bytes | None, _channel: Channel) -> Exchange:
    """As RFC 4752 3.1: tokens both ways until the context is there, then the security layer, then the authzid."""
    step = yield from accept(initial or (yield from ask(b"")))
    while not step.name:
        step = yield from accept((yield from ask(step.data)))
    authzid = yield from ask(b"layer:none")
    return Success(step.name, authzid.decode())


async def tokens(want: Want) -> Proof:
    assert isinstance(want, CheckToken)
    return Proof(want.token.reveal() == "t0ken", want.name, "token:7")


async def contexts(want: Want) -> Proof:
    assert isinstance(want, AcceptContext)
    if want.token == b"expired":
        raise Rejected("the ticket has expired")
    last = want.token == b"second"
    return Proof(ContextStep(b"go on", "alice" if last else ""), credential="kerberos" if last else "")


BEARER = Mechanism("OAUTHBEARER", Form.TOKEN, bearer, plain=True)
GSSAPI = Mechanism("GSSAPI", Form.CONTEXT, context)
PROVIDERS: Mapping[type[Want], object] = {CheckToken: tokens, AcceptContext: contexts}


def test_a_token_signs_in() -> None:
    stage = Stage(providers=PROVIDERS)  # type: ignore[arg-type]
    identity = run(stage.exchange(BEARER, b"alice t0ken")).identity
    assert (identity.account, identity.credential, identity.method) == ("alice@example.test", "token:7", "OAUTHBEARER")
    client = Client(b"\x01")
    with pytest.raises(MailError, match="535"):
        run(stage.exchange(BEARER, b"alice stolen", client))
    assert client.asked == [b'{"status":"invalid_token"}']
    assert stage.reasons() == ["wrong token"]


def test_a_security_context_of_two_steps_signs_in() -> None:
    stage = Stage(providers=PROVIDERS)  # type: ignore[arg-type]
    client = Client(b"second", b"alice@alias.test")
    identity = run(stage.exchange(GSSAPI, b"first", client)).identity
    assert client.asked == [b"go on", b"layer:none"]
    assert (identity.account, identity.credential) == ("alice@example.test", "kerberos")
    with pytest.raises(MailError, match="535"):
        run(stage.exchange(GSSAPI, b"first", Client(b"second", b"bob")))
    with pytest.raises(MailError, match="535"):
        run(stage.exchange(GSSAPI, b"first", Client(b"expired")))
    assert stage.reasons() == ["acting for another user is not allowed", "the ticket has expired"]


def test_an_exchange_without_end_ends() -> None:
    stage = Stage(providers=PROVIDERS)  # type: ignore[arg-type]
    client = Client(*[b"first"] * 100)
    with pytest.raises(SaslError, match="too many steps"):
        run(stage.exchange(GSSAPI, b"first", client))
    assert len(client.asked) <= MAX_STEPS


def test_what_nobody_here_can_verify_fails() -> None:
    stage = Stage()
    with pytest.raises(MailError, match="535"):
        run(stage.exchange(GSSAPI, b"first"))
    assert stage.reasons() == ["nobody here can verify this"]


def test_sign_ins_of_many_at_once_do_not_mix() -> None:
    stage = scram_stage()

    async def all_at_once() -> list[str]:
        clients = [ScramClient(name, PASSWORD) for name in ("alice", "ALICE", "alice@alias.test") * 3]
        signed_in = await asyncio.gather(*(stage.exchange(SCRAM, client.initial, client) for client in clients))
        return [signed.account.id for signed in signed_in]

    assert run(all_at_once()) == ["alice@example.test"] * 9
