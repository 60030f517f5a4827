#include "rootfs_private.h"

#include "coracle/base/error.h"
#include "coracle/base/text.h"

#include <array>
#include <cerrno>
#include <sys/mount.h>
#include <sys/statvfs.h>

namespace coracle::rootfs {

namespace {

struct AttributeWord {
    std::uint64_t attribute;
    unsigned long flag; ///< ST_* of statvfs(3)
    const char* set;
    const char* clear;
};
constexpr std::array<AttributeWord, 4> lockable{{
    {MOUNT_ATTR_RDONLY, ST_RDONLY, "ro", "rw"},
    {MOUNT_ATTR_NOSUID, ST_NOSUID, "nosuid", "suid"},
    {MOUNT_ATTR_NODEV, ST_NODEV, "nodev", "dev"},
    {MOUNT_ATTR_NOEXEC, ST_NOEXEC, "noexec", "exec"},
}};

/// Which option met a flag that an outer user namespace has locked.
/// Source: mount_namespaces(7), "Restrictions on mount namespaces".
std::string explain_locked(int tree, const plan::AttributeChange& change, sys::TreeDepth depth) {
    struct statvfs status {};
    bool known = ::fstatvfs(tree, &status) == 0;
    for (const AttributeWord& word : lockable) {
        bool is_there = known && (status.f_flag & word.flag) != 0;
        if ((change.clear & word.attribute) != 0 && is_there) {
            return std::string("option ") + word.clear + ": the source is mounted " + word.set +
                   ", which an outer user namespace has locked: remove the option, or mount the "
                   "source without " +
                   word.set;
        }
    }
    constexpr std::uint64_t times = MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME;
    if (((change.set | change.clear) & times) != 0) {
        return "an outer user namespace has locked how access times are kept: remove the options "
               "about atime, or give them to the mount of the source";
    }
    return std::string("a flag is locked by an outer user namespace") +
           (depth == sys::TreeDepth::recursive ? " on a mount of the tree" : "");
}

} // namespace

void set_attributes(int tree, const plan::AttributeChange& change, sys::TreeDepth depth,
                    const std::string& name) {
    if (change.empty()) {
        return;
    }
    std::string place;
    int errnum = sys::try_set_attributes(tree, {change.set, change.clear, 0}, depth, place);
    if (errnum == EPERM) {
        throw_system(errnum, explain_locked(tree, change, depth));
    }
    if (errnum != 0) {
        sys::throw_attributes_error(errnum, tree, place, name);
    }
}

void set_propagation(int tree, const plan::MountStep& step) {
    sys::AttributeRequest request;
    request.propagation = step.propagation;
    sys::set_attributes(tree, request,
                        step.propagation_recursive ? sys::TreeDepth::recursive
                                                   : sys::TreeDepth::single,
                        step.destination);
}

} // namespace coracle::rootfs
