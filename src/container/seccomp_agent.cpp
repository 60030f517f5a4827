#include "seccomp_agent_private.h"

#include "coracle/base/error.h"
#include "coracle/sys/socket.h"
#include "view_private.h"

#include <array>
#include <memory>

namespace coracle::container {

namespace {

constexpr const char* what = "/linux/seccomp/listenerPath";

void send_state(const sys::Fd& agent, const spec::Record& record, pid_t pid,
                const sys::Fd& listener) {
    spec::ContainerView view =
        make_view(record, pid == record.pid ? Status::created : Status::running);
    view.owner = owner_name(record.owner);
    std::string text = spec::write_process_state(view, pid, record.seccomp_listener->metadata);
    std::array<int, 1> fds{listener.get()};
    std::vector<std::uint8_t> data(text.begin(), text.end());
    int errnum = sys::try_send_stream(agent.get(), data, fds);
    if (errnum != 0) {
        throw_system(errnum, std::string(what) + ": send the container process state");
    }
}

} // namespace

launch::TakeListener connect_to_agent(const spec::Record& record, pid_t pid) {
    if (!record.seccomp_listener) {
        return {};
    }
    auto agent = std::make_shared<sys::Fd>(
        in_context([&] { return std::string(what); },
                   [&] { return sys::connect_stream(record.seccomp_listener->path); }));
    return [agent, &record, pid](sys::Fd listener) {
        send_state(*agent, record, pid, listener);
        agent->reset();
    };
}

} // namespace coracle::container
