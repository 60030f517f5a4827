#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "doctor_private.h"

#include <algorithm>
#include <array>
#include <fcntl.h>

namespace coracle::container {

namespace {

/// A file below /proc; nothing if it is not there, or not for the caller.
std::optional<std::string> find_text(int proc_fd, const std::string& path) {
    sys::Fd file;
    if (sys::try_open_at(proc_fd, path, O_RDONLY | O_NONBLOCK, 0, file) != 0) {
        return std::nullopt;
    }
    try {
        return sys::read_all(file.get(), std::size_t{1} << 20, path);
    } catch (const Error&) { // catch: a setting that cannot be read is not judged
        return std::nullopt;
    }
}

/// A setting that weakens every container of the host while it has the value `weak`.
struct Setting {
    const char* name; ///< as sysctl(8) has it
    const char* weak;
    const char* consequence;
    const char* better;
};

constexpr std::array<Setting, 9> settings{{
    {"kernel.unprivileged_bpf_disabled", "0", "plain users may load eBPF programs", "2"},
    {"dev.tty.legacy_tiocsti", "1", "a program may type into the terminal that it shares", "0"},
    {"fs.protected_symlinks", "0", "links in /tmp are followed for others", "1"},
    {"fs.protected_hardlinks", "0", "plain users may link to files of others", "1"},
    {"fs.protected_fifos", "0", "FIFOs of others in /tmp are opened", "2"},
    {"fs.protected_regular", "0", "files of others in /tmp are opened", "2"},
    {"kernel.dmesg_restrict", "0", "containers read the kernel's log, with its addresses", "1"},
    {"kernel.kptr_restrict", "0", "addresses of the kernel are shown", "1"},
    {"kernel.io_uring_disabled", "0", "io_uring, with its history of bugs, is open to containers",
     "1"},
}};

void examine_setting(int proc_fd, const Setting& setting, Diagnosis& diagnosis) {
    std::string path = setting.name;
    std::replace(path.begin(), path.end(), '.', '/');
    std::optional<std::string> text = find_text(proc_fd, "sys/" + path);
    if (!text) {
        return; // a kernel without it does not have the weakness to set right either
    }
    std::string value = printable(text->substr(0, text->find('\n')));
    std::string name = std::string("posture ") + setting.name;
    if (value != setting.weak) {
        diagnosis.ok(name, value);
        return;
    }
    diagnosis.broken(
        name, value,
        {setting.consequence, std::string("sysctl -w ") + setting.name + "=" + setting.better});
}

} // namespace

void examine_posture(int proc_fd, Diagnosis& diagnosis) {
    for (const Setting& setting : settings) {
        examine_setting(proc_fd, setting, diagnosis);
    }
    std::string pattern = find_text(proc_fd, "sys/kernel/core_pattern").value_or("");
    pattern = printable(pattern.substr(0, pattern.find('\n')));
    if (pattern.starts_with('|')) {
        diagnosis.broken("posture kernel.core_pattern", pattern,
                         {"a crash in a container runs this program on the host, as root",
                          "sysctl -w kernel.core_pattern=core, or keep that program up to date"});
    } else {
        diagnosis.ok("posture kernel.core_pattern", pattern);
    }
    std::string swaps = find_text(proc_fd, "swaps").value_or("");
    if (std::count(swaps.begin(), swaps.end(), '\n') > 1) {
        diagnosis.broken(
            "posture swap", "on",
            {"what containers keep in memory may get to a disk", "swapoff -a, or encrypt it"});
    } else {
        diagnosis.ok("posture swap", "off");
    }
    std::string modules = "\n" + find_text(proc_fd, "modules").value_or("");
    if (modules.find("\naf_alg ") != std::string::npos) {
        diagnosis.broken("posture af_alg", "loaded",
                         {"ciphers of the kernel are open to containers",
                          "rmmod af_alg; echo install af_alg /bin/false "
                          ">/etc/modprobe.d/af_alg.conf"});
    } else {
        diagnosis.ok("posture af_alg", "not loaded");
    }
}

} // namespace coracle::container
