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
    passed_on_subject: str
    failed: str
    delayed: str
    delivered: str
    passed_on: str
    retry_until: str
    relayed: str
    """Of an address whose server says no more. RFC 3464 2.3.3: not that it was delivered."""
    expanded: str
    """Of an address that stands for several."""
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
            passed_on_subject="Your message was passed on",
            failed="The mail server {host} could not deliver your message to the following recipients."
            " No further attempts will be made.",
            delayed="The mail server {host} could not yet deliver your message to the following recipients."
            " You do not need to send it again.",
            delivered="The mail server {host} delivered your message to the following recipients.",
            passed_on="The mail server {host} passed your message on for the following recipients."
            " You will not be told when it is delivered.",
            retry_until="It will be tried again until {when}.",
            relayed="Passed on to a server that sends no confirmations.",
            expanded="This address stands for several recipients, and the message was sent on to them.",
            answered="The server {host} answered:",
            reason="Reason:",
            details="A technical report and the original message, or its header, are attached.",
            statuses={
                "1.1": "There is no such mailbox.",
                "1.2": "The domain of this address does not exist or takes no mail.",
                "1.10": "The domain of this address takes no mail.",
                "2.1": "The mailbox is disabled.",
                "2.2": "The mailbox is full.",
                "2.3": "The message is too large for this mailbox.",
                "3.4": "The message is too large.",
                "4.1": "The server of the recipient could not be reached.",
                "4.4": "The server of the recipient could not be found.",
                "4.6": "The message was caught in a mail loop.",
                "4.7": "The message could not be delivered in time.",
                "6.7": "The server of the recipient does not take addresses with such characters.",
                "7.1": "The message was refused.",
                "7.30": "The server of the recipient does not promise the encryption that was demanded.",
            },
        ),
        "de": Phrases(
            sender="Mailserver",
            failed_subject="Ihre Nachricht konnte nicht zugestellt werden",
            delayed_subject="Ihre Nachricht verzögert sich",
            delivered_subject="Ihre Nachricht wurde zugestellt",
            passed_on_subject="Ihre Nachricht wurde weitergeleitet",
            failed="Der Mailserver {host} konnte Ihre Nachricht den folgenden Empfängern nicht zustellen."
            " Es werden keine weiteren Zustellversuche unternommen.",
            delayed="Der Mailserver {host} konnte Ihre Nachricht den folgenden Empfängern noch nicht zustellen."
            " Sie brauchen sie nicht erneut zu senden.",
            delivered="Der Mailserver {host} hat Ihre Nachricht den folgenden Empfängern zugestellt.",
            passed_on="Der Mailserver {host} hat Ihre Nachricht für die folgenden Empfänger weitergeleitet."
            " Über die Zustellung erhalten Sie keine Mitteilung.",
            retry_until="Weitere Zustellversuche werden unternommen bis {when}.",
            relayed="Weitergeleitet an einen Server, der keine Bestätigungen sendet.",
            expanded="Diese Adresse steht für mehrere Empfänger; an sie wurde die Nachricht weitergeleitet.",
            answered="Der Server {host} antwortete:",
            reason="Grund:",
            details="Ein technischer Bericht und die ursprüngliche Nachricht oder deren Kopfzeilen sind angehängt.",
            statuses={
                "1.1": "Dieses Postfach gibt es nicht.",
                "1.2": "Die Domain dieser Adresse gibt es nicht, oder sie nimmt keine Post an.",
                "1.10": "Die Domain dieser Adresse nimmt keine Post an.",
                "2.1": "Das Postfach ist gesperrt.",
                "2.2": "Das Postfach ist voll.",
                "2.3": "Die Nachricht ist zu groß für dieses Postfach.",
                "3.4": "Die Nachricht ist zu groß.",
                "4.1": "Der Server des Empfängers war nicht erreichbar.",
                "4.4": "Der Server des Empfängers wurde nicht gefunden.",
                "4.6": "Die Nachricht ist in eine Mailschleife geraten.",
                "4.7": "Die Nachricht konnte nicht rechtzeitig zugestellt werden.",
                "6.7": "Der Server des Empfängers nimmt keine Adressen mit solchen Zeichen an.",
                "7.1": "Die Nachricht wurde abgelehnt.",
                "7.30": "Der Server des Empfängers sichert die verlangte Verschlüsselung nicht zu.",
            },
        ),
        "fr": Phrases(
            sender="Serveur de messagerie",
            failed_subject="Votre message n'a pas pu être remis",
            delayed_subject="La remise de votre message est retardée",
            delivered_subject="Votre message a été remis",
            passed_on_subject="Votre message a été transmis",
            failed="Le serveur de messagerie {host} n'a pas pu remettre votre message aux destinataires suivants."
            " Il n'y aura pas d'autre tentative.",
            delayed="Le serveur de messagerie {host} n'a pas encore pu remettre votre message aux destinataires"
            " suivants. Il est inutile de le renvoyer.",
            delivered="Le serveur de messagerie {host} a remis votre message aux destinataires suivants.",
            passed_on="Le serveur de messagerie {host} a transmis votre message pour les destinataires suivants."
            " Vous ne serez pas averti de sa remise.",
            retry_until="D'autres tentatives auront lieu jusqu'à la date suivante : {when}.",
            relayed="Transmis à un serveur qui n'envoie pas de confirmation.",
            expanded="Cette adresse désigne plusieurs destinataires, à qui le message a été transmis.",
            answered="Le serveur {host} a répondu :",
            reason="Motif :",
            details="Un rapport technique et le message d'origine, ou son en-tête, sont joints.",
            statuses={
                "1.1": "Cette boîte aux lettres n'existe pas.",
                "1.2": "Le domaine de cette adresse n'existe pas ou n'accepte pas de courrier.",
                "1.10": "Le domaine de cette adresse n'accepte pas de courrier.",
                "2.1": "La boîte aux lettres est désactivée.",
                "2.2": "La boîte aux lettres est pleine.",
                "2.3": "Le message est trop volumineux pour cette boîte aux lettres.",
                "3.4": "Le message est trop volumineux.",
                "4.1": "Le serveur du destinataire est injoignable.",
                "4.4": "Le serveur du destinataire est introuvable.",
                "4.6": "Le message est pris dans une boucle de distribution.",
                "4.7": "Le message n'a pas pu être remis à temps.",
                "6.7": "Le serveur du destinataire n'accepte pas les adresses contenant de tels caractères.",
                "7.1": "Le message a été refusé.",
                "7.30": "Le serveur du destinataire ne garantit pas le chiffrement exigé.",
            },
        ),
        "es": Phrases(
            sender="Servidor de correo",
            failed_subject="No se ha podido entregar su mensaje",
            delayed_subject="La entrega de su mensaje se ha retrasado",
            delivered_subject="Su mensaje se ha entregado",
            passed_on_subject="Su mensaje se ha reenviado",
            failed="El servidor de correo {host} no ha podido entregar su mensaje a los destinatarios siguientes."
            " No se harán más intentos.",
            delayed="El servidor de correo {host} aún no ha podido entregar su mensaje a los destinatarios"
            " siguientes. No hace falta que lo envíe de nuevo.",
            delivered="El servidor de correo {host} ha entregado su mensaje a los destinatarios siguientes.",
            passed_on="El servidor de correo {host} ha reenviado su mensaje para los destinatarios siguientes."
            " No se le avisará cuando se entregue.",
            retry_until="Se seguirá intentando hasta esta fecha: {when}.",
            relayed="Reenviado a un servidor que no envía confirmaciones.",
            expanded="Esta dirección representa a varios destinatarios, a los que se ha reenviado el mensaje.",
            answered="El servidor {host} respondió:",
            reason="Motivo:",
            details="Se adjuntan un informe técnico y el mensaje original o su cabecera.",
            statuses={
                "1.1": "Ese buzón no existe.",
                "1.2": "El dominio de esa dirección no existe o no acepta correo.",
                "1.10": "El dominio de esa dirección no acepta correo.",
                "2.1": "El buzón está desactivado.",
                "2.2": "El buzón está lleno.",
                "2.3": "El mensaje es demasiado grande para este buzón.",
                "3.4": "El mensaje es demasiado grande.",
                "4.1": "No se ha podido contactar con el servidor del destinatario.",
                "4.4": "No se ha encontrado el servidor del destinatario.",
                "4.6": "El mensaje ha entrado en un bucle de reenvíos.",
                "4.7": "El mensaje no se ha podido entregar a tiempo.",
                "6.7": "El servidor del destinatario no acepta direcciones con esos caracteres.",
                "7.1": "El mensaje ha sido rechazado.",
                "7.30": "El servidor del destinatario no garantiza el cifrado exigido.",
            },
        ),
    }
)


def language(tag: str) -> str:
    """The language we have for a tag such as `de-AT`; English where we have none."""
    base = tag.partition("-")[0].lower()
    return base if base in LANGUAGES else "en"
