# shellcheck shell=bash
# Sourced by contrib/check and contrib/quickstart: installs the Debian packages that are missing.
set -euo pipefail

# What a build needs; Boost.JSON is named by boost_json_package.
# shellcheck disable=SC2034
build_packages=(g++ pkgconf meson ninja-build libseccomp-dev
    libsystemd-dev libcli11-dev libfmt-dev libyaml-cpp-dev)

# The first name that this Debian has: Boost's packages carry their version.
first_available() {
    local name
    for name in "$@"; do
        if apt-cache show "$name" >/dev/null 2>&1; then
            printf '%s\n' "$name"
            return
        fi
    done
    printf '%s\n' "$1"
}

boost_json_package() {
    first_available libboost-json1.81-dev libboost-json-dev libboost-json1.83-dev libboost-json1.88-dev
}

is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Installs what is missing of "$@", by sudo for a user who may; says what is missing if it cannot.
install_packages() {
    local name missing=() as_root=()
    for name in "$@"; do
        is_installed "$name" || missing+=("$name")
    done
    if [ ${#missing[@]} -eq 0 ]; then
        return 0
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! sudo -n true 2>/dev/null && ! { [ -t 0 ] && command -v sudo >/dev/null; }; then
            echo "missing packages, and no way to become root: apt-get install ${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    echo "installing ${missing[*]}"
    if ! apt_get "${as_root[@]}" install -y --no-install-recommends "${missing[@]}"; then
        # The lists may be older than the archive.
        apt_get "${as_root[@]}" update
        apt_get "${as_root[@]}" install -y --no-install-recommends "${missing[@]}"
    fi
}

# apt_get [sudo] ARGUMENTS: quiet, asking nothing.
apt_get() {
    local as_root=()
    if [ "$1" = sudo ]; then
        as_root=(sudo)
        shift
    fi
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" </dev/null >/dev/null
}

# Fetches the package lists once, if this machine has none (a fresh image).
update_lists() {
    local as_root=()
    if apt-cache show ninja-build >/dev/null 2>&1; then
        return 0
    fi
    if [ "$(id -u)" -ne 0 ]; then
        as_root=(sudo)
        command -v sudo >/dev/null || return 0
    fi
    apt_get "${as_root[@]}" update
}
