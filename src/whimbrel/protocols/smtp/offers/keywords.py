"""Extensions that are a promise and nothing else: no parameter, no verb.

Standards: RFC 2920 (PIPELINING), RFC 2034 (ENHANCEDSTATUSCODES).
"""

from whimbrel.protocols.smtp.offers.extension import Extension

PIPELINING = Extension(offer=lambda terms: "PIPELINING")
ENHANCEDSTATUSCODES = Extension(offer=lambda terms: "ENHANCEDSTATUSCODES")
