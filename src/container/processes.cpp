#include "cgroup_private.h"
#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/spec/config_json.h"
#include "coracle/sys/file.h"
#include "coracle/sys/namespace.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "coracle/sys/program.h"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace coracle::container {

namespace {

/// The column that the heading calls PID; nothing if there is none.
std::optional<std::size_t> find_pid_column(std::string_view heading) {
    std::size_t column = 0;
    for (std::string_view word : split(heading, ' ')) {
        if (word == "PID") {
            return column;
        }
        column += word.empty() ? 0 : 1;
    }
    return std::nullopt;
}

std::optional<std::uint64_t> find_pid(std::string_view line, std::size_t column) {
    for (std::string_view word : split(line, ' ')) {
        if (word.empty()) {
            continue;
        }
        if (column == 0) {
            return parse_unsigned(word, INT32_MAX);
        }
        --column;
    }
    return std::nullopt;
}

std::string find_ps() {
    std::string path = sys::find_program("ps", "/usr/bin:/bin");
    if (!path.empty()) {
        return path;
    }
    throw_error(ErrorKind::unsupported, "ps: no ps(1) on this host: install procps, or give "
                                        "--format json");
}

bool has_own_pid_namespace(const Found& found) {
    const spec::Config config = spec::parse_config(found.dir.load_config());
    return config.linux_ &&
           std::any_of(config.linux_->namespaces.begin(), config.linux_->namespaces.end(),
                       [](const spec::Namespace& entry) {
                           return entry.type == "pid" && entry.path.empty();
                       });
}

} // namespace

std::vector<int> processes(const Context& context, const std::string& id) {
    Found found = require_container(context, id);
    if (std::optional<LivingCgroup> cgroup = find_cgroup(found, "ps")) {
        return cgroup->directory.processes();
    }
    if (!has_own_pid_namespace(found)) { // others may be in it
        return require_cgroup(found, "ps").directory.processes();
    }
    sys::Fd proc = sys::open_proc();
    sys::Fd space = sys::open_at(proc.get(), sys::proc_path(found.record.pid, "ns/pid"), O_RDONLY);
    if (sys::wait_for_exit(found.init.pidfd.get(), std::chrono::milliseconds(0))) {
        throw_error(ErrorKind::wrong_state, "ps: container with id " + id + " is not running");
    }
    return sys::find_processes_in(proc.get(), space.get());
}

std::string process_table(const Context& context, const std::string& id,
                          const std::vector<std::string>& arguments) {
    std::vector<int> pids = processes(context, id);
    sys::ProgramCall call;
    call.path = find_ps();
    call.argv = {"ps"};
    if (arguments.empty()) {
        call.argv.emplace_back("-ef");
    }
    call.argv.insert(call.argv.end(), arguments.begin(), arguments.end());
    const char* columns = std::getenv("COLUMNS");
    call.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8",
                        std::string("COLUMNS=") + (columns != nullptr ? columns : "512")};
    sys::Fd table_file; // a host may have many processes
    int errnum = sys::try_make_memory_file("coracle-ps", table_file);
    if (errnum != 0) {
        throw_system(errnum, "ps: memfd_create");
    }
    call.output = table_file.get();
    sys::ProgramResult result = sys::run_program(call);
    if (result.status != 0) {
        throw_error(ErrorKind::system, "ps: " + printable(result.output));
    }
    (void)::lseek(table_file.get(), 0, SEEK_SET);
    constexpr std::size_t limit = std::size_t{256} << 20;
    std::string text = sys::read_all(table_file.get(), limit, "the output of ps");
    std::vector<std::string_view> lines = split(text, '\n');
    std::optional<std::size_t> column = find_pid_column(lines.front());
    if (!column) {
        throw_error(ErrorKind::usage, "ps: its output has no column PID: choose other options");
    }
    std::string table = std::string(lines.front()) + "\n";
    for (std::string_view line : lines) {
        std::optional<std::uint64_t> pid = find_pid(line, *column);
        if (pid && std::binary_search(pids.begin(), pids.end(), static_cast<int>(*pid))) {
            table += std::string(line) + "\n";
        }
    }
    return table;
}

spec::Resources load_resources(const std::string& path) {
    std::string text;
    if (path == "-") {
        text = sys::read_all(STDIN_FILENO, spec::max_document_bytes, "standard input");
    } else {
        sys::Fd file = sys::open_at(AT_FDCWD, path, O_RDONLY);
        text = sys::read_all(file.get(), spec::max_document_bytes, path);
    }
    return in_context([&] { return path == "-" ? std::string("standard input") : printable(path); },
                      [&] { return spec::parse_resources_document(text); });
}

} // namespace coracle::container
