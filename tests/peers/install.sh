#!/bin/sh
# `make peers`: installs the real clients and servers that the tests talk to (root, Debian). Starts none of them.
set -eu
[ "$(id -u)" = 0 ] || { echo "make peers installs Debian packages and needs root"; exit 1; }
command -v apt-get >/dev/null || { echo "make peers knows Debian's apt-get only; install the programs named in tests/peers/install.sh by hand"; exit 1; }
packages="swaks curl openssl isync fetchmail getmail6 postfix dovecot-imapd dovecot-pop3d dovecot-lmtpd \
  rsyslog fail2ban offlineimap3 neomutt procps libnet-ssleay-perl libio-socket-ssl-perl e2fsprogs util-linux iproute2 strace \
  chromium opendkim opendkim-tools"
missing=""
for package in $packages; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
# Debian lets only one mail server be installed: Exim's program is unpacked for the tests alone (tests/conftest.py).
unpacked="${XDG_CACHE_HOME:-$HOME/.cache}/whimbrel/peers/bin"
exim=exim4-daemon-light
[ -n "$missing" ] || [ ! -x "$unpacked/exim4" ] || { echo "All peers are installed."; exit 0; }
# Nothing may start by itself: the tests start each peer with their own configuration, on loopback.
policy=/usr/sbin/policy-rc.d
made=""
if [ ! -e "$policy" ]; then made=yes; printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod 755 "$policy"; fi
folder=$(mktemp -d)
trap '[ -z "$made" ] || rm -f "$policy"; rm -rf "$folder"' EXIT
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
if [ ! -x "$unpacked/exim4" ]; then
  chmod 755 "$folder"
  (cd "$folder" && apt-get download -qq "$exim")
  for library in $(dpkg-deb -f "$folder/$exim"_*.deb Depends | tr ',' '\n' | sed 's/^ *//;s/[ (|].*//' | grep '^lib'); do
    dpkg-query -W -f='${Status}' "$library" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $library"
  done
  mkdir -p "$unpacked"
  dpkg-deb --fsys-tarfile "$folder/$exim"_*.deb | tar -xO ./usr/sbin/exim4 > "$folder/exim4"
  install -m 755 "$folder/exim4" "$unpacked/exim4"
  echo "Unpacked: $unpacked/exim4"
fi
# shellcheck disable=SC2086
[ -z "$missing" ] || { apt-get install -y -qq --no-install-recommends $missing >/dev/null; echo "Installed:$missing"; }
