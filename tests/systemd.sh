#!/bin/sh
# Starts the packages' units under a real systemd: the first process of namespaces of its own, on a Debian made for it.
# Nothing of this machine is changed. Takes root.
#
#   tests/systemd.sh FOLDER PACKAGE...      a folder that is kept between runs, for the Debian
set -eu

cd "$(dirname "$0")/.."
folder=$1
shift
debian="$folder/debian"
work=$(mktemp -d)
group="jwt-systemd-$$"

fail() {
    echo "systemd.sh: $*" >&2
    exit 1
}

# What of this machine's groups of processes systemd may have: a branch of its own.
if [ -d /sys/fs/cgroup/systemd ]; then
    branch="/sys/fs/cgroup/systemd/$group"
else
    branch="/sys/fs/cgroup/$group"
fi

tidy() {
    # All processes of a process's namespace end with it.
    [ -z "${systemd:-}" ] || kill -KILL "$systemd" 2>/dev/null || true
    [ -z "${namespaces:-}" ] || wait "$namespaces" 2>/dev/null || true
    [ ! -d "$branch" ] || find "$branch" -depth -type d -exec rmdir {} + 2>/dev/null || true
    rm -rf "$work"
}
trap tidy EXIT

[ "$(id -u)" -eq 0 ] || fail "a systemd of its own takes root"
. tests/apt.sh
if [ ! -e "$folder/done" ] || [ ! -x "$debian/usr/sbin/haproxy" ]; then
    rm -rf "$folder"
    mkdir -p "$folder"
    find_mirror
    debootstrap --variant=minbase --include=systemd,dbus,ca-certificates,haproxy bookworm "$debian" "$mirror" >"$folder/log" 2>&1 ||
        fail "debootstrap fails: $(tail -n 5 "$folder/log")"
    : >"$folder/done"
fi

# Everything below is seen by systemd alone, and gone with it.
cat >"$work/start" <<'START'
set -eu
work=$1 debian=$2 cgroups=$3
shift 3
ip link set lo up
mount --make-rprivate /
mount -t tmpfs tmpfs "$work"
root="$work/root"
mkdir "$work/changes" "$work/overlay" "$root"
mount -t overlay -o "lowerdir=$debian,upperdir=$work/changes,workdir=$work/overlay" overlay "$root"
cp "$@" "$root/srv"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
# The kernel's settings are this machine's.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
case $cgroups in
/sys/fs/cgroup/systemd)
    mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
    mkdir "$root/sys/fs/cgroup/systemd"
    mount -t cgroup -o none,name=systemd,xattr cgroup "$root/sys/fs/cgroup/systemd"
    ;;
*) mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup" ;;
esac
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
cd "$root"
pivot_root . mnt
umount -l /mnt
# HAProxy is started further below, with something to serve.
rm /etc/systemd/system/multi-user.target.wants/haproxy.service
dpkg --install /srv/*.deb >/srv/installed 2>&1
echo '[{"kid":"a","secret":"'"$SECRET"'"}]' >/etc/keys.json
echo JWT_JWKS_FILE=/etc/keys.json >>/etc/default/jwt-agent
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal --show-status=false
START

SECRET=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
export SECRET
mkdir "$branch"
# shellcheck disable=SC2016 # for the inner shell
unshare --fork --pid --mount --uts --ipc --net --kill-child=KILL \
    sh -c 'echo 0 >"$1/cgroup.procs"; shift; exec unshare --cgroup sh "$@"' sh "$branch" \
    "$work/start" "$work" "$debian" "$(dirname "$branch")" "$@" >"$work/said" 2>&1 </dev/null &
namespaces=$!

# eventually WHAT COMMAND...: for half a minute.
eventually() {
    what=$1
    shift
    tries=0
    until "$@" >"$work/last" 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 150 ] || fail "$what never came: $(cat "$work/last" "$work/said")"
        kill -0 "$namespaces" 2>/dev/null || fail "systemd ended: $(cat "$work/said")"
        sleep 0.2
    done
}

first_process() {
    systemd=$(pgrep -P "$namespaces") && [ "$(cat "/proc/$systemd/comm")" = systemd ]
}

inside() {
    timeout 60 nsenter --target "$systemd" --mount --pid --uts --ipc --net --cgroup --root --wd "$@"
}

running() {
    [ "$(inside systemctl is-system-running)" = running ]
}

journal() {
    inside journalctl --no-pager --output=cat -u 'jwt-agent@*' -u token-server | tail -n 40
}

logged() {
    journal | grep -F "$1"
}

# state UNIT STATE RESULT
state() {
    said=$(inside systemctl show --property=ActiveState,Result --value "$1" | tr '\n' ' ')
    [ "$said" = "$3 $2 " ] || [ "$said" = "$2 $3 " ] || fail "$1 is $said: $(journal)"
}

main_process() {
    inside systemctl show --property=MainPID --value "$1"
}

eventually "systemd" first_process
eventually "a running system" running

[ -z "$(inside systemctl list-units --plain --no-legend 'jwt-agent@*' 'token-server*')" ] || fail "the installation started something"
# `start` returns when the program has said that it serves.
for unit in token-server jwt-agent@1 jwt-agent@2; do
    inside systemctl start "$unit" || fail "$unit does not start: $(journal)"
    state "$unit" active success
done
for ready in 'JWT_ADMIN_LISTEN=127.0.0.1:9461 jwt-agent' 'TOKEN_SERVER__ADMIN__SOCKET=/run/token-server/admin.sock token-server'; do
    inside sh -c "set -a; . /etc/default/${ready##* }; env $ready health" 2>&1 || fail "$ready is not ready: $(journal)"
done
for folder in /run/haproxy-jwt /var/lib/haproxy/run/haproxy-jwt; do
    [ "$(inside stat -c '%a %U %G' "$folder")" = "770 root haproxy" ] || fail "$folder is open to others"
    for agent in 1 2; do
        [ "$(inside stat -c '%a %G' "$folder/agent$agent.sock")" = "660 haproxy" ] || fail "HAProxy may not open the socket in $folder"
    done
done
[ "$(inside stat -c '%a' /var/lib/token-server/token-server.redb)" = 600 ] || fail "others may read the store"

# Debian's own haproxy.cfg and our lines, as they are shipped, below it.
inside sh -ec '
    grep -q "^[[:space:]]*chroot /var/lib/haproxy$" /etc/haproxy/haproxy.cfg
    cd /usr/share/jwt-agent/haproxy
    cp spoe-jwt.conf /etc/haproxy/
    {
        echo global
        grep "^ *presetenv " haproxy.cfg
        sed -n "/^frontend /,\$p" haproxy.cfg
        printf "%s\n" "frontend application" "    bind 127.0.0.1:8081" "    http-request return status 200" \
            "frontend both" "    bind 127.0.0.1:8082" \
            "    http-request return status 200 if { nbsrv(jwt-agents) eq 2 }" "    http-request deny status 503"
    } >>/etc/haproxy/haproxy.cfg' || fail "Debian's haproxy.cfg has no chroot, or ours has other lines"

base64url() {
    openssl base64 -A | tr '+/' '-_' | tr -d =
}

# signed SECRET
signed() {
    said="$(printf '{"alg":"HS256","kid":"a"}' | base64url).$(printf '{"sub":"anna","exp":%s}' $(($(date +%s) + 3600)) | base64url)"
    echo "$said.$(printf %s "$said" | openssl dgst -sha256 -hmac "$1" -binary | base64url)"
}

# answers STATUS HEADER [PORT]: HAProxy's answer to a request with this line in its head.
answers() {
    # shellcheck disable=SC2016 # for the inner shell
    got=$(inside bash -c 'exec 3<>/dev/tcp/127.0.0.1/$2 && printf "GET /api HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n\r\n" "$1" >&3 && head -n 1 <&3' \
        bash "$2" "${3:-8080}" | cut -d ' ' -f 2)
    [ "$got" = "$1" ] || { echo "$got instead of $1"; return 1; }
}

good="Authorization: Bearer $(signed "$SECRET")"
edge_decides() {
    inside systemctl restart haproxy || fail "HAProxy does not start: $(inside journalctl --no-pager --output=cat -u haproxy)"
    eventually "a good token's 200 $1" answers 200 "$good"
    eventually "HAProxy's use of both agents $1" answers 200 "Accept: */*" 8082
    answers 401 "Accept: */*" || fail "no token, $1"
    answers 401 "Authorization: Bearer $(signed "not-$SECRET")" || fail "a forged token, $1"
    for agent in 1 2; do
        inside systemctl stop "jwt-agent@$agent"
        eventually "the other agent's 200 $1" answers 200 "$good"
        inside systemctl start "jwt-agent@$agent"
        eventually "HAProxy's use of both agents $1" answers 200 "Accept: */*" 8082
    done
    inside systemctl stop jwt-agent@1 jwt-agent@2
    eventually "503 without an agent $1" answers 503 "$good"
    inside systemctl start jwt-agent@1 jwt-agent@2
}
edge_decides "in Debian's chroot"
inside sed -i '/^[[:space:]]*chroot /d' /etc/haproxy/haproxy.cfg
edge_decides "without a chroot"
inside systemctl stop haproxy

