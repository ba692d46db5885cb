#!/bin/sh
# Part of `make peers`: dkimpy and pyspf in an environment of their own, by hash, and the test suite that comes with the
# sources of pyspf, as JSON beside them.
set -eu
cache="${XDG_CACHE_HOME:-$HOME/.cache}/whimbrel/peers"
wanted=$(cksum < requirements/mailauth.txt)
[ "$(cat "$cache/mailauth/.wanted" 2>/dev/null || true)" != "$wanted" ] || exit 0
mkdir -p "$cache/bin"
"${1:-python3}" -m venv --clear "$cache/mailauth"
python="$cache/mailauth/bin/python"
"$python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/mailauth.txt
version=$(sed -n 's/^pyspf==\([0-9.]*\).*/\1/p' requirements/mailauth.txt)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: --dest "$folder" "pyspf==$version"
tar -xzf "$folder/pyspf-$version.tar.gz" -C "$folder"
"$python" - "$folder/pyspf-$version/test/rfc7208-tests.yml" "$cache/mailauth/rfc7208.json" <<'END'
import json
import sys

import yaml

with open(sys.argv[1], encoding="utf-8") as suite, open(sys.argv[2], "w", encoding="utf-8") as out:
    json.dump([document for document in yaml.safe_load_all(suite) if document], out)
END
printf '#!/bin/sh\nexec "%s" -I "$@"\n' "$python" > "$cache/bin/mailauth-python"
chmod 755 "$cache/bin/mailauth-python"
echo "$wanted" > "$cache/mailauth/.wanted"
echo "Installed: $cache/bin/mailauth-python"
