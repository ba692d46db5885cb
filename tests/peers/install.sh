#!/bin/sh
# `make peers`: installs the real clients and servers that the tests talk to (root, Debian). Starts none of them.
set -eu
[ "$(id -u)" = 0 ] || { echo "make peers installs Debian packages and needs root"; exit 1; }
command -v apt-get >/dev/null || { echo "make peers knows Debian's apt-get only; install the programs named in tests/peers/install.sh by hand"; exit 1; }
packages="swaks curl isync fetchmail getmail6 postfix dovecot-imapd dovecot-pop3d dovecot-lmtpd \
  rsyslog fail2ban offlineimap3 neomutt procps libnet-ssleay-perl libio-socket-ssl-perl e2fsprogs util-linux iproute2 strace"
missing=""
for package in $packages; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || { echo "All peers are installed."; exit 0; }
# Nothing may start by itself: the tests start each peer with their own configuration, on loopback.
policy=/usr/sbin/policy-rc.d
made=""
if [ ! -e "$policy" ]; then made=yes; printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod 755 "$policy"; fi
trap '[ -z "$made" ] || rm -f "$policy"' EXIT
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
echo "Installed:$missing"
