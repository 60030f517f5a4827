#pragma once

#include "bundle_private.h"
#include "context_private.h"
#include "coracle/launch/launch.h"
#include "coracle/plan/make_launch_plan.h"
#include "coracle/sys/fd.h"

#include <cstdint>
#include <optional>
#include <string>

namespace coracle::container {

/// How long the caller stays.
enum class Caller { leaves, stays_until_end };

/// A decided container: nothing has been changed yet.
struct Decision {
    Bundle bundle;
    plan::LaunchPlan plan;
    bool notifies = false; ///< the payload has a socket for its notifications
};
/// How a container is to be started.
struct Manner {
    plan::GateKind gate{};
    Caller caller{};
    plan::Explain explain{};
};
/// Of a run in the foreground.
inline constexpr Manner attended_run{plan::GateKind::channel, Caller::stays_until_end,
                                     plan::Explain::nothing};
/// Of `run`. Throws: usage, if the options contradict each other.
[[nodiscard]] Manner manner_of(const RunOptions& options);

[[nodiscard]] Decision decide(const Context& context, const CreateOptions& options,
                              const Manner& manner, int proc_fd);
/// The same of a bundle that is at hand.
[[nodiscard]] Decision decide(const Context& context, const CreateOptions& options, Bundle bundle,
                              const Manner& manner, int proc_fd);

/// A container being made. Until keep() is called, its destruction takes everything away: the
/// processes, the pid file, the state directory.
class Creation {
  public:
    Creation(const Context& context, const CreateOptions& options, const Decision& decision,
             int proc_fd);
    Creation(const Creation&) = delete;
    Creation& operator=(const Creation&) = delete;
    Creation(Creation&&) = delete;
    Creation& operator=(Creation&&) = delete;
    ~Creation();

    /// Init waits to be started, the record and the pid file are written, and init does not depend
    /// on this process any more. With GateKind::socket the record's copy is written too, else start
    /// does it.
    void bring_up();
    /// GateKind::channel: the payload has been executed, and the poststart hooks have run.
    /// `take_listener`: in place of the agent of the configuration.
    void start(const launch::TakeListener& take_listener = {});
    /// The container stays.
    void keep() noexcept { kept_ = true; }

    [[nodiscard]] pid_t pid() const noexcept { return launch_->pid(); }
    [[nodiscard]] int pidfd() const noexcept { return launch_->pidfd(); }
    [[nodiscard]] sys::Fd take_console() noexcept { return launch_->take_console(); }
    /// Where the payload's notifications come to; empty without Decision::notifies, and with
    /// GateKind::socket, when init holds it. From bring_up on, once.
    [[nodiscard]] sys::Fd take_notify_socket() noexcept { return std::move(notify_); }
    /// Others may kill and delete the container from here on.
    void unlock() const noexcept { dir_.unlock(); }

  private:
    [[nodiscard]] spec::Record make_record() const;
    [[nodiscard]] spec::Record make_created_record() const;
    void find_start_time();
    void bring_up_init();
    void require_strict() const;
    void write_pid_file();
    void hand_over_fds();

    const CreateOptions& options_;
    const Decision& decision_;
    int proc_fd_;
    sys::Fd console_socket_;
    sys::Fd pidfd_socket_;
    sys::Fd pidfd_receiver_;
    ContainerDir dir_;
    spec::Record record_;
    std::optional<std::uint64_t> start_time_; ///< of init
    sys::Fd gate_;
    sys::Fd notify_;
    std::unique_ptr<launch::Launch> launch_;
    bool pid_file_written_ = false;
    bool kept_ = false;
};

} // namespace coracle::container
