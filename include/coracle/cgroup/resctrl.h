#pragma once

#include "coracle/plan/launch_plan.h"

#include <string>
#include <sys/types.h>
#include <vector>

/// The groups of resctrl, the kernel's interface to Intel RDT and its like.
/// Source: runtime-spec config-linux.md#intelrdt; Linux Documentation/filesystems/resctrl.rst.
namespace coracle::cgroup {

/// The group of linux.intelRdt with the container's first process in it. Until keep() is called its
/// destruction takes away what it has made.
/// Runs in: parent, while init waits.
class Resctrl {
  public:
    Resctrl() = default;
    Resctrl(const Resctrl&) = delete;
    Resctrl& operator=(const Resctrl&) = delete;
    Resctrl(Resctrl&&) = delete;
    Resctrl& operator=(Resctrl&&) = delete;
    ~Resctrl();

    /// Throws: system, naming the directory or the line of schemata and what the kernel says of it;
    /// invalid_config if a group that is there has another schema.
    void apply(const plan::ResctrlPlan& plan, pid_t pid);
    void keep() noexcept { made_.clear(); }

  private:
    void make_group(const plan::ResctrlPlan& plan, const std::string& directory);
    std::vector<std::string> made_; ///< absolute, in the order of making
};

/// Whether each "ID=MASK" of `wanted` ("L3:0=f;1=f0") stands in the text of a schemata file; masks
/// are hexadecimal numbers for cache resources, and equal as such.
[[nodiscard]] bool has_schema(const std::string& schemata, const std::string& wanted);

/// Removes directories below the mount point of resctrl, "" if it is not mounted; what is gone
/// already is no error. Runs in: parent of delete. Throws: system, naming the directory.
void remove_resctrl_groups(const std::string& mount_point, const std::vector<std::string>& groups);

} // namespace coracle::cgroup
