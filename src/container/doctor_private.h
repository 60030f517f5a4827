#pragma once

#include "context_private.h"
#include "coracle/host/facts.h"
#include "coracle/plan/launch_plan.h"
#include "coracle/spec/reports.h"

#include <string>
#include <vector>

/// The parts of `doctor`, a file each. Runs in: parent.
namespace coracle::container {

/// The findings, each by the name that --for asks for.
class Diagnosis {
  public:
    explicit Diagnosis(std::vector<spec::DoctorFinding>& findings) : findings_(findings) {}
    void ok(const std::string& name, const std::string& found);
    /// Consequence and cure of what is not ok.
    struct Advice {
        std::string consequence;
        std::string cure;
    };
    void missing(const std::string& name, const std::string& found, const Advice& advice);
    void broken(const std::string& name, const std::string& found, const Advice& advice);
    /// ok, or missing, or broken with the kernel's word for `errnum`.
    void judge(const std::string& name, int errnum, const Advice& advice);

  private:
    std::vector<spec::DoctorFinding>& findings_;
};

/// Namespaces, id maps and the filesystems of a container, as the launch would make them.
void examine_launch(int proc_fd, const host::Facts& facts, Diagnosis& diagnosis);
/// Calls of the kernel, cgroups, helpers.
void examine_kernel(int proc_fd, const host::Facts& facts, Diagnosis& diagnosis);
void examine_cgroups(int proc_fd, const host::Facts& facts, Diagnosis& diagnosis);
/// Settings of the host that concern containers, and no container needs.
void examine_posture(int proc_fd, Diagnosis& diagnosis);

} // namespace coracle::container
