#!/bin/sh
# Makes SoftHSM tokens and describes them as a units file, for the generic provider.
#
#   softhsm/init-units.sh DIRECTORY [COUNT]      (COUNT is 2 unless given)
#
# You do not need this to try Keystead: `kp instance create` makes its own SoftHSM units. It is for seeing how Keystead
# works with tokens that somebody else prepared, as it does with the slots of a real HSM:
#
#   softhsm/init-units.sh /srv/tokens 2 >/srv/units.json
#   SOFTHSM2_CONF=/srv/tokens/softhsm2.conf KEYSTEAD_UNITS_FILE=/srv/units.json npm start
#
# DIRECTORY gets softhsm2.conf, tokens/ and one PIN file per unit (0600). The units are printed to standard output:
#
#   {"units": [{"module": PATH, "label": "keystead-1", "serial": HEX, "zone": "zone-1", "pinFile": PATH}, ...]}
#
# The SO PINs are random and kept nowhere, so nobody can reset a user PIN; a unit is wiped by removing its token. Zones are
# numbered; edit them if your tokens share one. softhsm2-util takes PINs on its command line only, where other users of the
# host can see them for a moment. An existing DIRECTORY with tokens is refused, nothing is overwritten.
# The module is looked for where Debian, Fedora and Homebrew put it; KEYSTEAD_SOFTHSM_MODULE names another.
set -eu
umask 077

say() { printf '%s\n' "$*" >&2; }
fail() { say "init-units.sh: $*"; exit 1; }

[ $# -ge 1 ] && [ $# -le 2 ] || fail "usage: softhsm/init-units.sh DIRECTORY [COUNT]"
count=${2:-2}
case $count in '' | *[!0-9]* | 0) fail "COUNT must be a number from 1 on, not '$count'" ;; esac
command -v softhsm2-util >/dev/null || fail "softhsm2-util is missing: apt-get install softhsm2, or brew install softhsm"

find_module() {
  for path in "${KEYSTEAD_SOFTHSM_MODULE:-}" /usr/lib/softhsm/libsofthsm2.so /usr/lib64/pkcs11/libsofthsm2.so \
    /usr/lib64/softhsm/libsofthsm2.so /usr/lib/pkcs11/libsofthsm2.so /usr/local/lib/softhsm/libsofthsm2.so \
    /opt/homebrew/lib/softhsm/libsofthsm2.so /usr/local/opt/softhsm/lib/softhsm/libsofthsm2.so; do
    if [ -n "$path" ] && [ -f "$path" ]; then printf '%s' "$path"; return; fi
  done
  fail "libsofthsm2.so is not at a known place; name it in KEYSTEAD_SOFTHSM_MODULE"
}

# 24 random bytes as 32 characters that need no quoting anywhere.
random_pin() { head -c 24 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n='; }

# The serial of the token with this label: 16 hex digits, as Keystead finds it again.
serial_of() {
  softhsm2-util --module "$module" --show-slots | awk -v label="$1" '
    /Serial number:/ { serial = $3 }
    /Label:/ { sub(/^[^:]*:[ ]*/, ""); sub(/[ ]*$/, ""); if ($0 == label) print serial }'
}

module=$(find_module)
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/tokens"
dir=$(cd "$1" && pwd)
[ -z "$(ls -A "$dir/tokens")" ] || fail "$dir/tokens holds tokens already; give another DIRECTORY"
case $dir in *[\"\\]*) fail "the path of DIRECTORY must not contain quotes or backslashes" ;; esac

sed "s|@TOKENS@|$(printf '%s' "$dir/tokens" | sed 's/[&|\\]/\\&/g')|" "$here/softhsm2.conf.tmpl" >"$dir/softhsm2.conf"
export SOFTHSM2_CONF="$dir/softhsm2.conf"

units=''
i=1
while [ "$i" -le "$count" ]; do
  label="keystead-$i"
  pin_file="$dir/$label.pin"
  random_pin >"$pin_file"
  softhsm2-util --module "$module" --init-token --free --label "$label" --so-pin "$(random_pin)" \
    --pin "$(cat "$pin_file")" >&2
  serial=$(serial_of "$label")
  [ -n "$serial" ] || fail "softhsm2-util made no token $label"
  unit="{\"module\": \"$module\", \"label\": \"$label\", \"serial\": \"$serial\", \"zone\": \"zone-$i\", \"pinFile\": \"$pin_file\"}"
  units="$units${units:+,
  }$unit"
  i=$((i + 1))
done
sync
printf '{"units": [%s]}\n' "$units"
say "Start the server with SOFTHSM2_CONF=$SOFTHSM2_CONF and KEYSTEAD_UNITS_FILE set to a file with the lines above."
