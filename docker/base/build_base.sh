#!/bin/sh
# Build an equivalent of debian:bookworm-slim without an image registry, from Debian's package archive.
# Usage: docker/base/build_base.sh [IMAGE]      needs root, debootstrap and a Docker engine
set -eu
image=${1:-debian:bookworm-slim}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
debootstrap --arch=amd64 --variant=minbase bookworm "$root" "$mirror" >&2
# As in the official slim image: no package lists, documentation, manual pages or translations, no logs of the build.
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/* \
    "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/info/* "$root"/usr/share/locale/*
printf 'path-exclude /usr/share/doc/*\npath-exclude /usr/share/man/*\npath-exclude /usr/share/locale/*\n' \
    > "$root/etc/dpkg/dpkg.cfg.d/slim"
tar -C "$root" --numeric-owner -c . | docker import --platform linux/amd64 --change 'CMD ["bash"]' - "$image"
