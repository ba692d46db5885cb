"""The service extensions of the server, in the order of the EHLO reply."""

from whimbrel.protocols.smtp.offers.auth import AUTH
from whimbrel.protocols.smtp.offers.chunking import CHUNKING
from whimbrel.protocols.smtp.offers.dsn import DSN
from whimbrel.protocols.smtp.offers.eightbit import EIGHTBITMIME
from whimbrel.protocols.smtp.offers.keywords import ENHANCEDSTATUSCODES, PIPELINING
from whimbrel.protocols.smtp.offers.limits import LIMITS
from whimbrel.protocols.smtp.offers.prdr import PRDR
from whimbrel.protocols.smtp.offers.requiretls import REQUIRETLS
from whimbrel.protocols.smtp.offers.size import SIZE
from whimbrel.protocols.smtp.offers.starttls import STARTTLS
from whimbrel.protocols.smtp.offers.utf8 import SMTPUTF8

EXTENSIONS = (
    PIPELINING,
    SIZE,
    STARTTLS,
    AUTH,
    EIGHTBITMIME,
    SMTPUTF8,
    CHUNKING,
    DSN,
    REQUIRETLS,
    PRDR,
    LIMITS,
    ENHANCEDSTATUSCODES,
)
