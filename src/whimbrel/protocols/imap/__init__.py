"""The parts of IMAP's grammar, in one table. An extension is a module with a `PART`, named here."""

from whimbrel.protocols.imap import append, basic, fetch, folders, search, select, store

PARTS = (basic.PART, folders.PART, select.PART, append.PART, fetch.PART, store.PART, search.PART)
