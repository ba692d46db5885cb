#!/bin/sh
# Part of `make peers`: Schemathesis in an environment of its own, by hash; its program is linked beside the other peers.
set -eu
cache="${XDG_CACHE_HOME:-$HOME/.cache}/whimbrel/peers"
wanted=$(cksum < requirements/fuzz.txt)
[ "$(cat "$cache/schemathesis/.wanted" 2>/dev/null || true)" != "$wanted" ] || exit 0
mkdir -p "$cache/bin"
"${1:-python3}" -m venv --clear "$cache/schemathesis"
"$cache/schemathesis/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
  -r requirements/fuzz.txt
ln -sf "$cache/schemathesis/bin/st" "$cache/bin/st"
echo "$wanted" > "$cache/schemathesis/.wanted"
echo "Installed: $cache/bin/st"
