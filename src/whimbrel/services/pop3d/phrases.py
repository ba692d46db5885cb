"""What POP3 says to people, by language. What is not here, and response codes, numbers and keywords, stay as they are.

Standards: RFC 6856 3 (LANG)
"""

from dataclasses import replace
from typing import Final

from whimbrel.protocols.pop3.engine import Err, Listing, Message, Ok, Reply, Start

DEFAULT: Final = "en"
I_DEFAULT: Final = "i-default"
LANGUAGES: Final = {"en": "English", "de": "Deutsch", "fr": "Français", "es": "Español"}
"""By tag, the name of each in itself."""

_TABLE: Final[dict[str, tuple[str, str, str]]] = {
    # English: German, French, Spanish
    "Goodbye": ("Auf Wiedersehen", "Au revoir", "Hasta luego"),
    "Done": ("Erledigt", "Fait", "Hecho"),
    "Signed in": ("Angemeldet", "Connecté", "Sesión iniciada"),
    "Send the password": ("Bitte das Kennwort senden", "Envoyez le mot de passe", "Envíe la contraseña"),
    "Wrong user name or password": (
        "Benutzername oder Kennwort ist falsch",
        "Nom d'utilisateur ou mot de passe incorrect",
        "Usuario o contraseña incorrectos",
    ),
    "Start TLS first (STLS)": ("Zuerst TLS beginnen (STLS)", "Démarrez d'abord TLS (STLS)", "Inicie TLS antes (STLS)"),
    "Begin TLS": ("TLS beginnt", "Début de TLS", "Comience TLS"),
    "USER comes first": ("Zuerst kommt USER", "USER d'abord", "Primero USER"),
    "No such message": (
        "Diese Nachricht gibt es nicht",
        "Ce message n'existe pas",
        "Ese mensaje no existe",
    ),
    "Marked to be deleted": ("Zum Löschen vorgemerkt", "Marqué pour suppression", "Marcado para eliminar"),
    "Nothing is marked to be deleted": (
        "Nichts ist zum Löschen vorgemerkt",
        "Rien n'est marqué pour suppression",
        "Nada está marcado para eliminar",
    ),
    "Message follows": ("Es folgt die Nachricht", "Le message suit", "Sigue el mensaje"),
    "Top of the message follows": (
        "Es folgt der Anfang der Nachricht",
        "Le début du message suit",
        "Sigue el principio del mensaje",
    ),
    "Unique ids follow": ("Es folgen die Kennungen", "Les identifiants suivent", "Siguen los identificadores"),
    "Capabilities follow": ("Es folgen die Fähigkeiten", "Les capacités suivent", "Siguen las capacidades"),
    "Some messages could not be deleted": (
        "Einige Nachrichten konnten nicht gelöscht werden",
        "Certains messages n'ont pas pu être supprimés",
        "Algunos mensajes no se pudieron eliminar",
    ),
    "This mailbox is in use by another POP3 session": (
        "Dieses Postfach wird von einer anderen POP3-Sitzung benutzt",
        "Cette boîte est utilisée par une autre session POP3",
        "Otra sesión POP3 está usando este buzón",
    ),
    "Mail was fetched a moment ago, try again later": (
        "Die Post wurde eben erst abgeholt, bitte später wieder",
        "Le courrier vient d'être relevé, réessayez plus tard",
        "El correo se acaba de recoger, inténtelo más tarde",
    ),
    "Unknown command": ("Unbekannter Befehl", "Commande inconnue", "Orden desconocida"),
    "Not now: sign in first": ("Erst anmelden", "Connectez-vous d'abord", "Inicie sesión antes"),
    "Not now: you are signed in": ("Schon angemeldet", "Déjà connecté", "La sesión ya está iniciada"),
    "Internal error": ("Interner Fehler", "Erreur interne", "Error interno"),
}
_COLUMNS: Final = {"de": 0, "fr": 1, "es": 2}


def known(tag: str) -> str | None:
    """The language to speak for what the client asked: `de-AT` is German, `*` what we like best. RFC 6856 3.2"""
    tag = tag.lower()
    if tag in ("*", I_DEFAULT):
        return DEFAULT
    language = tag.partition("-")[0]
    return language if language in LANGUAGES else None


def said(reply: Reply, language: str) -> Reply:
    """The reply with its words in `language`."""
    column = _COLUMNS.get(language)
    if column is None or not isinstance(reply, Ok | Err | Listing | Message | Start):
        return reply
    words = _TABLE.get(reply.text)
    return reply if words is None else replace(reply, text=words[column])
