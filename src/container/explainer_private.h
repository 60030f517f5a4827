#pragma once

#include "coracle/plan/launch_plan.h"
#include "coracle/security/seccomp.h"
#include "coracle/spec/config.h"
#include "coracle/sys/fd.h"
#include "coracle/sys/seccomp_listener.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace coracle::container {

/// What happens to a call: "allowed", "refused with EPERM".
[[nodiscard]] std::string describe_answer(std::uint32_t answer);

/// Answers for a filter that plan::make_explained has made: each call gets what the filter of the
/// configuration says, which is asked with the registers alone, and what is refused is counted.
/// Runs in: parent of a foreground run.
class Explainer {
  public:
    /// `config` has a filter; `proc_fd`: O_PATH of /proc, borrowed. Throws: invalid_config.
    Explainer(const spec::Config& config, int proc_fd);
    void take(sys::Fd listener) noexcept { listener_ = std::move(listener); }
    /// Readable when a call waits; -1 before take, and once nobody is under the filter any more.
    [[nodiscard]] int fd() const noexcept { return listener_.get(); }

    /// Answers every call that waits. Throws: system.
    void answer_waiting();
    /// Whether the filter would have killed this process, so that it got SIGKILL.
    [[nodiscard]] bool has_killed(pid_t pid) const { return killed_.count(pid) != 0; }

    /// One line for each call that was refused, and how; one if there was none.
    [[nodiscard]] std::vector<std::string> report() const;

  private:
    struct Seen {
        std::uint64_t times = 0;
        std::set<std::string> programs; ///< that made the call, as comm names them
    };

    void answer(const sys::SeccompNotification& notification);
    void kill(const sys::SeccompNotification& notification);
    [[nodiscard]] std::string find_program(pid_t pid) const;

    std::vector<std::uint8_t> filter_;
    int proc_fd_;
    sys::Fd listener_;
    std::map<std::pair<std::string, std::uint32_t>, Seen> refused_; ///< by call and answer
    std::set<pid_t> killed_;
};

} // namespace coracle::container
