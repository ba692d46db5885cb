"""What a delivery report says to people, by language. A new language is one entry in `LANGUAGES`.

In the phrases, {host} is our name, {when} a date.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Phrases:
    """Everything a report needs to say."""

    sender: str
    """Display name in From."""
    failed_subject: str
    delayed_subject: str
    delivered_subject: str
    failed: str
    delayed: str
    delivered: str
    retry_until: str
    relayed: str
    answered: str
    """{host} is the remote server."""
    reason: str
    details: str
    statuses: Mapping[str, str]
    """Enhanced status without its class (`1.1` for 5.1.1) -> what it means."""


LANGUAGES: Mapping[str, Phrases] = MappingProxyType(
    {
        "en": Phrases(
            sender="Mail Delivery System",
            failed_subject="Your message could not be delivered",
            delayed_subject="Your message is delayed",
            delivered_subject="Your message was delivered",
            failed="The mail server {host} could not deliver your message to the following recipients."
            " It will not be tried again.",
            delayed="The mail server {host} could not yet deliver your message to the following recipients."
            " You need not send it again.",
            delivered="The mail server {host} delivered your message to the following recipients.",
            retry_until="It will be tried again until {when}.",
            relayed="Handed on to a server that sends no confirmations.",
            answered="The server {host} answered:",
            reason="Reason:",
            details="A report for programs and the original message, or its header, are attached.",
            statuses={
                "1.1": "There is no such mailbox.",
                "1.2": "The domain of this address does not exist or takes no mail.",
                "1.10": "The domain of this address takes no mail.",
                "2.1": "The mailbox is disabled.",
                "2.2": "The mailbox is full.",
                "3.4": "The message is too large.",
                "4.1": "The server of the recipient could not be reached.",
                "4.4": "The server of the recipient could not be found.",
                "4.6": "The message was sent in a circle.",
                "4.7": "The message could not be delivered in time.",
                "7.1": "The message was refused.",
            },
        ),
        "de": Phrases(
            sender="Mailserver",
            failed_subject="Ihre Nachricht konnte nicht zugestellt werden",
            delayed_subject="Ihre Nachricht verzögert sich",
            delivered_subject="Ihre Nachricht wurde zugestellt",
            failed="Der Mailserver {host} konnte Ihre Nachricht den folgenden Empfängern nicht zustellen."
            " Es wird nicht weiter versucht.",
            delayed="Der Mailserver {host} konnte Ihre Nachricht den folgenden Empfängern noch nicht zustellen."
            " Sie brauchen sie nicht noch einmal zu senden.",
            delivered="Der Mailserver {host} hat Ihre Nachricht den folgenden Empfängern zugestellt.",
            retry_until="Es wird weiter versucht bis {when}.",
            relayed="Weitergegeben an einen Server, der keine Bestätigungen sendet.",
            answered="Der Server {host} antwortete:",
            reason="Grund:",
            details="Ein Bericht für Programme und die ursprüngliche Nachricht oder ihr Kopf sind angehängt.",
            statuses={
                "1.1": "Dieses Postfach gibt es nicht.",
                "1.2": "Die Domain dieser Adresse gibt es nicht, oder sie nimmt keine Post an.",
                "1.10": "Die Domain dieser Adresse nimmt keine Post an.",
                "2.1": "Das Postfach ist gesperrt.",
                "2.2": "Das Postfach ist voll.",
                "3.4": "Die Nachricht ist zu groß.",
                "4.1": "Der Server des Empfängers war nicht erreichbar.",
                "4.4": "Der Server des Empfängers wurde nicht gefunden.",
                "4.6": "Die Nachricht lief im Kreis.",
                "4.7": "Die Nachricht konnte nicht rechtzeitig zugestellt werden.",
                "7.1": "Die Nachricht wurde abgelehnt.",
            },
        ),
        "fr": Phrases(
            sender="Serveur de messagerie",
            failed_subject="Votre message n'a pas pu être remis",
            delayed_subject="Votre message est retardé",
            delivered_subject="Votre message a été remis",
            failed="Le serveur de messagerie {host} n'a pas pu remettre votre message aux destinataires suivants."
            " Il n'y aura pas d'autre tentative.",
            delayed="Le serveur de messagerie {host} n'a pas encore pu remettre votre message aux destinataires"
            " suivants. Il est inutile de le renvoyer.",
            delivered="Le serveur de messagerie {host} a remis votre message aux destinataires suivants.",
            retry_until="D'autres tentatives auront lieu jusqu'au {when}.",
            relayed="Transmis à un serveur qui n'envoie pas de confirmation.",
            answered="Le serveur {host} a répondu :",
            reason="Motif :",
            details="Un rapport destiné aux programmes et le message d'origine, ou son en-tête, sont joints.",
            statuses={
                "1.1": "Cette boîte aux lettres n'existe pas.",
                "1.2": "Le domaine de cette adresse n'existe pas ou n'accepte pas de courrier.",
                "1.10": "Le domaine de cette adresse n'accepte pas de courrier.",
                "2.1": "La boîte aux lettres est désactivée.",
                "2.2": "La boîte aux lettres est pleine.",
                "3.4": "Le message est trop volumineux.",
                "4.1": "Le serveur du destinataire est injoignable.",
                "4.4": "Le serveur du destinataire est introuvable.",
                "4.6": "Le message tournait en rond.",
                "4.7": "Le message n'a pas pu être remis à temps.",
                "7.1": "Le message a été refusé.",
            },
        ),
        "es": Phrases(
            sender="Servidor de correo",
            failed_subject="No se ha podido entregar su mensaje",
            delayed_subject="Su mensaje se retrasa",
            delivered_subject="Su mensaje se ha entregado",
            failed="El servidor de correo {host} no ha podido entregar su mensaje a los destinatarios siguientes."
            " No se volverá a intentar.",
            delayed="El servidor de correo {host} aún no ha podido entregar su mensaje a los destinatarios"
            " siguientes. No hace falta que lo envíe de nuevo.",
            delivered="El servidor de correo {host} ha entregado su mensaje a los destinatarios siguientes.",
            retry_until="Se seguirá intentando hasta el {when}.",
            relayed="Entregado a un servidor que no envía confirmaciones.",
            answered="El servidor {host} respondió:",
            reason="Motivo:",
            details="Se adjuntan un informe para programas y el mensaje original o su cabecera.",
            statuses={
                "1.1": "Ese buzón no existe.",
                "1.2": "El dominio de esa dirección no existe o no acepta correo.",
                "1.10": "El dominio de esa dirección no acepta correo.",
                "2.1": "El buzón está desactivado.",
                "2.2": "El buzón está lleno.",
                "3.4": "El mensaje es demasiado grande.",
                "4.1": "No se ha podido contactar con el servidor del destinatario.",
                "4.4": "No se ha encontrado el servidor del destinatario.",
                "4.6": "El mensaje daba vueltas en círculo.",
                "4.7": "El mensaje no se ha podido entregar a tiempo.",
                "7.1": "El mensaje ha sido rechazado.",
            },
        ),
    }
)


def language(tag: str) -> str:
    """The language we have for a tag such as `de-AT`; English where we have none."""
    base = tag.partition("-")[0].lower()
    return base if base in LANGUAGES else "en"
