#include "coracle/security/landlock.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"
#include "coracle/sys/landlock.h"
#include "coracle/sys/rooted_path.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

namespace coracle::security {

namespace {

[[noreturn]] void throw_rule(int errnum, const std::string& what, const char* why = "") {
    throw_system(errnum, "/annotations/org.coracle.landlock: " + what, why);
}

void allow_path(const plan::LandlockPlan& plan, const plan::LandlockPath& entry, int root_fd,
                int ruleset) {
    sys::Fd path;
    int errnum = sys::try_open_in_root(root_fd, entry.path, O_PATH, sys::Symlinks::refuse, path);
    if (errnum != 0) {
        throw_rule(errnum, "open " + printable(entry.path),
                   errnum == ELOOP ? "no symbolic link may be in it: name what it leads to" : "");
    }
    bool directory = S_ISDIR(sys::stat_of(path.get(), entry.path).st_mode);
    std::uint64_t rights = directory ? entry.rights : entry.rights & plan.file_rights;
    errnum = sys::try_allow_path(ruleset, path.get(), rights);
    if (errnum != 0) {
        throw_rule(errnum, "add a rule for " + printable(entry.path));
    }
}

} // namespace

sys::Fd make_landlock_ruleset(const plan::LandlockPlan& plan, int root_fd) {
    sys::Fd ruleset = sys::make_landlock_ruleset({plan.handled_fs, plan.handled_net, plan.scoped});
    for (const plan::LandlockPath& entry : plan.paths) {
        allow_path(plan, entry, root_fd, ruleset.get());
    }
    for (const plan::LandlockPort& entry : plan.ports) {
        int errnum = sys::try_allow_port(ruleset.get(), entry.port, entry.rights);
        if (errnum != 0) {
            throw_rule(errnum, "add a rule for port " + std::to_string(entry.port),
                       errnum == EAFNOSUPPORT ? "this kernel has no TCP" : "");
        }
    }
    return ruleset;
}

} // namespace coracle::security
