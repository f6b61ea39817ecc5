#!/bin/sh
# The real servers of the tests, from Debian's packages, where apt and root are there. Where they are not, the tests
# that need them are skipped, each with its reason; with CI=true a skip is a failure.
set -eu
missing=""
for pair in chromium:chromium prometheus:prometheus prometheus-alertmanager:prometheus-alertmanager \
  prometheus-blackbox-exporter:prometheus-blackbox-exporter /usr/lib/postgresql/15/bin/postgres:postgresql-15 git:git ssh:openssh-client \
  ip:iproute2 nft:nftables; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "Not installed, and apt or root is missing:$missing" >&2
  exit 0
fi
echo "Installing$missing …" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >/dev/null
# Services that a package would start are not wanted: the tests start their own.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d.scorecard && chmod +x /usr/sbin/policy-rc.d.scorecard
[ -e /usr/sbin/policy-rc.d ] || { mv /usr/sbin/policy-rc.d.scorecard /usr/sbin/policy-rc.d; trap 'rm -f /usr/sbin/policy-rc.d' EXIT; }
# shellcheck disable=SC2086 # a list of words
apt-get install -y -qq --no-install-recommends $missing fonts-liberation fonts-dejavu-core >/dev/null
