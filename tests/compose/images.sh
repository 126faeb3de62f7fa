#!/bin/sh
# Makes the images that Dockerfile.* and docker-compose.yml begin with, where no registry can be reached: from Debian's
# packages and the Rust toolchain of this machine, under the names that those files use.
#
#   tests/compose/images.sh FOLDER      a cache, for what is unpacked
set -eu

folder=$1
suite=bookworm
root="$folder/root"

fail() {
    echo "images.sh: $*" >&2
    exit 1
}

missing() {
    ! docker image inspect "$1" >/dev/null 2>&1
}

. tests/apt.sh
find_mirror

# One small Debian holds all of the programs; the images differ in what they start.
if [ ! -e "$folder/root.done" ]; then
    rm -rf "$root"
    mkdir -p "$folder"
    debootstrap --variant=minbase \
        --include=ca-certificates,gcc,libc6-dev,haproxy,redis-server,redis-sentinel,prometheus \
        "$suite" "$root" "$mirror" >"$folder/debootstrap.log" 2>&1 ||
        fail "debootstrap fails: $(tail -n 5 "$folder/debootstrap.log")"
    # The authorities that this machine trusts, for cargo, behind whatever it is behind.
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
    : >"$folder/root.done"
fi
if missing haproxy-jwt/debian; then
    tar -C "$root" --exclude=./var/cache --exclude=./var/lib/apt --exclude=./usr/share/doc --exclude=./proc --exclude=./sys -c . |
        docker import - haproxy-jwt/debian >/dev/null
fi

# $1 name, standard input: what its Dockerfile adds.
image() {
    missing "$1" || return 0
    { echo "FROM haproxy-jwt/debian"; cat; } | docker build --network host -q -t "$1" - >/dev/null
}
image "haproxy:$HAPROXY_VERSION" <<'ADD'
STOPSIGNAL SIGUSR1
ADD
image "redis:$REDIS_VERSION" <<'ADD'
RUN usermod -u 999 redis && install -d -o 999 -g 999 /data
VOLUME /data
WORKDIR /data
ADD
image "prom/prometheus:$PROMETHEUS_VERSION" <<'ADD'
ENTRYPOINT ["prometheus"]
ADD

if missing rust:1-bookworm; then
    toolchain=$(rustc --print sysroot)
    tar -C "$toolchain" --exclude=./share --exclude='./lib/rustlib/*/bin/rust-analyzer*' -c . |
        docker import - haproxy-jwt/toolchain >/dev/null
    docker build --network host -q -t rust:1-bookworm - >/dev/null <<'ADD'
FROM haproxy-jwt/toolchain AS toolchain
FROM haproxy-jwt/debian
COPY --from=toolchain / /usr/local/
ENV CARGO_HOME=/usr/local/cargo
ADD
fi

# What distroless is made of: a few packages of Debian without the tools that install packages.
if missing gcr.io/distroless/base-nossl-debian12:nonroot; then
    small="$folder/small"
    rm -rf "$small"
    mkdir -p "$small/etc/ssl/certs" "$small/tmp"
    # /bin, /lib and their like are links into /usr.
    for folder in bin lib lib64 sbin; do
        [ -L "$root/$folder" ] || continue
        mkdir -p "$small/usr/$folder"
        ln -s "usr/$folder" "$small/$folder"
    done
    for package in base-files libc6 tzdata; do
        list=$(find "$root/var/lib/dpkg/info" -name "$package.list" -o -name "$package:*.list" | head -n 1)
        [ -n "$list" ] || continue
        (cd "$root" && sed 's,^/,./,' "$list" | tar --no-recursion -c -T -) | tar -C "$small" -x
    done
    cp "$root/etc/ssl/certs/ca-certificates.crt" "$small/etc/ssl/certs/"
    echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >"$small/etc/passwd"
    echo 'nonroot:x:65532:' >"$small/etc/group"
    chmod 1777 "$small/tmp"
    tar -C "$small" -c . | docker import - gcr.io/distroless/base-nossl-debian12:nonroot >/dev/null
fi
