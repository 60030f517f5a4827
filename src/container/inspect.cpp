#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/host/container_facts.h"
#include "coracle/spec/config_json.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "inspect_private.h"

#include <algorithm>
#include <fcntl.h>

namespace coracle::container {

namespace {

using spec::InspectLine;
using spec::Match;

[[noreturn]] void throw_ended(const std::string& id) {
    throw_error(ErrorKind::wrong_state, "inspect: container with id " + id + " is not running");
}

std::map<std::string, std::string> parse_status(const std::string& text) {
    std::map<std::string, std::string> values;
    for (std::string_view line : split(text, '\n')) {
        std::size_t colon = line.find(":\t");
        if (colon != std::string_view::npos) {
            std::string_view value = line.substr(colon + 2);
            value = value.substr(0, value.find_last_not_of(" \t") + 1);
            // The first of a key: the kernel escapes newlines in the name, which is the payload's.
            values.try_emplace(std::string(line.substr(0, colon)), value);
        }
    }
    return values;
}

/// /proc/PID of init and no other process: a directory there goes on answering for the process that
/// it was opened for, which ended if the pidfd says so.
sys::Fd open_directory(const Found& found, int proc_fd) {
    sys::Fd directory = sys::open_at(proc_fd, std::to_string(found.record.pid),
                                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (sys::wait_for_exit(found.init.pidfd.get(), std::chrono::milliseconds(0))) {
        throw_ended(found.record.id);
    }
    return directory;
}

void add_degradations(const spec::Record& record, Findings& findings) {
    for (const std::string& text : record.degradations) {
        findings.add({"degradation", "", printable(text), Match::differs,
                      "known since the container was made"});
    }
}

} // namespace

void Findings::add(InspectLine line) {
    lines_.push_back(std::move(line));
}

void Findings::compare(const std::string& name, const std::string& asked, const std::string& found,
                       const std::string& why) {
    Match match = asked == found ? Match::equal : Match::differs;
    add({name, asked, found, match, match == Match::equal ? "" : why});
}

void Findings::show(const std::string& name, const std::string& found) {
    add({name, "", found, Match::equal, ""});
}

void Findings::attempt(const std::string& name, const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) { // catch: a line of the report
        add({name, "", "", Match::unreadable, error.text()});
    }
}

std::string read_process_file(const Subject& subject, const std::string& name) {
    constexpr std::size_t limit = std::size_t{64} << 20;
    sys::Fd file = sys::open_at(subject.directory, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    return sys::read_all(file.get(), limit, "/proc/PID/" + name);
}

spec::InspectReport inspect(const Context& context, const std::string& id) {
    Found found = require_container(context, id, StateRoot::Access::read);
    if (!is_alive(found.status)) {
        throw_ended(id);
    }
    sys::Fd proc = sys::open_proc();
    sys::Fd directory = open_directory(found, proc.get());
    spec::Config config = spec::parse_config(found.dir.load_config());
    host::ContainerFacts facts = host::detect_container_facts(proc.get(), directory.get());
    Subject subject{found, config, proc.get(), directory.get(), {}, false, false, {}, {}};
    subject.status = parse_status(read_process_file(subject, "status"));
    subject.executed = !found.dir.is_gate_waiting();
    subject.own_user_namespace =
        std::find(facts.foreign_namespaces.begin(), facts.foreign_namespaces.end(),
                  NamespaceKind::user) != facts.foreign_namespaces.end();
    subject.uid_map = facts.uid_map;
    subject.gid_map = facts.gid_map;

    spec::InspectReport report{id, found.record.pid, name_of(found.status), {}};
    Findings findings(report.lines);
    inspect_process(subject, findings);
    inspect_place(subject, findings);
    inspect_mounts(subject, findings);
    add_degradations(found.record, findings);
    if (sys::wait_for_exit(found.init.pidfd.get(), std::chrono::milliseconds(0))) {
        throw_ended(id);
    }
    return report;
}

} // namespace coracle::container
