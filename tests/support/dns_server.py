"""An authoritative name server on a free loopback port, with zones made by the test.

    with DnsServer() as dns:
        dns.add("example.test", "MX", "10 mail.example.test.")
        dns.add("mail.example.test", "A", "192.0.2.1", ttl=5)
        dns.servfail("broken.test")
        dns.silent("slow.test")
        ... DnsSettings(server=(dns.address,)) ...

A name below nothing that was added is NXDOMAIN; a name that has other types has no data. With `authentic` every
answer carries AD, as from a validating resolver.
"""

import select
import socket
import struct
import threading
import time
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset

from whimbrel.core.values import HostPort

SOA = "ns.invalid. hostmaster.invalid. 1 7200 900 1209600 {ttl}"


class DnsServer:
    """Runs in a thread of its own; what is added counts at once."""

    def __init__(self, *, authentic: bool = False, negative_ttl: int = 60, udp_limit: int = 0) -> None:
        """`udp_limit`: answers over UDP larger than this are cut short, so that TCP is used."""
        self.authentic, self.negative_ttl, self.udp_limit = authentic, negative_ttl, udp_limit
        self.queries: list[tuple[str, str, str]] = []
        """(name, type, "udp" or "tcp") of each question, in order."""
        self.delay = 0.0
        """Seconds before each answer."""
        self._records: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rrset.RRset] = {}
        self._names: set[dns.name.Name] = set()
        self._servfail: set[dns.name.Name] = set()
        self._silent: set[dns.name.Name] = set()
        self._servfail_types: set[tuple[dns.name.Name, dns.rdatatype.RdataType]] = set()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._wake, self._waker = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="dns-server", daemon=True)

    def __enter__(self) -> Self:
        for _ in range(50):  # UDP and TCP must be free on one port.
            self._udp.bind(("127.0.0.1", 0))
            try:
                self._tcp.bind(self._udp.getsockname())
                break
            except OSError:
                self._udp.close()
                self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._tcp.listen(50)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._waker.close()
        self._thread.join(5)
        for sock in (self._udp, self._tcp, self._wake):
            sock.close()

    @property
    def address(self) -> HostPort:
        return HostPort(f"127.0.0.1:{self._udp.getsockname()[1]}")

    def add(self, name: str, kind: str, *values: str, ttl: int = 300) -> None:
        """One record for each value, in master-file form. IDN names are taken as U-labels or A-labels."""
        owner = dns.name.from_text(name)
        rdtype = dns.rdatatype.from_text(kind)
        rrset = self._records.get((owner, rdtype))
        if rrset is None:
            rrset = self._records[owner, rdtype] = dns.rrset.RRset(owner, dns.rdataclass.IN, rdtype)
        for value in values:
            rrset.add(dns.rdata.from_text(dns.rdataclass.IN, rdtype, value, dns.name.root, relativize=False), ttl)
        while owner != dns.name.root:
            self._names.add(owner)
            owner = owner.parent()

    def pointer(self, ip: str, *hosts: str) -> None:
        """PTR records."""
        self.add(dns.reversename.from_address(ip).to_text(), "PTR", *(f"{host.rstrip('.')}." for host in hosts))

    def host(self, name: str, *ips: str) -> None:
        """A and AAAA records."""
        for ip in ips:
            self.add(name, "AAAA" if ":" in ip else "A", ip)

    def null_mx(self, name: str) -> None:
        """RFC 7505"""
        self.add(name, "MX", "0 .")

    def remove(self, name: str, kind: str) -> None:
        self._records.pop((dns.name.from_text(name), dns.rdatatype.from_text(kind)), None)

    def servfail(self, name: str) -> None:
        """Answers SERVFAIL for the name and all below it."""
        self._servfail.add(dns.name.from_text(name))

    def servfail_type(self, name: str, kind: str) -> None:
        """Answers SERVFAIL for this type only, as broken servers do for AAAA."""
        self._servfail_types.add((dns.name.from_text(name), dns.rdatatype.from_text(kind)))

    def silent(self, name: str) -> None:
        """Never answers for the name and all below it."""
        self._silent.add(dns.name.from_text(name))

    def asked(self, name: str, kind: str) -> int:
        """How many times."""
        return sum(1 for entry in self.queries if entry[:2] == (name, kind))

    # Inside

    def _serve(self) -> None:
        streams: dict[socket.socket, bytes] = {}
        while True:
            ready, _, _ = select.select([self._wake, self._udp, self._tcp, *streams], [], [])
            if self._wake in ready:
                for stream in streams:
                    stream.close()
                return
            for sock in ready:
                if sock is self._udp:
                    data, peer = self._udp.recvfrom(65535)
                    answer = self._answer(data, "udp")
                    if answer is not None:
                        self._udp.sendto(answer, peer)
                elif sock is self._tcp:
                    stream, _ = self._tcp.accept()
                    streams[stream] = b""
                else:
                    self._stream(sock, streams)

    def _stream(self, stream: socket.socket, streams: dict[socket.socket, bytes]) -> None:
        try:
            data = stream.recv(65535)
        except OSError:
            data = b""
        if not data:
            del streams[stream]
            stream.close()
            return
        data = streams[stream] + data
        while len(data) >= 2 and len(data) >= 2 + (size := struct.unpack_from(">H", data)[0]):
            question, data = data[2 : 2 + size], data[2 + size :]
            answer = self._answer(question, "tcp")
            if answer is not None:
                stream.sendall(struct.pack(">H", len(answer)) + answer)
        streams[stream] = data

    def _answer(self, data: bytes, transport: str) -> bytes | None:
        try:
            query = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return None
        question = query.question[0]
        name, kind = question.name, question.rdtype
        self.queries.append((name.to_text(omit_final_dot=True), dns.rdatatype.to_text(kind), transport))
        if self.delay:
            time.sleep(self.delay)
        if self._below(name, self._silent):
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA | dns.flags.RA
        if self.authentic:
            response.flags |= dns.flags.AD
        if self._below(name, self._servfail) or (name, kind) in self._servfail_types:
            response.set_rcode(dns.rcode.SERVFAIL)
        else:
            self._fill(response, name, kind)
        limit = 65535
        if transport == "udp":
            limit = max(512, query.payload if query.edns >= 0 else 512)
            if self.udp_limit:
                limit = min(limit, self.udp_limit)
        try:
            wire = response.to_wire(max_size=65535)
            if len(wire) <= limit:
                return wire
        except dns.exception.TooBig:
            pass
        short = dns.message.make_response(query)
        short.flags |= dns.flags.AA | dns.flags.RA | dns.flags.TC
        return short.to_wire()

    def _fill(self, response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> None:
        seen: set[dns.name.Name] = set()
        while (name, kind) not in self._records and (name, dns.rdatatype.CNAME) in self._records and name not in seen:
            seen.add(name)
            alias = self._records[name, dns.rdatatype.CNAME]
            response.answer.append(alias)
            name = alias[0].target
        rrset = self._records.get((name, kind))
        if rrset is not None:
            response.answer.append(rrset)
        elif not seen or name not in seen:
            if name not in self._names:
                response.set_rcode(dns.rcode.NXDOMAIN)
            text = SOA.format(ttl=self.negative_ttl)
            zone = next((name.split(n)[1] for n in range(min(3, len(name)), 0, -1)), name)
            response.authority.append(dns.rrset.from_text(zone, self.negative_ttl, "IN", "SOA", text))

    @staticmethod
    def _below(name: dns.name.Name, tops: set[dns.name.Name]) -> bool:
        return any(name.is_subdomain(top) for top in list(tops))
