#include "coracle/cgroup/limits.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"

#include <algorithm>
#include <cerrno>

namespace coracle::cgroup {

namespace {

using plan::CgroupWrite;

bool has_word(const std::string& text, const std::string& word) {
    std::string line = text.substr(0, text.find('\n'));
    std::vector<std::string_view> words = split(line, ' ');
    return std::find(words.begin(), words.end(), word) != words.end();
}

std::string controller_of(const std::string& file) {
    return file.substr(0, file.find('.'));
}

/// Why there is no such file, and who can change that.
std::string explain_missing(const Directory& cgroup, const std::string& file,
                            const LimitRules& rules) {
    std::string controller = controller_of(file);
    std::optional<std::string> controllers = cgroup.find_text("cgroup.controllers");
    if (!controllers) {
        return "the cgroup is gone";
    }
    if (has_word(*controllers, controller)) {
        return "this kernel has no " + file;
    }
    if (cgroup.find_text("cgroup.type").value_or("").starts_with("threaded")) {
        return "the cgroup is threaded";
    }
    return "the requested cgroup controller `" + controller +
           "` is not available: the cgroup has only \"" +
           printable(controllers->substr(0, controllers->find('\n'))) + "\"" +
           (rules.delegated_from.empty() ? "" : "; " + rules.delegated_from);
}

/// What the kernel means by the errors that it has many reasons for.
std::string explain_refused(int errnum, const CgroupWrite& write) {
    switch (errnum) {
    case EINVAL:
    case ERANGE:
        return "the kernel does not take this value" +
               std::string(write.file == "cpu.max" ? ": quota and period are 1000 µs at least"
                                                   : "");
    case ENODEV:
        return "there is no such device";
    case EBUSY:
        return "processes of it use more than that";
    case EOPNOTSUPP:
        return write.other_file == "io.weight"
                   ? "nothing weighs the users of that disk: have it scheduled by BFQ, or put "
                     "\"MAJOR:MINOR enable=1\" into io.cost.qos of the root cgroup"
                   : "";
    case EACCES:
    case EPERM:
        return "the cgroup is not the caller's";
    default:
        return {};
    }
}

class LimitWriter {
  public:
    LimitWriter(const Directory& cgroup, const LimitRules& rules)
        : cgroup_(cgroup), rules_(rules) {}

    void write(const CgroupWrite& write);
    std::vector<plan::Degradation> take() { return std::move(degraded_); }

  private:
    [[nodiscard]] bool exists(const std::string& file) const {
        return cgroup_.find_text(file).has_value();
    }
    /// The kernel answers EACCES where a file is missing and may not be made, too, and EOPNOTSUPP
    /// for a device that another file is for.
    [[nodiscard]] bool is_elsewhere(const std::string& file, int errnum) const {
        return errnum == EOPNOTSUPP || ((errnum == ENOENT || errnum == EACCES) && !exists(file));
    }
    void write_too(const CgroupWrite& write);
    void require_above(const CgroupWrite& write) const;
    void refuse(const CgroupWrite& write, const std::string& file, int errnum);

    const Directory& cgroup_;
    const LimitRules& rules_;
    std::vector<plan::Degradation> degraded_;
};

void LimitWriter::require_above(const CgroupWrite& write) const {
    std::optional<std::uint64_t> used = cgroup_.find_number(write.above);
    std::optional<std::uint64_t> limit = parse_unsigned(write.value, UINT64_MAX);
    if (used && limit && *used >= *limit) {
        throw_error(ErrorKind::wrong_state, write.member + ": " + write.value + " is not above " +
                                                write.above + ", which is " +
                                                std::to_string(*used) +
                                                " (checkBeforeUpdate); the limit stays as it was");
    }
}

void LimitWriter::refuse(const CgroupWrite& write, const std::string& file, int errnum) {
    bool missing = errnum == ENOENT || (errnum == EACCES && !exists(file));
    std::string why =
        missing ? explain_missing(cgroup_, file, rules_) : explain_refused(errnum, write);
    bool rights = missing || errnum == EACCES || errnum == EPERM;
    if (missing && write.missing == CgroupWrite::Missing::ignored) {
        return;
    }
    if ((missing && write.missing == CgroupWrite::Missing::degradation) ||
        (rights && rules_.lenient)) {
        degraded_.push_back({write.member, "not limited: " + why});
        return;
    }
    std::string object = write.member + ": write " + printable(write.value) + " to " +
                         printable(cgroup_.name() + "/" + file);
    if (missing) {
        // Without the kernel's words: podman takes "No such file or directory" for a missing
        // program.
        throw_error(ErrorKind::unsupported, object + ": " + why);
    }
    throw_system(errnum, object, why);
}

void LimitWriter::write(const CgroupWrite& write) {
    if (!write.above.empty()) {
        require_above(write);
    }
    int errnum = cgroup_.try_write(write.file, write.value);
    if (errnum == 0 && write.other == CgroupWrite::Other::too) {
        write_too(write);
    }
    if (errnum == 0 || write.may_be_early) {
        return;
    }
    if (write.other_file.empty() || !is_elsewhere(write.file, errnum)) {
        refuse(write, write.file, errnum);
        return;
    }
    errnum = cgroup_.try_write(write.other_file, write.other_value);
    if (errnum != 0) {
        refuse(write, write.other_file, errnum);
    }
}

void LimitWriter::write_too(const CgroupWrite& write) {
    int errnum = cgroup_.try_write(write.other_file, write.other_value);
    if (errnum != 0 && !is_elsewhere(write.other_file, errnum)) {
        refuse(write, write.other_file, errnum);
    }
}

} // namespace

std::string explain_delegation(const std::string& mount_point, plan::BusKind bus) {
    if (mount_point != "/sys/fs/cgroup") {
        return "cgroup v1 has it on this host: boot with systemd.unified_cgroup_hierarchy=1";
    }
    if (bus == plan::BusKind::user) {
        return "have it delegated to the users' managers: put \"[Service]\" and \"Delegate=cpu "
               "cpuset io memory pids\" into /etc/systemd/system/user@.service.d/delegate.conf, "
               "then systemctl daemon-reload, and log in again";
    }
    return "a cgroup above it does not pass it on, as one that has processes itself cannot: see "
           "its cgroup.subtree_control and, for a service, Delegate= in its unit";
}

std::vector<plan::Degradation> write_limits(const Directory& cgroup,
                                            const std::vector<CgroupWrite>& writes,
                                            const LimitRules& rules) {
    LimitWriter writer(cgroup, rules);
    for (const CgroupWrite& write : writes) {
        writer.write(write);
    }
    return writer.take();
}

void enable_controllers(const std::string& mount_point, const std::string& path,
                        const std::vector<std::string>& controllers) {
    std::size_t end = 0;
    do {
        std::optional<Directory> above =
            Directory::find(mount_point, end == 0 ? "/" : path.substr(0, end));
        if (!above) {
            return;
        }
        std::string there = above->find_text("cgroup.controllers").value_or("");
        std::string enabled = above->find_text("cgroup.subtree_control").value_or("");
        for (const std::string& controller : controllers) {
            if (has_word(there, controller) && !has_word(enabled, controller)) {
                // One by one: one that is refused (a real-time process, a process in the cgroup
                // itself) does not keep the others away.
                (void)above->try_write("cgroup.subtree_control", "+" + controller);
            }
        }
        end = path.find('/', end + 1);
    } while (end != std::string::npos);
}

} // namespace coracle::cgroup
