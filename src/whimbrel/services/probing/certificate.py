"""What a certificate that another server showed says, and what is wrong with the chain it came in."""

import warnings
from collections.abc import Sequence
from typing import Final

from whimbrel.core.counting import lasting
from whimbrel.services.probing.ports import ProbeStep

MOST: Final = 10
"""Certificates of a chain that are looked at."""
NAMES: Final = 20
SOON: Final = 14 * 86_400.0
"""Seconds before the end from which on it is said."""


def chain_steps(chain: Sequence[bytes], host: str, now: float, seconds: float, *, verified: bool) -> list[ProbeStep]:
    """A step for each certificate; the first has the problems. For a pool thread: it loads `cryptography`."""
    steps = [_step(der, number, now, seconds) for number, der in enumerate(chain[:MOST])]
    if not steps:
        return [ProbeStep("certificate", "no certificate was shown", seconds, {}, ("No certificate was shown.",))]
    if not verified:
        first = steps[0]
        why = f"The certificate does not prove to authorities that this server believes that it is {host}'s."
        steps[0] = ProbeStep(first.kind, first.text, first.seconds, first.facts, (*first.problems, why))
    return steps


def _step(der: bytes, number: int, now: float, seconds: float) -> ProbeStep:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Serial numbers that RFC 5280 forbids are others' business.
            certificate = x509.load_der_x509_certificate(der)
        subject, issuer = certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
        begins, ends = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
        try:
            alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            names = [*alternative.get_values_for_type(x509.DNSName)]
            names += [str(each) for each in alternative.get_values_for_type(x509.IPAddress)]
        except x509.ExtensionNotFound:
            names = []
        key = certificate.public_key()
    except ValueError as error:
        return ProbeStep("certificate", "a certificate that cannot be read", seconds, {}, (f"It is damaged: {error}.",))
    size = f"RSA {key.key_size}" if isinstance(key, rsa.RSAPublicKey) else type(key).__name__.removesuffix("PublicKey")
    size = f"EC {key.curve.name}" if isinstance(key, ec.EllipticCurvePublicKey) else size
    facts = {"subject": subject, "issuer": issuer, "names": ", ".join(names[:NAMES]), "key": size}
    facts["from"], facts["until"] = (each.isoformat() for each in (
        certificate.not_valid_before_utc, certificate.not_valid_after_utc,
    ))  # fmt: skip
    problems = []
    if ends <= now:
        problems.append(f"It ended {lasting(now - ends)} ago.")
    elif ends - now < SOON and number == 0:
        problems.append(f"It ends in {lasting(ends - now)}.")
    if begins > now:
        problems.append(f"It counts only in {lasting(begins - now)}: a clock is wrong.")
    who = f"{', '.join(names[:5])}{' ...' if len(names) > 5 else ''}" if number == 0 and names else subject
    text = f"certificate of {who or 'nobody'}, {size}, by {issuer or 'nobody'}, until {facts['until'][:10]}"
    if subject == issuer and number == 0:
        text += ", self-signed"
    return ProbeStep("certificate", text, seconds, facts, tuple(problems))
