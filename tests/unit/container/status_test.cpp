#include "unit/sys/sys_support.h"

#include "coracle/container/state_dir.h"
#include "coracle/container/status.h"
#include "coracle/sys/process.h"
#include "coracle/sys/procfs.h"
#include "unit/container/container_support.h"

#include <csignal>
#include <pthread.h>
#include <sys/syscall.h>

using namespace coracle;
using namespace coracle::test;
using namespace coracle::container;
using sys::Fd;

namespace {

/// The record of a process that lives now.
spec::Record record_of(pid_t pid, int proc_fd) {
    spec::Record record = sample_record("c1");
    record.pid = pid;
    record.boot_id = sys::read_boot_id(proc_fd);
    record.start_time = sys::find_process_stat(proc_fd, pid)->start_time;
    return record;
}

} // namespace

TEST_CASE("status: computed from the record and what the machine says", "[container]") {
    struct Row {
        std::int32_t pid;
        bool is_init;
        bool gate_waiting;
        bool creator_at_work;
        Status status;
        bool frozen = false;
    };
    for (const Row& row : std::vector<Row>{
             {0, false, false, true, Status::creating},
             {0, false, false, false, Status::stopped},
             {0, true, true, true, Status::creating}, // no pid: nothing else counts
             {0, true, true, false, Status::stopped},
             {7, true, true, false, Status::created},
             {7, true, true, true, Status::created},
             {7, true, false, false, Status::running},
             {7, true, false, true, Status::running},
             {7, false, true, false, Status::stopped},
             {7, false, false, true, Status::stopped},
             {7, false, true, true, Status::stopped},
             {7, true, false, false, Status::paused, true},
             {7, true, true, false, Status::paused, true},
             {7, false, true, true, Status::stopped, true},
             {0, false, false, true, Status::creating, true},
         }) {
        INFO(row.pid << row.is_init << row.gate_waiting << row.creator_at_work);
        spec::Record record;
        record.pid = row.pid;
        CHECK(status_of(record, {row.is_init, row.gate_waiting, row.creator_at_work, row.frozen}) ==
              row.status);
    }
    CHECK(std::string(name_of(Status::creating)) == "creating");
    CHECK(std::string(name_of(Status::created)) == "created");
    CHECK(std::string(name_of(Status::running)) == "running");
    CHECK(std::string(name_of(Status::stopped)) == "stopped");
}

TEST_CASE("init: found only with its pid, its start time and this boot", "[container]") {
    const Fd proc = sys::open_proc();
    Forked child([] {
        for (;;) {
            (void)::pause();
        }
    });
    const spec::Record record = record_of(child.pid(), proc.get());
    CHECK(find_init(record, proc.get()).pidfd);
    spec::Record other = record;
    other.pid = 0;
    CHECK_FALSE(find_init(other, proc.get()).pidfd);
    other = record;
    other.start_time += 1; // the pid has been used again
    CHECK_FALSE(find_init(other, proc.get()).pidfd);
    other = record;
    other.boot_id = "another";
    CHECK_FALSE(find_init(other, proc.get()).pidfd);
    other = record;
    other.pid = 99999999;
    CHECK_FALSE(find_init(other, proc.get()).pidfd);

    const LiveInit live = find_init(record, proc.get());
    REQUIRE(sys::try_send_signal(live.pidfd.get(), SIGKILL) == 0);
    REQUIRE(sys::wait_for_exit(live.pidfd.get(), std::chrono::seconds(10)));
    CHECK_FALSE(find_init(record, proc.get()).pidfd); // a zombie has ended
    (void)child.wait();
    CHECK_FALSE(find_init(record, proc.get()).pidfd);
}

namespace {

struct Helper {
    int ready;
    int done;
};

void* run_helper(void* argument) {
    const Helper& helper = *static_cast<Helper*>(argument);
    const pid_t id = static_cast<pid_t>(::syscall(SYS_gettid));
    (void)!::write(helper.ready, &id, sizeof id);
    char byte = 0;
    (void)!::read(helper.done, &byte, 1);
    return nullptr;
}

} // namespace

TEST_CASE("init: a pid that is now the id of a thread is not init", "[container]") {
    const Fd proc = sys::open_proc();
    PipeEnds ready = make_pipe();
    PipeEnds done = make_pipe();
    Helper helper{ready.writer.get(), done.reader.get()};
    pthread_t thread{};
    REQUIRE(::pthread_create(&thread, nullptr, run_helper, &helper) == 0);
    pid_t id = 0;
    REQUIRE(::read(ready.reader.get(), &id, sizeof id) == sizeof id);
    spec::Record record = sample_record("c1");
    record.pid = id;
    record.boot_id = sys::read_boot_id(proc.get());
    try {
        CHECK_FALSE(find_init(record, proc.get()).pidfd);
    } catch (const Error& error) {
        FAIL_CHECK(error.text());
    }
    done.writer.reset();
    REQUIRE(::pthread_join(thread, nullptr) == 0);
}

TEST_CASE("status: looked at, it follows the gate and the lock", "[container]") {
    const Fd proc = sys::open_proc();
    const TempDir temp;
    const StateRoot root = open_root(temp);
    const spec::Record record = record_of(::getpid(), proc.get());
    std::optional<ContainerDir> dir = ContainerDir::create(root, "c1");
    const std::optional<ContainerDir> viewer = ContainerDir::find(root, "c1");
    REQUIRE(viewer);
    const LiveInit live = find_init(record, proc.get());
    const LiveInit none;
    spec::Record intent = record;
    intent.pid = 0;
    CHECK(detect_status(*viewer, intent, none) == Status::creating);
    {
        const Fd gate = dir->listen_at_gate();
        CHECK(detect_status(*viewer, record, live) == Status::created);
        CHECK(viewer->is_gate_waiting());
    }
    CHECK(detect_status(*viewer, record, live) == Status::running);
    CHECK(detect_status(*viewer, record, none) == Status::stopped);
    dir.reset(); // the creator is gone
    CHECK(detect_status(*viewer, intent, none) == Status::stopped);
}
