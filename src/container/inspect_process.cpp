#include "coracle/base/error.h"
#include "coracle/base/names.h"
#include "coracle/base/text.h"
#include "coracle/host/security_modules.h"
#include "coracle/spec/annotations.h"
#include "coracle/sys/file.h"
#include "coracle/sys/scheduling.h"
#include "inspect_private.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>

namespace coracle::container {

namespace {

using spec::Match;

std::string value_of(const Subject& subject, const std::string& key) {
    const auto found = subject.status.find(key);
    return found == subject.status.end() ? std::string() : found->second;
}

// ---- ids

/// As the reader's user namespace shows it; nothing if it is not mapped.
std::optional<std::uint32_t> seen_id(const Subject& subject,
                                     const std::vector<host::IdMapLine>& map, std::uint32_t id) {
    if (!subject.own_user_namespace) {
        return id;
    }
    for (const host::IdMapLine& line : map) {
        if (id >= line.inside && id - line.inside < line.count) {
            return line.outside + (id - line.inside);
        }
    }
    return std::nullopt;
}

std::string name_id(std::optional<std::uint32_t> id) {
    return id ? std::to_string(*id) : "not mapped";
}

/// Real, effective, saved and filesystem id, one if they are the same.
std::string name_ids(const std::string& text) {
    std::vector<std::string_view> ids = split(text, '\t');
    bool same = std::adjacent_find(ids.begin(), ids.end(), std::not_equal_to<>()) == ids.end();
    return printable(same ? ids.front() : std::string_view(text));
}

std::string sorted_numbers(std::vector<std::uint32_t> numbers) {
    std::sort(numbers.begin(), numbers.end());
    std::vector<std::string> texts;
    for (std::uint32_t number : numbers) {
        texts.push_back(std::to_string(number));
    }
    return texts.empty() ? "none" : join(texts, ",");
}

void inspect_groups(const Subject& subject, Findings& findings) {
    std::vector<std::uint32_t> found;
    for (std::string_view word : split(value_of(subject, "Groups"), ' ')) {
        std::optional<std::uint64_t> gid = parse_unsigned(word, UINT32_MAX);
        if (gid) {
            found.push_back(static_cast<std::uint32_t>(*gid));
        }
    }
    std::vector<std::uint32_t> asked;
    for (std::uint32_t gid : subject.config.process->user.additional_gids) {
        asked.push_back(seen_id(subject, subject.gid_map, gid).value_or(UINT32_MAX));
    }
    bool kept = asked.empty() && subject.own_user_namespace &&
                read_process_file(subject, "setgroups").starts_with("deny");
    findings.compare("groups", kept ? sorted_numbers(found) : sorted_numbers(asked),
                     sorted_numbers(found), "as the reader's user namespace shows them");
}

void inspect_ids(const Subject& subject, Findings& findings) {
    const spec::User& user = subject.config.process->user;
    findings.compare("uid", name_id(seen_id(subject, subject.uid_map, user.uid)),
                     name_ids(value_of(subject, "Uid")), "as the reader's user namespace shows it");
    findings.compare("gid", name_id(seen_id(subject, subject.gid_map, user.gid)),
                     name_ids(value_of(subject, "Gid")), "as the reader's user namespace shows it");
    findings.attempt("groups", [&] { inspect_groups(subject, findings); });
}

// ---- capabilities

struct CapabilitySets {
    std::uint64_t inheritable = 0;
    std::uint64_t permitted = 0;
    std::uint64_t effective = 0;
    std::uint64_t bounding = 0;
    std::uint64_t ambient = 0;
};

std::uint64_t mask_of(const std::vector<std::string>& names, std::uint64_t known) {
    std::uint64_t mask = 0;
    for (const std::string& name : names) {
        std::optional<int> number = find_capability(name);
        mask |= number ? std::uint64_t{1} << static_cast<unsigned>(*number) : 0;
    }
    return mask & known;
}

/// What execve(2) makes of the sets that were asked for. Source: capabilities(7), "Transformation
/// of capabilities during execve()", "Capabilities and execution of programs by root".
CapabilitySets after_execution(const spec::Process& process, std::uint64_t known) {
    spec::Capabilities asked = process.capabilities.value_or(spec::Capabilities{});
    CapabilitySets sets;
    sets.inheritable = mask_of(asked.inheritable, known);
    sets.bounding = mask_of(asked.bounding, known);
    std::uint64_t before = mask_of(asked.permitted, known);
    sets.ambient = mask_of(asked.ambient, known) & before & sets.inheritable;
    sets.permitted = sets.ambient;
    if (process.user.uid == 0) {
        std::uint64_t gained = sets.inheritable | sets.bounding;
        sets.permitted |= process.no_new_privileges ? gained & before : gained;
    }
    sets.effective = sets.permitted;
    return sets;
}

std::string name_capabilities(std::uint64_t mask, std::uint64_t known) {
    std::vector<std::string> names;
    for (int number = 0; number < 64; ++number) {
        if ((mask >> static_cast<unsigned>(number) & 1U) != 0) {
            const char* name = capability_name(number);
            names.push_back(name != nullptr ? name : std::to_string(number));
        }
    }
    return names.empty() ? "none" : mask == known ? "all" : join(names, ",");
}

std::uint64_t parse_mask(const std::string& text) {
    std::uint64_t value = 0;
    for (char c : text) {
        unsigned digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                         : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a') + 10U
                                                : 0U;
        value = value << 4U | digit;
    }
    return value;
}

void inspect_capabilities(const Subject& subject, Findings& findings) {
    sys::Fd file = sys::open_at(subject.proc_fd, "sys/kernel/cap_last_cap", O_RDONLY);
    std::string text = sys::read_all(file.get(), 64, "cap_last_cap");
    std::uint64_t last = parse_unsigned(text.substr(0, text.find('\n')), 62).value_or(62);
    std::uint64_t known = (std::uint64_t{2} << last) - 1;
    CapabilitySets asked = after_execution(*subject.config.process, known);
    struct Row {
        const char* name;
        const char* key;
        std::uint64_t asked;
    };
    const std::array<Row, 5> rows{{{"bounding", "CapBnd", asked.bounding},
                                   {"permitted", "CapPrm", asked.permitted},
                                   {"effective", "CapEff", asked.effective},
                                   {"inheritable", "CapInh", asked.inheritable},
                                   {"ambient", "CapAmb", asked.ambient}}};
    for (const Row& row : rows) {
        findings.compare(std::string("capabilities ") + row.name,
                         name_capabilities(row.asked, known),
                         name_capabilities(parse_mask(value_of(subject, row.key)), known),
                         "\"asked\" is what execve makes of the configuration's sets");
    }
}

// ---- restrictions

void inspect_filter(const Subject& subject, Findings& findings) {
    bool asked = subject.config.linux_ && subject.config.linux_->seccomp;
    constexpr std::array<const char*, 3> modes{"none", "strict", "filter"};
    std::size_t mode = parse_unsigned(value_of(subject, "Seccomp"), modes.size() - 1).value_or(0);
    findings.compare("seccomp", asked ? "filter" : "none", modes.at(mode),
                     asked ? "" : "an outer container or the program itself has set it");
    std::string count = value_of(subject, "Seccomp_filters"); // Linux >= 5.9
    if (!count.empty()) {
        findings.show("seccomp filters", printable(count));
    }
}

void inspect_labels(const Subject& subject, Findings& findings) {
    const spec::Process& process = *subject.config.process;
    const auto read = [&](const char* name) -> std::optional<std::string> {
        sys::Fd file;
        if (sys::try_open_at(subject.directory, name, O_RDONLY, 0, file) != 0) {
            return std::nullopt;
        }
        try {
            return sys::read_all(file.get(), std::size_t{64} << 10, name);
        } catch (const Error&) { // catch: a module that is not enabled answers EINVAL
            return std::nullopt;
        }
    };
    std::optional<std::string> apparmor = read("attr/apparmor/current");
    std::string found = apparmor ? printable(host::parse_apparmor_label(*apparmor)) : "none";
    if (process.apparmor_profile.empty()) {
        findings.show("AppArmor", found);
    } else { // "OUTER//&NAME" where it is stacked
        std::string asked = printable(process.apparmor_profile);
        findings.compare("AppArmor", asked, found.ends_with("//&" + asked) ? asked : found);
    }
    if (!process.selinux_label.empty()) {
        std::string label = read("attr/current").value_or("none");
        findings.compare("SELinux", printable(process.selinux_label),
                         printable(label.substr(0, label.find_first_of(std::string("\0\n", 2)))));
    }
}

// ---- limits

std::string name_limit(std::uint64_t value) {
    return value == UINT64_MAX ? "unlimited" : std::to_string(value);
}

/// "SOFT HARD" by the kernel's name of the limit, which has blanks.
std::string find_limit(const std::string& text, std::string_view name) {
    for (std::string_view line : split(text, '\n')) {
        if (!line.starts_with(name)) {
            continue;
        }
        std::vector<std::string> words;
        for (std::string_view word : split(line.substr(name.size()), ' ')) {
            if (!word.empty() && words.size() < 2) {
                words.emplace_back(word);
            }
        }
        return join(words, " ");
    }
    return "not there";
}

/// Source: lnames in Linux fs/proc/base.c, by the number of the limit.
void inspect_limits(const Subject& subject, Findings& findings) {
    constexpr std::array<std::string_view, 16> names{
        "Max cpu time",       "Max file size",     "Max data size",         "Max stack size",
        "Max core file size", "Max resident set",  "Max processes",         "Max open files",
        "Max locked memory",  "Max address space", "Max file locks",        "Max pending signals",
        "Max msgqueue size",  "Max nice priority", "Max realtime priority", "Max realtime timeout"};
    std::string text = read_process_file(subject, "limits");
    for (std::size_t number = 0; number < names.size(); ++number) {
        std::string name = rlimit_name(static_cast<int>(number));
        std::string found = find_limit(text, names.at(number));
        const spec::Rlimit* asked = nullptr;
        for (const spec::Rlimit& limit : subject.config.process->rlimits) {
            asked = find_rlimit(limit.type) == static_cast<int>(number) ? &limit : asked;
        }
        if (asked == nullptr) {
            findings.show(name, found);
        } else {
            findings.compare(name, name_limit(asked->soft) + " " + name_limit(asked->hard), found);
        }
    }
}

void inspect_oom_score(const Subject& subject, Findings& findings) {
    std::string text = read_process_file(subject, "oom_score_adj");
    std::string found = text.substr(0, text.find('\n'));
    const std::optional<std::int32_t>& asked = subject.config.process->oom_score_adj;
    if (asked) {
        findings.compare("oom_score_adj", std::to_string(*asked), found);
    } else {
        findings.show("oom_score_adj", found);
    }
}

void inspect_core_scheduling(const Subject& subject, Findings& findings) {
    const std::string name = "core scheduling";
    const auto asked =
        subject.config.annotations.find(std::string(spec::core_scheduling_annotation));
    bool wanted = asked != subject.config.annotations.end() && asked->second == "true";
    std::uint64_t cookie = 0;
    int errnum = sys::try_get_core_cookie(subject.found.record.pid, cookie);
    if (errnum == 0) {
        findings.compare(name, wanted ? "a cookie" : "none", cookie != 0 ? "a cookie" : "none");
        return;
    }
    bool absent = errnum == ENODEV || errnum == EINVAL; // no SMT, or not built in
    if (absent && !wanted) {
        findings.show(name, "not on this host");
        return;
    }
    findings.add({name, wanted ? "a cookie" : "", "", Match::unreadable, describe_errno(errnum)});
}

} // namespace

void inspect_process(const Subject& subject, Findings& findings) {
    findings.show("program", printable(value_of(subject, "Name")));
    if (!subject.executed || !subject.config.process) {
        findings.add({"process", "", "", Match::unreadable,
                      "the program has not been executed yet: see it after start"});
        return;
    }
    inspect_ids(subject, findings);
    findings.attempt("capabilities", [&] { inspect_capabilities(subject, findings); });
    findings.compare("no_new_privs", subject.config.process->no_new_privileges ? "yes" : "no",
                     value_of(subject, "NoNewPrivs") == "1" ? "yes" : "no");
    inspect_filter(subject, findings);
    inspect_labels(subject, findings);
    findings.attempt("limits", [&] { inspect_limits(subject, findings); });
    findings.attempt("oom_score_adj", [&] { inspect_oom_score(subject, findings); });
    inspect_core_scheduling(subject, findings);
}

} // namespace coracle::container
