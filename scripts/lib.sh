# shellcheck shell=bash
# Shell functions that the scripts share. Source it first: it moves to the project's root.

set -eu -o pipefail
export LC_ALL=C.UTF-8 # sorting, decimal points and messages are the same everywhere
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*"; }

# milliseconds: since some fixed moment.   seconds_since START: "1.2 s"
milliseconds() { echo "$((${EPOCHREALTIME//[.,]/} / 1000))"; }
seconds_since() {
    local took=$(($(milliseconds) - $1))
    printf '%d.%d s' $((took / 1000)) $((took % 1000 / 100))
}

# step TITLE: names the step that begins. done_step [NOTE]: says how long it took.
# fail MESSAGE [ADVICE]: ends the script, naming the step.
step_title='' step_start=0
step() {
    step_title=$1 step_start=$(milliseconds)
    say "==> $1"
}
done_step() { say "    ${1:+$1, }$(seconds_since "$step_start")"; }
fail() {
    {
        say
        say "$(basename "$0") failed${step_title:+ at \"$step_title\"}: $1"
        if [ -n "${2:-}" ]; then say "$2"; fi
    } >&2
    exit 1
}

# logged FILE COMMAND...: runs it with its output in FILE; if it fails, shows the end of that.
logged() {
    local log=$1 code=0
    shift
    mkdir -p "$(dirname "$log")"
    "$@" >"$log" 2>&1 </dev/null || code=$?
    if [ $code -ne 0 ]; then
        tail -n 15 "$log" | sed 's/^/    | /' >&2
        say "    (all of it: $log)" >&2
    fi
    return $code
}

# may_be_root: whether as_root will work, as far as one can know without asking for a password.
# as_root COMMAND...: through sudo where needed.
may_be_root() {
    [ "$(id -u)" -eq 0 ] || {
        command -v sudo >/dev/null && { sudo -n true || : </dev/tty; } 2>/dev/null
    }
}
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        sudo "$@" </dev/tty # asks for the password, once
    fi
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a apt-get -q -y \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@"
}

package_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}
package_known() { apt-cache show --no-all-versions "$1" >/dev/null 2>&1; }

# install_packages PACKAGE...: those that are missing. The package lists are fetched only when apt
# does not know a package, or knows a version that is gone.
install_packages() {
    local package missing=() log=build/apt.log unknown=
    for package in "$@"; do
        package_installed "$package" || missing+=("$package")
    done
    if [ ${#missing[@]} -eq 0 ]; then
        say "    nothing is missing"
        return
    fi
    command -v apt-get >/dev/null || fail "this needs ${missing[*]}, and there is no apt-get" \
        "Install the same libraries with your system's own tool, then build with: make sqlite"
    say "    ${missing[*]}"
    local advice="By hand, as root: apt-get update && apt-get install ${missing[*]}"
    may_be_root || fail "installing takes root, or sudo, and here is neither" "$advice"
    advice="See what apt says above, and whether there is a network. $advice"
    for package in "${missing[@]}"; do
        package_known "$package" || unknown=1
    done
    if [ -n "$unknown" ]; then
        logged $log apt_get update || fail "apt-get update did not work" "$advice"
    fi
    if ! logged $log apt_get install --no-install-recommends "${missing[@]}"; then
        [ -z "$unknown" ] || fail "apt-get install did not work" "$advice"
        say "    once more, with fresh package lists" >&2
        logged $log apt_get update || fail "apt-get update did not work" "$advice"
        logged $log apt_get install --no-install-recommends "${missing[@]}" ||
            fail "apt-get install did not work" "$advice"
    fi
}

# What building the SQLite extension takes. Tools that are there from elsewhere will do.
packages_to_build() {
    echo libc6-dev libdnnl-dev libopenblas-serial-dev libutf8proc-dev libjansson-dev \
        libpcre2-dev libxxhash-dev libsqlite3-dev
    command -v cc >/dev/null || echo gcc
    command -v make >/dev/null || echo make
    command -v sqlite3 >/dev/null || echo sqlite3
}

# What scripts/fetch-model takes: pip, to download.
packages_to_fetch() {
    python3 -m pip --version >/dev/null 2>&1 || echo python3-pip
}
