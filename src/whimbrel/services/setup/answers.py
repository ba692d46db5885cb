"""What a new installation is made of, once every step has said its part."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from whimbrel.core.address import Domain
from whimbrel.core.config import Fault
from whimbrel.core.credentials.policy import SHORTEST, PasswordPolicy, known_names
from whimbrel.core.credentials.schemes import password_or_verifier
from whimbrel.core.directory import DirectoryChange, Kind, Op, Rights
from whimbrel.core.people import full_address
from whimbrel.core.values import HostPort, Secret
from whimbrel.services.admin.people.user_lines import UserLine


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What was said of one service; None: as it is by default."""

    listen: tuple[HostPort, ...] | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """A certificate with its chain, and its private key, both PEM. The key is not shown."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answers:
    """All that a new installation needs to know."""

    hostname: Domain
    domain: Domain
    administrator: str
    """Login name in `domain`."""
    password: Secret
    store: str = "store"
    services: Mapping[str, ServiceAnswer] = field(default_factory=dict)
    settings: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict, repr=False)
    """By path. Passwords may be among them, in clear as they stand in the file."""
    users: tuple[UserLine, ...] = ()
    certificate: CertificatePair | None = None
    """One that is to be kept with the installation and shown."""
    made: Mapping[str, Secret] = field(default_factory=dict)
    """Passwords that were made for users, by login name: shown once."""
    asked: Mapping[str, str] = field(default_factory=dict)
    """The field that each setting was asked by, where it has one of its own."""


@dataclass(slots=True)
class Making:
    """Answers while the steps add to them."""

    hostname: Domain | None = None
    domain: Domain | None = None
    administrator: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    store: str = "store"
    services: dict[str, ServiceAnswer] = field(default_factory=dict)
    settings: dict[str, str | tuple[str, ...]] = field(default_factory=dict, repr=False)
    users: list[UserLine] = field(default_factory=list)
    certificate: CertificatePair | None = None
    made: dict[str, Secret] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)

    def put(self, setting: str, value: str, field: str) -> None:
        """What was asked by `field`; a setting that was answered by its path stays."""
        if setting not in self.settings:
            self.settings[setting], self.asked[setting] = value, field

    def password_refusal(self, password: Secret, login: str, full_name: str = "") -> str:
        """Why the policy of the new installation refuses the password; empty: it does not, or a ready verifier or
        nothing stands for it."""
        try:
            clear = password_or_verifier(password)
        except ValueError as error:
            return str(error)
        if not clear or not isinstance(clear, Secret):
            return ""
        # What else would be wrong with the setting is said of it, not here.
        length = str(self.settings.get("security/password-min-length", ""))
        policy = PasswordPolicy(int(length) if length.isascii() and length.isdigit() else SHORTEST)
        address = login if "@" in login or not self.domain else f"{login}@{self.domain}"
        return policy.refusal(clear.reveal(), *known_names(address, full_name), str(self.hostname or ""))

    def answers(self) -> Answers:
        assert self.hostname and self.domain and self.administrator
        return Answers(
            self.hostname, self.domain, self.administrator, self.password, self.store, self.services, self.settings,
            tuple(self.users), self.certificate, self.made, self.asked,
        )  # fmt: skip


def setting_values(answers: Answers) -> dict[str, object]:
    """The answers as paths of settings."""
    values: dict[str, object] = {"smtp/hostname": str(answers.hostname)}
    if answers.store != "store":
        values["store/directory"] = answers.store
    for name, service in answers.services.items():
        if service.listen is not None:
            values[f"services/{name}/listen"] = tuple(map(str, service.listen))
        if service.enabled is not None:
            values[f"services/{name}/enabled"] = service.enabled
    return values | dict(answers.settings)


def answer_name(path: str, asked: Mapping[str, str]) -> str:
    """A setting's path as the answers call it; `asked` as in Answers."""
    if path in asked:
        return asked[path]
    parts = path.split("/")
    if path == "smtp/hostname":
        return "hostname"
    if path == "store/directory":
        return "store"
    if parts[0] == "services" and parts[-1] in ("listen", "enabled") and len(parts) == 3:
        return ".".join(parts)
    return f'settings."{path}"' if path else ""


def people_changes(answers: Answers) -> tuple[list[tuple[DirectoryChange, Secret]], list[Fault]]:
    """The administrator and the users of the table, each with the password; further domains come first."""
    faults = []
    domains, changes = {str(answers.domain)}, []
    admin = DirectoryChange(
        Op.ADD, Kind.USER, str(answers.domain), answers.administrator, {"rights": Rights.SERVER_WRITE.value}
    )
    changes.append((admin, answers.password))
    for line in answers.users:
        try:
            address = full_address(line.address, str(answers.domain))
        except ValueError as error:
            faults.append(Fault("", 0, "users", f"line {line.number}: {error}"))
            continue
        if address.domain not in domains:
            domains.add(address.domain)
            changes.append((DirectoryChange(Op.ADD, Kind.DOMAIN, address.domain), Secret("")))
        values: dict[str, object] = dict(line.values)
        if line.full_name:
            values["full-name"] = line.full_name
        if line.rights:
            values["rights"] = line.rights.value
        if line.quota:
            values["quota"] = str(line.quota)
        changes.append((DirectoryChange(Op.ADD, Kind.USER, address.domain, address.local, values), line.password))
    return changes, faults
