#include "coracle/spec/validate.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "spec/validate_private.h"

#include <algorithm>

namespace coracle::spec {

namespace {

/// The kernel's __NEW_UTS_LEN. Source: sethostname(2), setdomainname(2).
constexpr std::size_t longest_uts_name = 64;

bool is_number(std::string_view text) noexcept {
    const bool leading_zero = text.size() > 1 && text.front() == '0';
    return !leading_zero && parse_unsigned(text, std::numeric_limits<std::uint64_t>::max());
}

bool is_version_suffix(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               c == '.' || c == '-' || c == '+';
    });
}

/// Source: runtime-spec config.md#specification-version; SemVer 2.0.0.
void validate_version(const std::string& version) {
    const std::size_t core_end = std::min(version.find_first_of("-+"), version.size());
    const std::vector<std::string_view> parts =
        split(std::string_view(version).substr(0, core_end), '.');
    bool well_formed = parts.size() == 3 && std::all_of(parts.begin(), parts.end(), is_number);
    if (core_end < version.size()) {
        well_formed =
            well_formed && is_version_suffix(std::string_view(version).substr(core_end + 1));
    }
    if (!well_formed) {
        refuse("/ociVersion", quote(version) + " is not a version such as \"1.3.0\"");
    }
    if (parts[0] != "1") {
        refuse("/ociVersion", quote(version) + " is not supported; versions 1.x are");
    }
}

/// Source: runtime-spec config.md#root.
void validate_root(const Config& config) {
    if (!config.root) {
        refuse("/root", "is missing; name the directory of the root filesystem in /root/path");
    }
    if (config.root->path.empty()) {
        refuse("/root/path", "is empty; name the directory of the root filesystem");
    }
}

/// Source: runtime-spec config.md#hostname, config.md#domainname.
void validate_uts_name(const Config& config, const std::string& pointer, const std::string& name) {
    if (name.empty()) {
        return;
    }
    if (name.size() > longest_uts_name) {
        refuse(pointer, "is longer than " + std::to_string(longest_uts_name) + " bytes");
    }
    if (!has_namespace(config, "uts")) {
        refuse(pointer, "needs a uts namespace; add one to /linux/namespaces or leave it out");
    }
}

/// Source: runtime-spec config.md#mounts.
void validate_mounts(const std::vector<Mount>& mounts) {
    for (std::size_t i = 0; i < mounts.size(); ++i) {
        const Mount& mount = mounts[i];
        const std::string pointer = element("/mounts", i);
        if (mount.destination.empty()) {
            refuse(pointer + "/destination", "is empty");
        }
        if (mount.uid_mappings.empty() != mount.gid_mappings.empty()) {
            refuse(pointer, "has one of uidMappings and gidMappings; give both or neither");
        }
        require_id_mappings(pointer + "/uidMappings", mount.uid_mappings);
        require_id_mappings(pointer + "/gidMappings", mount.gid_mappings);
    }
}

/// Source: runtime-spec config.md#posix-platform-hooks.
void validate_hook_list(const std::string& pointer, const std::vector<Hook>& hooks) {
    for (std::size_t i = 0; i < hooks.size(); ++i) {
        const Hook& hook = hooks[i];
        const std::string hook_pointer = element(pointer, i);
        require_absolute(hook_pointer + "/path", hook.path);
        require_environment(hook_pointer + "/env", hook.env);
        if (hook.timeout && *hook.timeout <= 0) {
            refuse(hook_pointer + "/timeout", "must be greater than 0 seconds");
        }
    }
}

void validate_hooks(const Hooks& hooks) {
    validate_hook_list("/hooks/prestart", hooks.prestart);
    validate_hook_list("/hooks/createRuntime", hooks.create_runtime);
    validate_hook_list("/hooks/createContainer", hooks.create_container);
    validate_hook_list("/hooks/startContainer", hooks.start_container);
    validate_hook_list("/hooks/poststart", hooks.poststart);
    validate_hook_list("/hooks/poststop", hooks.poststop);
}

} // namespace

void refuse(const std::string& pointer, const std::string& text) {
    throw_error(ErrorKind::invalid_config, "config.json: " + pointer + ": " + text);
}

