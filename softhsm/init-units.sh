#!/bin/sh
# Prepares SoftHSM2 tokens to be used as crypto units, the way an administrator of real HSMs prepares partitions:
#
#   softhsm/init-units.sh DIR [COUNT]          COUNT is 3 unless given
#
# makes DIR (mode 0700) with softhsm2.conf, COUNT tokens, a PIN file (mode 0600) for each, and units.json, and prints what
# the server needs in its environment. softhsm2-util takes PINs on its command line only, so whoever may list the processes
# of this machine at that moment can see them: prepare tokens that matter with your HSM's own tools.
set -eu
umask 077

fail() {
  echo "FAILED: $1" >&2
  exit 1
}

[ $# -ge 1 ] && [ $# -le 2 ] || fail "usage: $0 DIR [COUNT]"
count=${2:-3}
case $count in '' | *[!0-9]* | 0*) fail "COUNT must be a number from 1 on, not '$count'" ;; esac
command -v softhsm2-util >/dev/null || fail 'softhsm2-util is not installed: apt install softhsm2, or brew install softhsm'
[ ! -e "$1" ] || fail "$1 exists already: name a new directory"

module=${KEYSTEAD_SOFTHSM_MODULE:-}
for found in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so /usr/lib64/softhsm/libsofthsm2.so \
  /usr/lib64/pkcs11/libsofthsm2.so /usr/lib/pkcs11/libsofthsm2.so /usr/local/lib/softhsm/libsofthsm2.so /opt/homebrew/lib/softhsm/libsofthsm2.so \
  /usr/local/opt/softhsm/lib/softhsm/libsofthsm2.so; do
  [ -n "$module" ] || [ ! -e "$found" ] || module=$found
done
[ -n "$module" ] || fail 'libsofthsm2 was not found: set KEYSTEAD_SOFTHSM_MODULE to its path'

mkdir -p "$1/tokens"
chmod 0700 "$1"
dir=$(cd "$1" && pwd -P)
export SOFTHSM2_CONF="$dir/softhsm2.conf"
printf 'directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n' "$dir/tokens" >"$SOFTHSM2_CONF"

secret() {
  od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

serial_of() {
  softhsm2-util --module "$module" --show-slots | awk -v label="$1" '
    /Serial number:/ { serial = $3 }
    /Label:/ && $2 == label { print serial }'
}

units=
n=1
while [ "$n" -le "$count" ]; do
  pin=$(secret)
  printf '%s\n' "$pin" >"$dir/pin-$n"
  softhsm2-util --module "$module" --init-token --free --label "unit-$n" --so-pin "$(secret)" --pin "$pin" >/dev/null
  units="$units${units:+,}
    { \"module\": \"$module\", \"serial\": \"$(serial_of "unit-$n")\", \"zone\": \"zone-$n\", \"pinFile\": \"$dir/pin-$n\" }"
  n=$((n + 1))
done
printf '{\n  "units": [%s\n  ]\n}\n' "$units" >"$dir/units.json"

echo "export SOFTHSM2_CONF=$SOFTHSM2_CONF"
echo "export KEYSTEAD_UNITS_FILE=$dir/units.json"
