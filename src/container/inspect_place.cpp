#include "cgroup_private.h"
#include "coracle/base/error.h"
#include "coracle/base/names.h"
#include "coracle/base/text.h"
#include "coracle/host/container_facts.h"
#include "coracle/plan/make_launch_plan.h"
#include "coracle/sys/file.h"
#include "coracle/sys/namespace.h"
#include "coracle/sys/procfs.h"
#include "inspect_private.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coracle::container {

namespace {

using spec::Match;

// ---- namespaces

/// The namespace behind a magic link, which names nothing that the payload could choose.
struct stat stat_namespace(int directory, const std::string& name) {
    struct stat status {};
    if (::fstatat(directory, name.c_str(), &status, 0) != 0) {
        int saved = errno;
        throw_system(saved, "look at " + name);
    }
    return status;
}

bool is_same(const struct stat& a, const struct stat& b) {
    return a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

const spec::Namespace* find_asked(const spec::Config& config, NamespaceKind kind) {
    if (!config.linux_) {
        return nullptr;
    }
    for (const spec::Namespace& entry : config.linux_->namespaces) {
        if (find_namespace_kind(entry.type) == kind) {
            return &entry;
        }
    }
    return nullptr;
}

void inspect_namespace(const Subject& subject, NamespaceKind kind, Findings& findings) {
    std::string file = std::string("ns/") + proc_name_of(kind);
    struct stat theirs = stat_namespace(subject.directory, file);
    bool shared = is_same(theirs, stat_namespace(subject.proc_fd, "self/" + file));
    const spec::Namespace* asked = find_asked(subject.config, kind);
    std::string name = std::string("namespace ") + name_of(kind);
    std::string found = std::to_string(theirs.st_ino) + (shared ? ", shared with the caller" : "");
    if (asked == nullptr) {
        findings.add({name, "shared with the caller", found, shared ? Match::equal : Match::differs,
                      shared ? "" : "or its creator is in another one than this caller"});
        return;
    }
    if (asked->path.empty()) {
        findings.add({name, "new", found, shared ? Match::differs : Match::equal, ""});
        return;
    }
    struct stat wanted {};
    if (::stat(asked->path.c_str(), &wanted) != 0) {
        int saved = errno;
        findings.add({name, printable(asked->path), found, Match::unreadable,
                      "look at it: " + describe_errno(saved)});
        return;
    }
    findings.add({name, printable(asked->path), found,
                  is_same(theirs, wanted) ? Match::equal : Match::differs, ""});
}

// ---- id maps

std::string describe_lines(std::vector<host::IdMapLine> lines) {
    std::sort(lines.begin(), lines.end(), [](const host::IdMapLine& a, const host::IdMapLine& b) {
        return a.inside < b.inside;
    });
    std::vector<std::string> texts;
    for (const host::IdMapLine& line : lines) {
        texts.push_back(std::to_string(line.inside) + "=" + std::to_string(line.outside) + "+" +
                        std::to_string(line.count));
    }
    return texts.empty() ? "none" : join(texts, ",");
}

void inspect_map(const Subject& subject, const char* name,
                 const std::vector<spec::IdMapping>& mappings, Findings& findings) {
    std::string found =
        describe_lines(host::parse_id_map(read_process_file(subject, std::string(name))));
    const spec::Namespace* space = find_asked(subject.config, NamespaceKind::user);
    if (space == nullptr || !space->path.empty() || mappings.empty()) {
        findings.show(name, found);
        return;
    }
    std::vector<host::IdMapLine> lines;
    for (const spec::IdMapping& mapping : mappings) {
        lines.push_back({mapping.container_id, mapping.host_id, mapping.size});
    }
    sys::Fd user = sys::open_at(subject.directory, "ns/user", O_RDONLY);
    if (!sys::is_owned_by_current_user_namespace(user.get())) {
        findings.add({name, describe_lines(lines), found, Match::unreadable,
                      "the container's creator is in another user namespace than this caller, "
                      "which sees other numbers"});
        return;
    }
    findings.compare(name, describe_lines(lines), found);
}

// ---- cgroup

/// Whether the kernel shows what was written: a size in whole pages, one line among those of other
/// devices.
bool is_same_value(const std::string& file, const std::string& asked, const std::string& found) {
    if (asked == found) {
        return true;
    }
    if (file.starts_with("memory.")) {
        std::uint64_t page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
        std::optional<std::uint64_t> a = parse_unsigned(asked, UINT64_MAX);
        std::optional<std::uint64_t> b = parse_unsigned(found, UINT64_MAX);
        return a && b && *a / page == *b / page;
    }
    std::vector<std::string_view> lines = split(found, '\n');
    return std::find(lines.begin(), lines.end(), asked) != lines.end();
}

std::string trim_end(std::string text) {
    text.erase(text.find_last_not_of('\n') + 1);
    return text;
}

void inspect_limits(const Subject& subject, const cgroup::Directory& directory,
                    Findings& findings) {
    std::vector<std::string> asked_files;
    if (subject.config.linux_ && subject.config.linux_->resources) {
        plan::CgroupUpdate update = plan::make_cgroup_update(*subject.config.linux_->resources,
                                                             plan::CgroupMethod::cgroupfs);
        for (const plan::CgroupWrite& write : update.writes) {
            if (write.may_be_early) { // a later one writes the same file
                continue;
            }
            std::optional<std::string> text = directory.find_text(write.file);
            std::string found = text ? trim_end(*text) : "not there";
            bool same = text && is_same_value(write.file, write.value, found);
            asked_files.push_back(write.file);
            findings.add({write.file, printable(write.value), printable(found),
                          same ? Match::equal : Match::differs, same ? "" : write.member});
        }
    }
    for (const char* file : {"cpu.max", "memory.max", "pids.max"}) {
        if (std::find(asked_files.begin(), asked_files.end(), file) == asked_files.end()) {
            findings.show(file,
                          printable(trim_end(directory.find_text(file).value_or("not there"))));
        }
    }
}

void inspect_cgroup(const Subject& subject, Findings& findings) {
    std::string path = sys::parse_cgroup_path(read_process_file(subject, "cgroup"));
    const std::optional<spec::CgroupRecord>& record = subject.found.record.cgroup;
    if (!record) {
        findings.show("cgroup", printable(path) + " (none of its own)");
        return;
    }
    std::string asked = record->path + record->sub;
    bool below = path == asked || path.starts_with(asked + "/");
    findings.add(
        {"cgroup", printable(asked), printable(path), below ? Match::equal : Match::differs, ""});
    std::optional<LivingCgroup> living = find_cgroup(subject.found, "inspect");
    if (living) {
        inspect_limits(subject, living->directory, findings);
    }
}

} // namespace

void inspect_place(const Subject& subject, Findings& findings) {
    for (NamespaceKind kind : namespace_kinds()) {
        findings.attempt(std::string("namespace ") + name_of(kind),
                         [&] { inspect_namespace(subject, kind, findings); });
    }
    static const std::vector<spec::IdMapping> none;
    const std::optional<spec::Linux>& linux_part = subject.config.linux_;
    findings.attempt("uid_map", [&] {
        inspect_map(subject, "uid_map", linux_part ? linux_part->uid_mappings : none, findings);
    });
    findings.attempt("gid_map", [&] {
        inspect_map(subject, "gid_map", linux_part ? linux_part->gid_mappings : none, findings);
    });
    findings.attempt("cgroup", [&] { inspect_cgroup(subject, findings); });
}

} // namespace coracle::container
