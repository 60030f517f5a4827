#include "cgroup_private.h"
#include "coracle/base/error.h"
#include "coracle/sys/file.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "stats_private.h"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace coracle::container {

namespace {

using Clock = std::chrono::steady_clock;

std::uint64_t oom_kills(const cgroup::Directory& cgroup) {
    return cgroup.read_keys("memory.events")["oom_kill"];
}

/// What wakes the stream: the end of init, a change of memory.events, the next statistics.
class Stream {
  public:
    Stream(const Found& found, const LivingCgroup& cgroup, const EventsOptions& options)
        : found_(found), cgroup_(cgroup.directory), options_(options),
          seen_(oom_kills(cgroup.directory)) {
        // Without the memory controller there are no such events.
        (void)sys::try_open_at(cgroup_.fd(), "memory.events", O_RDONLY, 0, memory_events_);
    }

    void run(const TakeLine& take);

  private:
    [[nodiscard]] bool wait(Clock::time_point until);
    void report_oom(const TakeLine& take);

    const Found& found_;
    const cgroup::Directory& cgroup_;
    const EventsOptions& options_;
    std::uint64_t seen_;
    sys::Fd memory_events_;
};

/// False if init has ended.
bool Stream::wait(Clock::time_point until) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    int pidfd = sys::exit_fd_of(found_.init.pidfd.get());
    std::array<struct pollfd, 2> entries{};
    entries[0] = {pidfd, POLLIN, 0};
    entries[1] = {memory_events_.get(), POLLPRI, 0};
    int ready = ::poll(entries.data(), entries.size(),
                       static_cast<int>(std::max<std::int64_t>(left.count() + 1, 0)));
    if (ready < 0 && errno != EINTR) {
        int saved = errno;
        throw_system(saved, "events: poll");
    }
    return !sys::wait_for_exit(found_.init.pidfd.get(), std::chrono::milliseconds(0));
}

void Stream::report_oom(const TakeLine& take) {
    std::uint64_t kills = oom_kills(cgroup_);
    for (; seen_ < kills; ++seen_) {
        take(spec::write_oom_event(found_.record.id));
    }
}

void Stream::run(const TakeLine& take) {
    sys::Fd proc = sys::open_proc();
    Clock::time_point next = Clock::now() + options_.interval;
    bool alive = true;
    while (alive) {
        if (memory_events_) { // poll(2) tells of changes since the last reading
            (void)::lseek(memory_events_.get(), 0, SEEK_SET);
            std::array<char, 512> buffer{};
            (void)!::read(memory_events_.get(), buffer.data(), buffer.size());
        }
        alive = wait(next);
        report_oom(take);
        if (alive && Clock::now() >= next) {
            take(spec::write_stats_event(found_.record.id,
                                         read_stats(cgroup_, proc.get(), found_.record.pid)));
            next += options_.interval;
        }
    }
}

} // namespace

void events(const Context& context, const std::string& id, const EventsOptions& options,
            const TakeLine& take) {
    Found found = require_container(context, id);
    LivingCgroup cgroup = require_cgroup(found, "events");
    if (!options.once) {
        Stream(found, cgroup, options).run(take);
        return;
    }
    sys::Fd proc = sys::open_proc();
    spec::Stats stats = read_stats(cgroup.directory, proc.get(), found.record.pid);
    take(options.openmetrics ? spec::write_openmetrics(id, stats)
                             : spec::write_stats_event(id, stats));
}

} // namespace coracle::container
