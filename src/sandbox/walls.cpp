#include "make_bundle_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sandbox/seccomp_profiles.h"
#include "coracle/spec/annotations.h"
#include "coracle/spec/config_json.h"
#include "coracle/spec/landlock.h"
#include "coracle/sys/file.h"

#include <algorithm>
#include <fcntl.h>
#include <optional>

namespace coracle::sandbox {

namespace {

spec::Seccomp load_filter(const std::string& path) {
    return in_context([&] { return "seccomp " + printable(path); },
                      [&] {
                          sys::Fd file =
                              sys::open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
                          return spec::parse_seccomp_document(
                              sys::read_all(file.get(), spec::max_document_bytes, path));
                      });
}

/// What a program needs that makes a user namespace and a root of its own in it.
constexpr const char* for_nested_namespaces = "+@mount,+clone,+clone3,+setns,+unshare";

std::optional<spec::Seccomp> make_seccomp(const Options& options) {
    const std::vector<std::string>& words = options.seccomp;
    bool has_file = std::any_of(words.begin(), words.end(), is_seccomp_file);
    if (has_file && words.size() > 1) {
        throw_error(ErrorKind::usage, "seccomp: a file is the whole filter: no other words beside "
                                      "it");
    }
    if (has_file) {
        return load_filter(words.front());
    }
    std::string text = join(words, ",");
    if (text == "none") {
        return std::nullopt;
    }
    if (options.nested_user_namespaces) {
        text += (text.empty() ? "" : ",") + std::string(for_nested_namespaces);
    }
    return compose_seccomp(text.empty() ? seccomp_profiles().front().name : text);
}

/// Landlock forbids every mount: who is to make mounts gets its scopes alone.
/// Source: landlock(7), Filesystem topology modification.
bool may_mount(const Options& options) {
    return options.nested_user_namespaces ||
           std::ranges::find(options.capabilities, "CAP_SYS_ADMIN") != options.capabilities.end();
}

spec::Landlock make_landlock(const Options& options, const MountList& mounts) {
    spec::Landlock landlock;
    landlock.scope_abstract_unix_socket = true;
    landlock.scope_signal = true;
    if (may_mount(options)) {
        return landlock;
    }
    std::vector<spec::LandlockRule>& rules = landlock.fs.emplace();
    rules.push_back({"/", options.writable_root ? spec::LandlockAccess::all
                                                : spec::LandlockAccess::read_execute});
    for (const std::string& place : mounts.writable_places()) {
        const std::string& last = rules.back().path;
        bool covered = rules.size() > 1 && is_in(place, last);
        if (!covered) {
            rules.push_back({place, spec::LandlockAccess::all});
        }
    }
    return landlock;
}

} // namespace

void add_walls(const Options& options, const MountList& mounts, spec::Config& config) {
    config.linux_->seccomp = make_seccomp(options);
    std::map<std::string, std::string>& annotations = config.annotations;
    annotations[std::string(spec::parent_death_annotation)] = "SIGKILL";
    if (!options.nested_user_namespaces) {
        annotations[std::string(spec::nested_users_annotation)] = "deny";
    }
    if (options.core_scheduling) {
        annotations[std::string(spec::core_scheduling_annotation)] = "true";
    }
    if (options.landlock != Wall::off) {
        annotations[std::string(spec::landlock_annotation)] =
            spec::write_landlock(make_landlock(options, mounts));
    }
}

} // namespace coracle::sandbox