inside systemctl reload jwt-agent@1 token-server
eventually "the agent's reload" logged "the new configuration is in use"
state jwt-agent@1 active success
inside systemctl restart jwt-agent@2
state jwt-agent@2 active success

# An upgrade restarts what runs, and starts nothing else.
upgrade() {
    inside sh -c 'dpkg --install /srv/*.deb' >"$work/last" 2>&1 || fail "cannot upgrade: $(cat "$work/last")"
}

inside systemctl enable --quiet jwt-agent@1 jwt-agent@2 jwt-agent@3
old_agent=$(main_process jwt-agent@1) old_server=$(main_process token-server)
upgrade
for unit in token-server jwt-agent@1 jwt-agent@2; do
    state "$unit" active success
done
state jwt-agent@3 inactive success
[ "$(main_process jwt-agent@1)" != "$old_agent" ] || fail "jwt-agent@1 runs the program of before the upgrade"
[ "$(main_process token-server)" != "$old_server" ] || fail "token-server runs the program of before the upgrade"

# A faulty configuration is told and not tried again.
inside sh -c 'echo JWT_JWKS_FIEL=x >>/etc/default/jwt-agent'
old_agent=$(main_process jwt-agent@2)
upgrade
grep -q "jwt-agent@1.service does not start" "$work/last" || fail "the upgrade does not tell: $(cat "$work/last")"
state jwt-agent@1 failed exit-code
state jwt-agent@2 active success
[ "$(main_process jwt-agent@2)" = "$old_agent" ] || fail "the upgrade went on after an agent that did not start"
if inside systemctl restart jwt-agent@2 >"$work/last" 2>&1; then
    fail "jwt-agent starts with a setting that does not exist"
fi
state jwt-agent@2 failed exit-code
[ "$(inside systemctl show --property=NRestarts --value jwt-agent@2)" = 0 ] || fail "jwt-agent@2 was tried again"

inside sed -i /JWT_JWKS_FIEL/d /etc/default/jwt-agent
inside systemctl start jwt-agent@1 || fail "jwt-agent@1 does not start again: $(journal)"
inside systemctl stop jwt-agent@1 token-server
for unit in jwt-agent@1 token-server; do
    state "$unit" inactive success
done
[ -z "$(inside find /run/haproxy-jwt /var/lib/haproxy/run /run/token-server -type s 2>/dev/null)" ] || fail "sockets are left behind"

# Removal stops what runs; nothing stays but what was revoked.
inside systemctl enable --quiet token-server
inside systemctl start jwt-agent@1 token-server
removed="$(main_process jwt-agent@1) $(main_process token-server)"
inside dpkg --purge jwt-agent token-server >"$work/last" 2>&1 || fail "cannot remove: $(cat "$work/last")"
for process in $removed; do
    ! inside test -e "/proc/$process" || fail "$(inside cat "/proc/$process/comm") runs after its removal"
done
left=$(inside find /etc /usr /run /var/lib/haproxy ! -path '/run/log/*' \( -name '*jwt*' -o -name '*token-server*' \) ! -path /etc/haproxy/spoe-jwt.conf)
[ -z "$left" ] || fail "left behind: $left"
inside test -s /var/lib/private/token-server/token-server.redb || fail "the revocations are gone"
echo "systemd: units started, reloaded, upgraded, restarted, refused, stopped and removed"
