#include "coracle/spec/mount_options.h"

#include <algorithm>
#include <array>
#include <sys/mount.h>

namespace coracle::spec {

namespace {

enum class Action : std::uint8_t {
    nothing,           ///< known, and what a mount does anyway
    set,               ///< `value` is a MOUNT_ATTR_*
    clear,             ///< `value` is a MOUNT_ATTR_*
    access_time,       ///< `value` is the MOUNT_ATTR__ATIME mode to choose
    leave_access_time, ///< back to relatime from the mode `value`
    set_superblock,    ///< `value` is an MS_*
    clear_superblock,
    propagation, ///< `value` is an MS_*, with MS_REC for the whole tree
    bind,        ///< `value` is MS_REC for the whole tree
    remount,
    copy_up,
    id_map,
    copy_symlink,
    bind_symlink,
    on_symlink,
};

enum class Scope : std::uint8_t { mount, tree };

struct Option {
    std::string_view word;
    Action action;
    std::uint64_t value = 0;
    Scope scope = Scope::mount;
};

// Source: runtime-spec config.md#linux-mount-options; crun(1) for the three about symbolic links.
// "norelatime" is the kernel's default since 2.6.30 unless another mode is named: mount(8).
constexpr std::array options_table{
    Option{"async", Action::clear_superblock, MS_SYNCHRONOUS},
    Option{"atime", Action::leave_access_time, MOUNT_ATTR_NOATIME},
    Option{"bind", Action::bind},
    Option{"copy-symlink", Action::copy_symlink},
    Option{"defaults", Action::nothing},
    Option{"dest-nofollow", Action::on_symlink},
    Option{"dev", Action::clear, MOUNT_ATTR_NODEV},
    Option{"diratime", Action::clear, MOUNT_ATTR_NODIRATIME},
    Option{"dirsync", Action::set_superblock, MS_DIRSYNC},
    Option{"exec", Action::clear, MOUNT_ATTR_NOEXEC},
    Option{"idmap", Action::id_map},
    Option{"iversion", Action::set_superblock, MS_I_VERSION},
    Option{"lazytime", Action::set_superblock, MS_LAZYTIME},
    Option{"loud", Action::nothing},
    Option{"mand", Action::set_superblock, MS_MANDLOCK},
    Option{"noatime", Action::access_time, MOUNT_ATTR_NOATIME},
    Option{"nodev", Action::set, MOUNT_ATTR_NODEV},
    Option{"nodiratime", Action::set, MOUNT_ATTR_NODIRATIME},
    Option{"noexec", Action::set, MOUNT_ATTR_NOEXEC},
    Option{"noiversion", Action::clear_superblock, MS_I_VERSION},
    Option{"nolazytime", Action::clear_superblock, MS_LAZYTIME},
    Option{"nomand", Action::clear_superblock, MS_MANDLOCK},
    Option{"norelatime", Action::nothing},
    Option{"nostrictatime", Action::leave_access_time, MOUNT_ATTR_STRICTATIME},
    Option{"nosuid", Action::set, MOUNT_ATTR_NOSUID},
    Option{"nosymfollow", Action::set, MOUNT_ATTR_NOSYMFOLLOW},
    Option{"private", Action::propagation, MS_PRIVATE},
    Option{"ratime", Action::leave_access_time, MOUNT_ATTR_NOATIME, Scope::tree},
    Option{"rbind", Action::bind, MS_REC},
    Option{"rdev", Action::clear, MOUNT_ATTR_NODEV, Scope::tree},
    Option{"rdiratime", Action::clear, MOUNT_ATTR_NODIRATIME, Scope::tree},
    Option{"relatime", Action::access_time, MOUNT_ATTR_RELATIME},
    Option{"remount", Action::remount},
    Option{"rexec", Action::clear, MOUNT_ATTR_NOEXEC, Scope::tree},
    Option{"ridmap", Action::id_map},
    Option{"rnoatime", Action::access_time, MOUNT_ATTR_NOATIME, Scope::tree},
    Option{"rnodev", Action::set, MOUNT_ATTR_NODEV, Scope::tree},
    Option{"rnodiratime", Action::set, MOUNT_ATTR_NODIRATIME, Scope::tree},
    Option{"rnoexec", Action::set, MOUNT_ATTR_NOEXEC, Scope::tree},
    Option{"rnorelatime", Action::nothing},
    Option{"rnostrictatime", Action::leave_access_time, MOUNT_ATTR_STRICTATIME, Scope::tree},
    Option{"rnosuid", Action::set, MOUNT_ATTR_NOSUID, Scope::tree},
    Option{"rnosymfollow", Action::set, MOUNT_ATTR_NOSYMFOLLOW, Scope::tree},
    Option{"ro", Action::set, MOUNT_ATTR_RDONLY},
    Option{"rprivate", Action::propagation, MS_PRIVATE | MS_REC},
    Option{"rrelatime", Action::access_time, MOUNT_ATTR_RELATIME, Scope::tree},
    Option{"rro", Action::set, MOUNT_ATTR_RDONLY, Scope::tree},
    Option{"rrw", Action::clear, MOUNT_ATTR_RDONLY, Scope::tree},
    Option{"rshared", Action::propagation, MS_SHARED | MS_REC},
    Option{"rslave", Action::propagation, MS_SLAVE | MS_REC},
    Option{"rstrictatime", Action::access_time, MOUNT_ATTR_STRICTATIME, Scope::tree},
    Option{"rsuid", Action::clear, MOUNT_ATTR_NOSUID, Scope::tree},
    Option{"rsymfollow", Action::clear, MOUNT_ATTR_NOSYMFOLLOW, Scope::tree},
    Option{"runbindable", Action::propagation, MS_UNBINDABLE | MS_REC},
    Option{"rw", Action::clear, MOUNT_ATTR_RDONLY},
    Option{"shared", Action::propagation, MS_SHARED},
    Option{"silent", Action::nothing}, // the mount API keeps its messages for the caller anyway
    Option{"slave", Action::propagation, MS_SLAVE},
    Option{"src-nofollow", Action::bind_symlink},
    Option{"strictatime", Action::access_time, MOUNT_ATTR_STRICTATIME},
    Option{"suid", Action::clear, MOUNT_ATTR_NOSUID},
    Option{"symfollow", Action::clear, MOUNT_ATTR_NOSYMFOLLOW},
    Option{"sync", Action::set_superblock, MS_SYNCHRONOUS},
    Option{"tmpcopyup", Action::copy_up},
    Option{"unbindable", Action::propagation, MS_UNBINDABLE},
};
static_assert(std::is_sorted(options_table.begin(), options_table.end(),
                             [](const Option& a, const Option& b) { return a.word < b.word; }));

const Option* find_option(std::string_view word) noexcept {
    const auto* found = std::lower_bound(
        options_table.begin(), options_table.end(), word,
        [](const Option& option, std::string_view wanted) { return option.word < wanted; });
    return found != options_table.end() && found->word == word ? found : nullptr;
}

/// The attribute changes of one scope.
struct Attributes {
    std::uint64_t& set;
    std::uint64_t& clear;
};

/// mount_setattr(2) wants the whole mask cleared to choose a mode; relatime is no bit at all.
void choose_access_time(Attributes attributes, std::uint64_t mode) noexcept {
    attributes.clear |= MOUNT_ATTR__ATIME;
    attributes.set = (attributes.set & ~std::uint64_t{MOUNT_ATTR__ATIME}) | mode;
}

/// "atime" is about noatime alone and "nostrictatime" about strictatime alone, so a mode that was
/// asked for and that the word is not about stays.
void leave_access_time(Attributes attributes, std::uint64_t mode) noexcept {
    const std::uint64_t chosen = attributes.set & MOUNT_ATTR__ATIME;
    if (chosen == 0 || chosen == mode) {
        choose_access_time(attributes, MOUNT_ATTR_RELATIME);
    }
}

void apply_attribute(const Option& option, Attributes attributes) noexcept {
    if (option.action == Action::access_time) {
        choose_access_time(attributes, option.value);
    } else if (option.action == Action::leave_access_time) {
        leave_access_time(attributes, option.value);
    } else if (option.action == Action::set) {
        attributes.set |= option.value;
        attributes.clear &= ~option.value;
    } else if (option.action == Action::clear) {
        attributes.clear |= option.value;
        attributes.set &= ~option.value;
    }
}

/// A word about the whole tree takes back what an earlier word said about its top: the last wins.
void apply_attribute(const Option& option, MountOptions& result) noexcept {
    if (option.scope == Scope::mount) {
        apply_attribute(option, Attributes{result.set_attributes, result.clear_attributes});
        return;
    }
    const bool is_time =
        option.action == Action::access_time || option.action == Action::leave_access_time;
    const std::uint64_t bits = is_time ? std::uint64_t{MOUNT_ATTR__ATIME} : option.value;
    result.set_attributes &= ~bits;
    result.clear_attributes &= ~bits;
    apply_attribute(option, Attributes{result.recursive_set, result.recursive_clear});
}

void apply_option(const Option& option, MountOptions& result) {
    switch (option.action) {
    case Action::nothing:
        return;
    case Action::set:
    case Action::clear:
    case Action::access_time:
    case Action::leave_access_time:
        apply_attribute(option, result);
        return;
    case Action::set_superblock:
        result.superblock_flags |= option.value;
        result.superblock_clear &= ~option.value;
        return;
    case Action::clear_superblock:
        result.superblock_clear |= option.value;
        result.superblock_flags &= ~option.value;
        return;
    case Action::propagation:
        result.propagation = static_cast<std::uint32_t>(option.value & ~std::uint64_t{MS_REC});
        result.propagation_recursive = (option.value & MS_REC) != 0;
        return;
    case Action::bind:
        // "rbind" stays one when "bind" follows, as the flags of mount(8) do.
        result.bind = true;
        result.recursive_bind = result.recursive_bind || option.value != 0;
        return;
    case Action::remount:
        result.remount = true;
        return;
    case Action::copy_up:
        result.copy_up = true;
        return;
    case Action::id_map:
        result.id_map = option.word;
        return;
    case Action::copy_symlink:
        result.copy_symlink = true;
        return;
    case Action::bind_symlink:
        result.bind_symlink = true;
        return;
    case Action::on_symlink:
        result.on_symlink = true;
        return;
    }
}

/// The words of one entry: mount(2) takes "size=1k,mode=755" too. A comma in double quotes or after
/// a backslash separates nothing: SELinux contexts and the layers of overlay have such.
std::vector<std::string> split_words(const std::string& entry) {
    std::vector<std::string> words(1);
    bool quoted = false;
    for (std::size_t i = 0; i < entry.size(); ++i) {
        const char c = entry[i];
        if (c == ',' && !quoted) {
            words.emplace_back();
            continue;
        }
        quoted = quoted != (c == '"');
        words.back() += c;
        if (c == '\\' && i + 1 < entry.size()) {
            words.back() += entry[++i];
        }
    }
    return words;
}

} // namespace

MountOptions parse_mount_options(const std::vector<std::string>& options) {
    MountOptions result;
    for (const std::string& entry : options) {
        for (std::string& word : split_words(entry)) {
            if (const Option* option = find_option(word)) {
                apply_option(*option, result);
            } else if (!word.empty()) {
                result.data.push_back(std::move(word));
            }
        }
    }
    return result;
}

std::vector<std::string_view> known_mount_options() {
    std::vector<std::string_view> words;
    for (const Option& option : options_table) {
        words.push_back(option.word);
    }
    return words;
}

} // namespace coracle::spec
