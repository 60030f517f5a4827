#include "coracle/container/status.h"

#include "cgroup_private.h"
#include "coracle/base/error.h"
#include "coracle/container/state_dir.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"

#include <cerrno>

namespace coracle::container {

const char* name_of(Status status) noexcept {
    switch (status) {
    case Status::creating:
        return "creating";
    case Status::created:
        return "created";
    case Status::running:
        return "running";
    case Status::paused:
        return "paused";
    case Status::stopped:
        break;
    }
    return "stopped";
}

Status status_of(const spec::Record& record, const ProcessView& view) noexcept {
    if (record.pid == 0) {
        return view.creator_at_work ? Status::creating : Status::stopped;
    }
    if (!view.is_init) {
        return Status::stopped;
    }
    if (view.frozen) {
        return Status::paused;
    }
    return view.gate_waiting ? Status::created : Status::running;
}

bool is_alive(Status status) noexcept {
    return status == Status::created || status == Status::running || status == Status::paused;
}

namespace {

/// Whether `seen`, in the time namespace of this process, is the start `recorded`, which is in
/// terms of the initial one.
bool is_start(std::uint64_t seen, std::uint64_t recorded, int proc_fd) {
    if (seen == recorded) {
        return true;
    }
    std::int64_t offset = sys::find_boot_time_offset(proc_fd);
    std::uint64_t difference = seen - recorded - static_cast<std::uint64_t>(offset);
    return offset != 0 && difference + 1 <= 2; // one tick either way, by rounding
}

} // namespace

LiveInit find_init(const spec::Record& record, int proc_fd) {
    LiveInit init;
    if (record.pid == 0 || record.boot_id != sys::read_boot_id(proc_fd)) {
        return init;
    }
    int errnum = sys::try_open_pidfd(record.pid, init.pidfd);
    // EINVAL, or ENOENT from Linux 6.13: the number is a thread's by now.
    if (errnum == ESRCH || errnum == EINVAL || errnum == ENOENT) {
        return init;
    }
    if (errnum != 0) {
        throw_system(errnum, "open a pidfd of process " + std::to_string(record.pid));
    }
    std::optional<sys::ProcessStat> stat = sys::find_process_stat(proc_fd, record.pid);
    bool same = stat && is_start(stat->start_time, record.start_time, proc_fd);
    // Not the state Z: a leader that has left its other threads behind is one too.
    bool ended = !stat || sys::wait_for_exit(init.pidfd.get(), std::chrono::milliseconds(0));
    if (!same || ended) {
        init.pidfd.reset();
    }
    return init;
}

Status detect_status(const ContainerDir& dir, const spec::Record& record, const LiveInit& init) {
    ProcessView view;
    view.is_init = static_cast<bool>(init.pidfd);
    if (record.pid == 0) {
        view.creator_at_work = dir.is_locked_by_another();
    }
    if (view.is_init) {
        view.gate_waiting = dir.is_gate_waiting();
        view.frozen = is_paused(record);
    }
    return status_of(record, view);
}

} // namespace coracle::container