std::string element(const std::string& pointer, std::size_t index) {
    return pointer + "/" + std::to_string(index);
}

std::string quote(std::string_view word) {
    return "\"" + printable(word) + "\"";
}

bool contains(const std::vector<std::string_view>& words, std::string_view word) noexcept {
    return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_absolute(std::string_view path) noexcept {
    return !path.empty() && path.front() == '/';
}

bool has_namespace(const Config& config, std::string_view type) noexcept {
    return config.linux_ &&
           std::any_of(config.linux_->namespaces.begin(), config.linux_->namespaces.end(),
                       [&](const Namespace& entry) { return entry.type == type; });
}

void require_word(const std::string& pointer, std::string_view word,
                  const std::vector<std::string_view>& words) {
    if (contains(words, word)) {
        return;
    }
    std::string known;
    for (const std::string_view candidate : words) {
        known += known.empty() ? "" : ", ";
        known += candidate;
    }
    refuse(pointer, quote(word) + " is not known; use one of " + known);
}

void require_absolute(const std::string& pointer, std::string_view path) {
    if (!is_absolute(path)) {
        refuse(pointer, quote(path) + " is not an absolute path");
    }
}

void require_one_line(const std::string& pointer, std::string_view text) {
    if (text.find_first_of(std::string_view("\n\0", 2)) != std::string_view::npos) {
        refuse(pointer, "contains a newline or a NUL");
    }
}

void require_environment(const std::string& pointer, const std::vector<std::string>& env) {
    for (std::size_t i = 0; i < env.size(); ++i) {
        const std::size_t equals = env[i].find('=');
        if (equals == std::string::npos || equals == 0) {
            refuse(element(pointer, i), "is not of the form NAME=VALUE");
        }
        if (env[i].find('\0') != std::string::npos) {
            refuse(element(pointer, i), "contains a NUL");
        }
    }
}

void require_id_mappings(const std::string& pointer, const std::vector<IdMapping>& mappings) {
    struct Range {
        std::uint64_t first;
        std::uint64_t end;
        std::size_t index;
    };
    const auto refuse_overlap = [&](std::vector<Range> ranges, const char* side) {
        std::sort(ranges.begin(), ranges.end(),
                  [](const Range& a, const Range& b) { return a.first < b.first; });
        for (std::size_t i = 1; i < ranges.size(); ++i) {
            if (ranges[i].first < ranges[i - 1].end) {
                const auto [earlier, later] = std::minmax(ranges[i].index, ranges[i - 1].index);
                refuse(element(pointer, later), "overlaps entry " + std::to_string(earlier) +
                                                    " on the " + side +
                                                    " side; an id may be mapped once");
            }
        }
    };
    std::vector<Range> container_side;
    std::vector<Range> host_side;
    for (std::size_t i = 0; i < mappings.size(); ++i) {
        const IdMapping& mapping = mappings[i];
        const std::uint64_t container_end = std::uint64_t{mapping.container_id} + mapping.size;
        const std::uint64_t host_end = std::uint64_t{mapping.host_id} + mapping.size;
        if (mapping.size == 0) {
            refuse(element(pointer, i) + "/size", "must be greater than 0");
        }
        if (container_end > no_id || host_end > no_id) {
            refuse(element(pointer, i), "reaches beyond the highest id, 4294967294");
        }
        container_side.push_back({mapping.container_id, container_end, i});
        host_side.push_back({mapping.host_id, host_end, i});
    }
    refuse_overlap(std::move(container_side), "container");
    refuse_overlap(std::move(host_side), "host");
}

void validate(const Config& config) {
    validate_version(config.oci_version);
    validate_root(config);
    if (config.process) {
        validate_process(*config.process);
    }
    validate_uts_name(config, "/hostname", config.hostname);
    validate_uts_name(config, "/domainname", config.domainname);
    validate_mounts(config.mounts);
    validate_hooks(config.hooks);
    // Source: runtime-spec config.md#annotations.
    if (config.annotations.count("") != 0) {
        refuse("/annotations/", "a name must not be empty");
    }
    if (config.linux_) {
        validate_linux(*config.linux_);
    }
}

} // namespace coracle::spec
