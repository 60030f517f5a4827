#include "coracle/launch/trial.h"

#include "coracle/base/error.h"
#include "coracle/base/exception.h"
#include "coracle/base/text.h"
#include "coracle/rootfs/rootfs.h"
#include "coracle/sys/file.h"
#include "coracle/sys/mount.h"
#include "coracle/sys/namespace.h"
#include "coracle/sys/process.h"
#include "id_map_private.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <unistd.h>

namespace coracle::launch {

namespace {

using sys::Fd;

constexpr std::size_t max_report = std::size_t{1} << 20;
constexpr const char* needs_maps = "\n"; // no report starts so

/// What the child says of its steps: "STEP\tERRNO\tTEXT\n" each.
class Report {
  public:
    explicit Report(int fd) : fd_(fd) {}
    void add(const std::string& step, int errnum, const std::string& text) const {
        sys::write_all(fd_, step + "\t" + std::to_string(errnum) + "\t" + clean(text) + "\n",
                       "the report");
    }

  private:
    static std::string clean(std::string text) {
        std::replace_if(
            text.begin(), text.end(), [](char c) { return c == '\t' || c == '\n'; }, ' ');
        return text;
    }
    int fd_;
};

std::vector<RefusedStep> parse_report(const std::string& text) {
    std::vector<RefusedStep> refused;
    for (std::string_view line : split(text, '\n')) {
        std::vector<std::string_view> fields = split(line, '\t');
        if (fields.size() == 3) {
            int errnum = static_cast<int>(parse_unsigned(fields[1], INT32_MAX).value_or(0));
            refused.push_back({std::string(fields[0]), errnum, std::string(fields[2])});
        }
    }
    return refused;
}

bool joins(const plan::LaunchPlan& plan) {
    return std::any_of(plan.namespaces.begin(), plan.namespaces.end(),
                       [](const plan::NamespacePlan& entry) { return !entry.path.empty(); });
}

std::uint64_t new_flags_but_user(const plan::LaunchPlan& plan) {
    std::uint64_t flags = 0;
    for (const plan::NamespacePlan& entry : plan.namespaces) {
        bool wanted = entry.path.empty() && entry.kind != NamespaceKind::user;
        flags |= wanted ? clone_flag_of(entry.kind) : 0;
    }
    return flags;
}

void try_mount(const plan::MountStep& step, const Report& report) {
    const plan::NewFilesystem* made = std::get_if<plan::NewFilesystem>(&step.what);
    if (made == nullptr || made->type == "overlay") {
        return;
    }
    sys::FilesystemRequest request;
    request.type = made->type;
    request.source = made->source;
    request.options = made->data;
    request.superblock_flags = made->superblock_flags;
    Fd tree;
    std::string detail;
    int errnum = sys::try_make_filesystem(request, tree, detail);
    if (errnum == 0) {
        return;
    }
    std::string why = errnum == EPERM && made->type == "proc" ? rootfs::explain_refused_proc() : "";
    report.add(step.name, errnum,
               made->type + ": " + detail + ": " + describe_errno(errnum) +
                   (why.empty() ? "" : " (" + why + ")"));
}

/// A new pid namespace is for children only, and procfs needs it.
void try_mounts(const plan::LaunchPlan& plan, const Report& report) {
    pid_t child = sys::clone_process();
    if (child != 0) {
        (void)sys::wait_for_child(child);
        return;
    }
    sys::set_parent_death_signal();
    try {
        for (const plan::MountStep& step : plan.init.rootfs.mounts) {
            try_mount(step, report);
        }
    } catch (const Error& error) { // catch: into the report
        report.add("mounts", error.errnum(), error.text());
    }
    ::_exit(0);
}

void run_steps(const plan::LaunchPlan& plan, int answers, int requests) {
    Report report(answers);
    try {
        if (plan.user_namespace == plan::UserNamespace::made) {
            sys::unshare_namespaces(clone_flag_of(NamespaceKind::user));
            sys::write_all(answers, needs_maps, "the report");
            std::array<char, 1> go{};
            if (::read(requests, go.data(), go.size()) != 1) {
                return; // the maps were refused, as the parent knows
            }
            (void)sys::become_root_or(plan.init.process.uid, plan.init.process.gid);
            sys::set_parent_death_signal();
        }
        sys::unshare_namespaces(new_flags_but_user(plan));
    } catch (const Error& error) { // catch: into the report
        report.add("namespaces", error.errnum(), error.text());
        return;
    }
    if (!joins(plan)) {
        try_mounts(plan, report);
    }
}

[[noreturn]] void run_trial(const plan::LaunchPlan& plan, int answers, int requests) noexcept {
    try {
        sys::set_parent_death_signal();
        sys::set_process_name("coracle:trial");
        run_steps(plan, answers, requests);
        ::_exit(0);
    } catch (const std::exception&) { // catch: a role's edge
        ::_exit(1);
    }
}

/// False, with the reason in `refused`, if the maps could not be written.
bool give_maps(const plan::LaunchPlan& plan, int proc_fd, pid_t child,
               std::vector<RefusedStep>& refused) {
    try {
        write_id_maps(plan.id_map, proc_fd, child);
        return true;
    } catch (const Error& error) { // catch: what was to be found out
        refused.push_back({"id map", error.errnum(), error.text()});
        return false;
    }
}

} // namespace

std::vector<RefusedStep> try_steps(const plan::LaunchPlan& plan, int proc_fd) {
    if (plan.user_namespace == plan::UserNamespace::joined) {
        return {};
    }
    sys::Pipe answers = sys::make_pipe();
    sys::Pipe requests = sys::make_pipe();
    pid_t child = sys::clone_process();
    if (child == 0) {
        requests.writer.reset();
        run_trial(plan, answers.writer.get(), requests.reader.get());
    }
    answers.writer.reset();
    requests.reader.reset();
    std::vector<RefusedStep> refused;
    std::array<char, 1> first{};
    std::string text;
    if (::read(answers.reader.get(), first.data(), first.size()) == 1) {
        if (first[0] != *needs_maps) {
            text = first[0];
        } else if (give_maps(plan, proc_fd, child, refused)) {
            sys::write_all(requests.writer.get(), "g", "the trial");
        }
        requests.writer.reset();
        text += sys::read_all(answers.reader.get(), max_report, "the report of a trial");
    }
    int status = sys::wait_for_child(child);
    for (RefusedStep& step : parse_report(text)) {
        refused.push_back(std::move(step));
    }
    if (status != 0 && refused.empty()) {
        refused.push_back({"namespaces", 0, "the trial " + sys::describe_wait_status(status)});
    }
    return refused;
}

} // namespace coracle::launch
