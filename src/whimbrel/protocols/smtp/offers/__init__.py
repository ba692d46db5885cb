"""The service extensions of the server, in the order of the EHLO reply."""

from whimbrel.protocols.smtp.offers.auth import AUTH
from whimbrel.protocols.smtp.offers.eightbit import EIGHTBITMIME
from whimbrel.protocols.smtp.offers.keywords import ENHANCEDSTATUSCODES, PIPELINING
from whimbrel.protocols.smtp.offers.size import SIZE
from whimbrel.protocols.smtp.offers.starttls import STARTTLS

EXTENSIONS = (PIPELINING, SIZE, STARTTLS, AUTH, EIGHTBITMIME, ENHANCEDSTATUSCODES)
