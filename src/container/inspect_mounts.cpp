#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/plan/make_launch_plan.h"
#include "coracle/spec/mount_options.h"
#include "coracle/sys/directory.h"
#include "coracle/sys/file.h"
#include "coracle/sys/mountinfo.h"
#include "coracle/sys/rooted_path.h"
#include "inspect_private.h"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <linux/mount.h>
#include <set>

namespace coracle::container {

namespace {

using spec::Match;
using sys::MountLine;

constexpr std::size_t most_shown = 64; ///< of what the payload can have as many of as it likes

struct FlagWord {
    std::uint64_t flag;
    const char* word;
};
constexpr std::array<FlagWord, 7> flag_words{{{MOUNT_ATTR_RDONLY, "ro"},
                                              {MOUNT_ATTR_NOSUID, "nosuid"},
                                              {MOUNT_ATTR_NODEV, "nodev"},
                                              {MOUNT_ATTR_NOEXEC, "noexec"},
                                              {MOUNT_ATTR_NOATIME, "noatime"},
                                              {MOUNT_ATTR_NODIRATIME, "nodiratime"},
                                              {MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"}}};

bool has_word(const std::string& text, std::string_view word) {
    std::vector<std::string_view> words = split(text, ',');
    return std::find(words.begin(), words.end(), word) != words.end();
}

bool has_flag(const MountLine& line, std::string_view word) {
    return has_word(line.options, word) ||
           (word == "ro" && has_word(line.superblock_options, word));
}

std::string describe(const MountLine& line) {
    return printable(line.type) + " " + printable(line.options);
}

/// The topmost mount there; null if there is none.
const MountLine* find_line(const std::vector<MountLine>& lines, const std::string& point) {
    const MountLine* found = nullptr;
    for (const MountLine& line : lines) {
        found = line.point == point ? &line : found;
    }
    return found;
}

/// Where `path` leads by the symbolic links of the root file system as the host has it: no mount of
/// the payload's is looked into, which might never answer.
std::string resolve(const Subject& subject, const std::string& path) {
    std::string clean = clean_absolute(path);
    sys::Fd root;
    sys::Fd target;
    const std::string& rootfs = subject.found.record.rootfs;
    if (sys::try_open_at(AT_FDCWD, rootfs, O_PATH | O_DIRECTORY, 0, root) != 0 ||
        sys::try_open_in_root(root.get(), clean, O_PATH, sys::Symlinks::follow, target) != 0) {
        return clean;
    }
    std::string place = "/proc/self/fd/";
    std::string base = sys::read_link(AT_FDCWD, place + std::to_string(root.get()));
    std::string full = sys::read_link(AT_FDCWD, place + std::to_string(target.get()));
    return full.starts_with(base + "/") ? full.substr(base.size()) : clean;
}

struct Asked {
    std::string point;
    std::string type; ///< empty: a bind
    std::uint64_t set = 0;
    std::uint64_t clear = 0;
};

void compare_mount(const std::vector<MountLine>& lines, const Asked& asked, Findings& findings) {
    std::string name = "mount " + printable(asked.point);
    std::string wanted = asked.type.empty() ? "bind" : printable(asked.type);
    std::string wrong;
    const MountLine* line = find_line(lines, asked.point);
    for (const FlagWord& entry : flag_words) {
        bool set = (asked.set & entry.flag) != 0;
        bool clear = (asked.clear & entry.flag) != 0 && entry.flag <= MOUNT_ATTR_NOEXEC;
        wanted += set ? std::string(" ") + entry.word : "";
        if (line != nullptr && set && !has_flag(*line, entry.word)) {
            wrong += std::string(wrong.empty() ? "" : ", ") + "it is not " + entry.word;
        }
        if (line != nullptr && clear && has_word(line->options, entry.word)) {
            wrong += std::string(wrong.empty() ? "" : ", ") + "it is " + entry.word;
        }
    }
    if (line == nullptr) {
        findings.add({name, wanted, "none", Match::differs, "nothing is mounted there"});
        return;
    }
    std::string type = asked.type == "cgroup" ? "cgroup2" : asked.type;
    if (!type.empty() && line->type != type) {
        wrong += std::string(wrong.empty() ? "" : ", ") + "it is another filesystem";
    }
    findings.add(
        {name, wanted, describe(*line), wrong.empty() ? Match::equal : Match::differs, wrong});
}

/// What the configuration has mounted, and where more may lie below.
class Expected {
  public:
    explicit Expected(const Subject& subject);
    [[nodiscard]] const std::vector<Asked>& mounts() const noexcept { return mounts_; }
    [[nodiscard]] bool covers(const std::string& point) const {
        return points_.contains(point) ||
               std::any_of(trees_.begin(), trees_.end(),
                           [&](const std::string& tree) { return point.starts_with(tree + "/"); });
    }

  private:
    void add_mount(const Subject& subject, const spec::Mount& mount);
    std::vector<Asked> mounts_;
    std::set<std::string> points_{
        "/",         "/dev/console", "/dev/ptmx",    "/dev/null", "/dev/zero",
        "/dev/full", "/dev/random",  "/dev/urandom", "/dev/tty",  plan::notify_socket_path};
    std::vector<std::string> trees_;
};

void Expected::add_mount(const Subject& subject, const spec::Mount& mount) {
    spec::MountOptions options = spec::parse_mount_options(mount.options);
    std::string point = resolve(subject, mount.destination);
    points_.insert(point);
    if (options.remount || options.copy_symlink) {
        return;
    }
    bool bind = options.bind || mount.type == "bind";
    if (options.recursive_bind || mount.type == "sysfs" || mount.type.starts_with("cgroup")) {
        trees_.push_back(point); // what the host has below it, the fallback's too
    }
    std::erase_if(mounts_, [&](const Asked& entry) { return entry.point == point; });
    mounts_.push_back({point, bind ? "" : mount.type,
                       options.set_attributes | options.recursive_set, options.clear_attributes});
}

Expected::Expected(const Subject& subject) {
    const spec::Config& config = subject.config;
    bool read_only = config.root && config.root->readonly;
    mounts_.push_back({"/", "", read_only ? std::uint64_t{MOUNT_ATTR_RDONLY} : 0, 0});
    for (const spec::Mount& mount : config.mounts) {
        add_mount(subject, mount);
    }
    if (!config.linux_) {
        return;
    }
    for (const spec::Device& device : config.linux_->devices) {
        points_.insert(resolve(subject, device.path));
    }
    for (const std::string& path : config.linux_->masked_paths) {
        points_.insert(resolve(subject, path));
    }
    for (const std::string& path : config.linux_->readonly_paths) {
        points_.insert(resolve(subject, path));
    }
}

bool has_own_mounts(const spec::Config& config) {
    return config.linux_ &&
           std::any_of(config.linux_->namespaces.begin(), config.linux_->namespaces.end(),
                       [](const spec::Namespace& entry) {
                           return entry.type == "mount" && entry.path.empty();
                       });
}

void compare_mounts(const Subject& subject, const std::vector<MountLine>& lines,
                    Findings& findings) {
    Expected expected(subject);
    for (const Asked& asked : expected.mounts()) {
        compare_mount(lines, asked, findings);
    }
    if (!has_own_mounts(subject.config)) {
        return;
    }
    std::size_t more = 0;
    for (const MountLine& line : lines) {
        if (expected.covers(line.point)) {
            continue;
        }
        if (++more <= most_shown) {
            findings.add({"mount " + printable(line.point), "none", describe(line), Match::differs,
                          "it is not in the configuration"});
        }
    }
    if (more > most_shown) {
        findings.add({"mounts", "none", std::to_string(more - most_shown) + " more", Match::differs,
                      "they are not in the configuration"});
    }
}

// ---- open files

/// Pipes, sockets and their kind lie in no mount that anybody could walk from.
bool has_no_place(const std::string& link) {
    return link.find(":[") != std::string::npos || link.starts_with("anon_inode:") ||
           link.starts_with("/memfd:") || !link.starts_with('/');
}

std::optional<std::uint64_t> find_mount_id(const Subject& subject, const std::string& number) {
    std::string text = read_process_file(subject, "fdinfo/" + number);
    for (std::string_view line : split(text, '\n')) {
        constexpr std::string_view key = "mnt_id:\t";
        if (line.starts_with(key)) {
            return parse_unsigned(line.substr(key.size()), UINT64_MAX);
        }
    }
    return std::nullopt;
}

void inspect_file(const Subject& subject, const std::string& number,
                  const std::vector<MountLine>& lines, Findings& findings) {
    std::string name = "fd " + number;
    std::string link = sys::read_link(subject.directory, "fd/" + number);
    std::optional<std::uint64_t> mount = find_mount_id(subject, number);
    bool outside = mount && std::none_of(lines.begin(), lines.end(),
                                         [&](const MountLine& line) { return line.id == *mount; });
    // The standard streams are the caller's, wherever they lead.
    bool standard = number.size() == 1 && number[0] <= '2';
    if (!standard && outside && !has_no_place(link)) {
        findings.add(
            {name, "in the container's mounts", printable(link), Match::differs,
             "it leads out of the container: it was opened outside, or its mount is gone"});
    } else {
        findings.show(name, printable(link));
    }
}

void inspect_files(const Subject& subject, const std::vector<MountLine>& lines,
                   Findings& findings) {
    sys::Fd directory = sys::open_at(subject.directory, "fd", O_RDONLY | O_DIRECTORY);
    std::vector<std::uint64_t> numbers;
    for (const std::string& name : sys::list_directory(directory.get())) {
        numbers.push_back(parse_unsigned(name, INT32_MAX).value_or(0));
    }
    std::sort(numbers.begin(), numbers.end());
    for (std::size_t i = 0; i < std::min(numbers.size(), most_shown * 4); ++i) {
        std::string number = std::to_string(numbers[i]);
        findings.attempt("fd " + number, [&] { inspect_file(subject, number, lines, findings); });
    }
    if (numbers.size() > most_shown * 4) {
        findings.add(
            {"fds", "", std::to_string(numbers.size()) + " in all", Match::unreadable,
             "those after the first " + std::to_string(most_shown * 4) + " are not looked at"});
    }
}

} // namespace

void inspect_mounts(const Subject& subject, Findings& findings) {
    findings.attempt("mounts", [&] {
        std::vector<MountLine> lines =
            sys::parse_mountinfo(read_process_file(subject, "mountinfo"));
        if (subject.executed) { // the root is entered at the end of what create does
            compare_mounts(subject, lines, findings);
        }
        findings.attempt("fds", [&] { inspect_files(subject, lines, findings); });
    });
}

} // namespace coracle::container
