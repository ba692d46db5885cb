"""What stands in the mail that brings a link to set a password, in the language of the server's reports. The subject
names no secret: logs and previews have it."""

from typing import Final

_WORDS: Final = {
    "en": (
        "Your mailbox {address}: set the password",
        "The mailbox {address} on {hostname} is yours. Please set its password:\n\n    {url}\n\n"
        "The link can be used once, until {expires}. Whoever has it can set the password: do not pass it on.\n\n"
        "If you do not expect this, do nothing and tell your administrator.\n",
    ),
    "de": (
        "Ihr Postfach {address}: Passwort festlegen",
        "Das Postfach {address} auf {hostname} gehört Ihnen. Bitte legen Sie sein Passwort fest:\n\n    {url}\n\n"
        "Der Link gilt einmal, bis {expires}. Wer ihn hat, kann das Passwort festlegen: geben Sie ihn nicht weiter.\n\n"
        "Wenn Sie das nicht erwarten, tun Sie nichts und sagen Sie Ihrem Administrator Bescheid.\n",
    ),
    "fr": (
        "Votre boîte aux lettres {address} : définir le mot de passe",
        "La boîte {address} sur {hostname} est à vous. Veuillez définir son mot de passe :\n\n    {url}\n\n"
        "Le lien sert une seule fois, jusqu'au {expires}. Quiconque le possède peut définir le mot de passe : ne le "
        "transmettez pas.\n\nSi vous n'attendiez pas ce message, ne faites rien et prévenez votre administrateur.\n",
    ),
    "es": (
        "Su buzón {address}: establecer la contraseña",
        "El buzón {address} en {hostname} es suyo. Establezca su contraseña:\n\n    {url}\n\n"
        "El enlace sirve una sola vez, hasta {expires}. Quien lo tenga puede establecer la contraseña: no lo reenvíe."
        "\n\nSi no esperaba este mensaje, no haga nada y avise a su administrador.\n",
    ),
}


def letter(language: str, address: str, hostname: str, url: str, expires: str) -> tuple[str, str]:
    """Subject and text."""
    subject, text = _WORDS.get(language, _WORDS["en"])
    values = {"address": address, "hostname": hostname, "url": url, "expires": expires}
    return subject.format_map(values), text.format_map(values)
