"""What the IMAP service offers, in one table: handlers, and the capabilities that stand for them."""

from whimbrel.services.imapd import append, basic, fetch, folders, idle, search, select, sign_in, store

OFFERS = (
    basic.OFFER,
    sign_in.OFFER,
    folders.OFFER,
    select.OFFER,
    idle.OFFER,
    append.OFFER,
    fetch.OFFER,
    store.OFFER,
    search.OFFER,
)
