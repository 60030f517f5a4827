#include "exec_process_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/spec/config_json.h"
#include "coracle/spec/validate.h"
#include "coracle/sys/file.h"

#include <algorithm>
#include <fcntl.h>

namespace coracle::container {

namespace {

/// Not only a regular file: managers may give /dev/fd/N.
spec::Process read_process(const std::string& path) {
    return in_context([&] { return "--process " + printable(path); },
                      [&] {
                          sys::Fd file = sys::open_at(AT_FDCWD, path, O_RDONLY | O_NOCTTY);
                          return spec::parse_process_document(
                              sys::read_all(file.get(), spec::max_document_bytes, path));
                      });
}

/// The new entry takes the place of those with its name.
void set_variable(std::vector<std::string>& env, const std::string& entry) {
    std::size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0) {
        throw_error(ErrorKind::usage, "--env " + printable(entry) + ": must be NAME=VALUE");
    }
    std::string_view name = std::string_view(entry).substr(0, equals + 1);
    env.erase(std::remove_if(env.begin(), env.end(),
                             [&](const std::string& old) { return old.starts_with(name); }),
              env.end());
    env.push_back(entry);
}

void append(std::vector<std::string>& set, const std::vector<std::string>& names) {
    set.insert(set.end(), names.begin(), names.end());
}

/// Never to the inheritable set: programs with inheritable file capabilities would gain them.
/// CVE-2022-29162.
void add_capabilities(spec::Process& process, const std::vector<std::string>& names) {
    if (names.empty()) {
        return;
    }
    if (!process.capabilities) {
        process.capabilities.emplace();
    }
    append(process.capabilities->bounding, names);
    append(process.capabilities->permitted, names);
    append(process.capabilities->effective, names);
}

void change_process(spec::Process& process, const ExecOptions& options) {
    process.args = options.args;
    process.terminal = false;
    if (!options.cwd.empty()) {
        process.cwd = options.cwd;
    }
    for (const std::string& entry : options.env) {
        set_variable(process.env, entry);
    }
    process.user.uid = options.uid.value_or(process.user.uid);
    process.user.gid = options.gid.value_or(process.user.gid);
    std::vector<std::uint32_t>& gids = process.user.additional_gids;
    gids.insert(gids.end(), options.additional_gids.begin(), options.additional_gids.end());
    add_capabilities(process, options.capabilities);
    process.no_new_privileges = process.no_new_privileges || options.no_new_privileges;
    if (!options.selinux_label.empty()) {
        process.selinux_label = options.selinux_label;
    }
    if (!options.apparmor_profile.empty()) {
        process.apparmor_profile = options.apparmor_profile;
    }
}

} // namespace

spec::Process make_exec_process(const std::optional<spec::Process>& of_container,
                                const ExecOptions& options) {
    if (options.process_file.empty() == options.args.empty()) {
        throw_error(ErrorKind::usage, options.args.empty()
                                          ? "exec: no command given: name the program to run, or "
                                            "give --process"
                                          : "exec: give a command or --process, not both");
    }
    spec::Process process;
    if (!options.process_file.empty()) {
        process = read_process(options.process_file);
    } else {
        process = of_container.value_or(spec::Process{});
        if (process.cwd.empty()) {
            process.cwd = "/";
        }
        change_process(process, options);
    }
    process.terminal = options.terminal.value_or(process.terminal);
    spec::validate_process(process);
    return process;
}

} // namespace coracle::container
