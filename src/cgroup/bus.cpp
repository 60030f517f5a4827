#include "bus_private.h"

#include "bus_messages_private.h"
#include "coracle/base/error.h"
#include "coracle/base/text.h"
#include "coracle/sys/process.h"
#include "coracle/sys/program_file.h"
#include "coracle/sys/socket.h"

#include <cerrno>
#include <csignal>
#include <unistd.h>
#include <utility>

extern "C" const char coracle_bus_image_begin[]; // NOLINT: symbols of bus_image.o
extern "C" const char coracle_bus_image_end[];   // NOLINT

namespace coracle::cgroup {

namespace {

constexpr const char* no_such_unit = "org.freedesktop.systemd1.NoSuchUnit";

/// Above what the program itself waits for: the greeting, two jobs.
constexpr std::chrono::seconds patience{90};

/// What the parent, which is static, can do without.
constexpr const char* needs = "; it needs the host's dynamic loader and a C library not older than "
                              "that of its build, or give --cgroup-manager=cgroupfs";

std::string_view image() noexcept {
    return {coracle_bus_image_begin,
            static_cast<std::size_t>(coracle_bus_image_end - coracle_bus_image_begin)};
}

struct ProgramStart {
    int file;
    int channel;
    const std::string& socket_path;
};

/// Runs in: the child that has not become the program.
void tell_failure(int channel, const Error& error) noexcept {
    bool is_short = error.errnum() == ENOMEM || error.errnum() == EMFILE ||
                    error.errnum() == ENFILE || error.errnum() == EAGAIN;
    try {
        BusAnswer answer;
        answer.has_failed = true;
        answer.kind = is_short ? error.kind() : ErrorKind::unsupported;
        answer.errnum = is_short ? error.errnum() : 0;
        answer.text = "start coracle-bus: " + error.text() + (is_short ? "" : needs);
        (void)sys::try_send_packet(channel, encode(answer), {});
    } catch (const std::exception&) { // catch: a role's edge; the end is seen
    }
}

/// Runs in: the child that becomes the program, on the parent's memory.
[[gnu::no_sanitize_address]] // its stack is not the one that ASan knows
int execute_bus_program(void* argument) noexcept {
    const ProgramStart& start = *static_cast<const ProgramStart*>(argument);
    try {
        sys::set_parent_death_signal();
        sys::close_on_exec_from(3); // what the caller passes on to the container, too
        sys::keep_over_exec(start.channel);
        sys::execute_fd(start.file,
                        {"coracle-bus", std::to_string(start.channel), start.socket_path});
    } catch (const Error& error) { // catch: a role's edge
        tell_failure(start.channel, error);
    } catch (const std::exception&) { // catch: a role's edge; the end is seen
    }
    ::_exit(1);
}

} // namespace

Bus::Bus(std::string socket_path) : socket_path_(std::move(socket_path)) {
    start_program();
}

Bus::~Bus() {
    end_program();
}

void Bus::start_program() {
    sys::ProgramFile file("coracle-bus", image());
    file.fill();
    auto [ours, theirs] = sys::make_packet_pair();
    ProgramStart start{file.fd(), theirs.get(), socket_path_};
    program_ = sys::start_child(execute_bus_program, &start);
    channel_ = std::move(ours);
    said_hello_ = false;
}

int Bus::end_program() noexcept {
    channel_.reset();
    if (program_ == 0) {
        return 0;
    }
    pid_t pid = std::exchange(program_, 0);
    (void)::kill(pid, SIGKILL); // a child of ours, not reaped: the pid is still its own
    try {
        return sys::wait_for_child(pid);
    } catch (const std::exception&) { // catch: somebody else has reaped it
        return 0;
    }
}

void Bus::send(const BusRequest& request) const {
    std::vector<std::uint8_t> packet = encode(request);
    if (packet.size() > max_bus_packet) {
        throw_error(ErrorKind::unsupported, "the unit " + printable(request.unit) +
                                                ": its properties are larger than " +
                                                std::to_string(max_bus_packet) + " bytes in all");
    }
    // EPIPE: it has ended, and has perhaps said why.
    int errnum = sys::try_send_packet(channel_.get(), packet, {});
    if (errnum != 0 && errnum != EPIPE) {
        throw_system(errnum, "ask coracle-bus, which speaks with systemd");
    }
}

std::optional<BusAnswer> Bus::receive_packet() const {
    if (sys::wait_readable(channel_.get(), -1, patience) == sys::Ready::neither) {
        throw_error(ErrorKind::system, "coracle-bus, which speaks with systemd, does not answer");
    }
    sys::Packet packet = sys::receive_packet(channel_.get(), max_bus_packet);
    return packet.data.empty() ? std::nullopt : std::optional(decode_answer(packet.data));
}

bool Bus::await_hello() {
    if (said_hello_) {
        return true;
    }
    std::optional<BusAnswer> first = receive_packet();
    if (first && first->has_failed) {
        throw Error(first->kind, first->text, first->errnum);
    }
    said_hello_ = first.has_value();
    return said_hello_;
}

std::optional<BusAnswer> Bus::receive() {
    may_have_asked_ = false;
    if (!await_hello()) {
        return std::nullopt;
    }
    may_have_asked_ = true; // until the answer says otherwise
    std::optional<BusAnswer> received = receive_packet();
    if (!received) {
        return std::nullopt;
    }
    BusAnswer answer = std::move(*received);
    may_have_asked_ = answer.has_greeted;
    if (answer.has_failed) {
        throw Error(answer.kind, answer.text, answer.errnum);
    }
    return answer;
}

void Bus::throw_ended() {
    std::string what =
        "coracle-bus, which speaks with systemd, " + sys::describe_wait_status(end_program());
    if (!said_hello_) {
        throw_error(ErrorKind::unsupported, what + " before it began" + needs);
    }
    throw_error(ErrorKind::system, what);
}

BusAnswer Bus::ask(const BusRequest& request) {
    send(request);
    std::optional<BusAnswer> answer = receive();
    if (!answer) { // it was killed; what is asked here may be asked twice
        (void)end_program();
        start_program();
        send(request);
        answer = receive();
    }
    if (!answer) {
        throw_ended();
    }
    return std::move(*answer);
}

void Bus::start_scope(const std::string& name, std::vector<plan::UnitProperty> properties,
                      const std::string& oom_policy, pid_t pid) const {
    BusRequest request{BusVerb::start_scope, name, "", oom_policy, std::move(properties), {}};
    request.pids = {static_cast<std::uint32_t>(pid)};
    send(request);
}

std::optional<BusError> Bus::finish_scope() {
    std::optional<BusAnswer> answer = receive();
    if (!answer) {
        throw_ended();
    }
    return std::move(answer->refused);
}

void Bus::stop_unit(const std::string& name) {
    std::optional<BusError> failed = ask({BusVerb::stop_unit, name, "", "", {}, {}}).refused;
    if (failed && failed->name != no_such_unit) {
        throw_error(ErrorKind::system,
                    "stop the unit " + printable(name) + ": " + printable(failed->text));
    }
}

bool Bus::is_without_processes(const std::string& name) {
    return ask({BusVerb::is_without_processes, name, "", "", {}, {}}).yes;
}

void Bus::reset_failed(const std::string& name) {
    (void)ask({BusVerb::reset_failed, name, "", "", {}, {}});
}

std::string Bus::find_problem() {
    try {
        std::optional<BusError> failed =
            ask({BusVerb::reset_failed, "coracle-doctor.scope", "", "", {}, {}}).refused;
        return failed && failed->name != no_such_unit ? failed->text : "";
    } catch (const Error& error) { // catch: what was to be found out
        return error.text();
    }
}

std::optional<BusError> Bus::set_properties(const std::string& name,
                                            const std::vector<plan::UnitProperty>& properties) {
    return ask({BusVerb::set_properties, name, "", "", properties, {}}).refused;
}

std::optional<BusError> Bus::attach(const std::string& name, const std::string& sub_cgroup,
                                    pid_t pid) {
    return ask({BusVerb::attach, name, sub_cgroup, "", {}, {static_cast<std::uint32_t>(pid)}})
        .refused;
}

} // namespace coracle::cgroup
