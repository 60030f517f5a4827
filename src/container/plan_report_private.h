#pragma once

#include "coracle/spec/reports.h"
#include "creation_private.h"

#include <string>
#include <string_view>

namespace coracle::container {

/// The steps of a plan while it is found out how each would go. Of two answers the worse counts.
class Forecast {
  public:
    explicit Forecast(std::vector<spec::PlanStep>& steps) : steps_(steps) {}
    /// The first step of `part` that starts with `text`, else a new one, is `outlook` because of
    /// `why`.
    void mark(std::string_view part, const std::string& text, spec::Outlook outlook,
              const std::string& why);

  private:
    std::vector<spec::PlanStep>& steps_;
};

/// Tries and looks up what the plan needs of this host: namespaces, id maps, filesystems, sources,
/// devices, controllers, hooks, the program. Changes nothing. Runs in: parent. Throws: system.
void check_plan(const Decision& decision, int proc_fd, Forecast& forecast);

/// Each step of the decision, and how it would go. Runs in: parent. Throws: as check_plan.
[[nodiscard]] spec::PlanReport make_plan_report(const Decision& decision, int proc_fd);

/// The cgroup whose controllers a container of the caller can get, below the mount point: that of
/// the user's manager for a scope of the user's systemd, else `parent`.
[[nodiscard]] std::string controllers_from(plan::BusKind bus, int proc_fd,
                                           const std::string& parent);

} // namespace coracle::container
