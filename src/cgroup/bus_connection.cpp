#include "bus_connection_private.h"

#include "bus_library_private.h"
#include "coracle/base/error.h"
#include "coracle/base/text.h"

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace coracle::cgroup {

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* service = "org.freedesktop.systemd1";
constexpr const char* object = "/org/freedesktop/systemd1";
constexpr const char* manager = "org.freedesktop.systemd1.Manager";
constexpr std::chrono::seconds patience{30};
constexpr std::uint64_t patience_us = 30000000;
constexpr std::chrono::seconds greeting_patience{10};

void check(int result, const char* what) {
    if (result < 0) {
        throw_system(-result, std::string("the bus of systemd: ") + what);
    }
}

class Message {
  public:
    Message(sd_bus* bus, const char* member) {
        check(library().new_method_call(bus, &message_, service, object, manager, member),
              "make a message");
    }
    explicit Message(sd_bus_message* taken) : message_(taken) {}
    Message(const Message&) = delete;
    Message& operator=(const Message&) = delete;
    Message(Message&&) = delete;
    Message& operator=(Message&&) = delete;
    ~Message() { library().unref(message_); }

    [[nodiscard]] sd_bus_message* get() const { return message_; }

    template <class... Values>
    void append(const char* types, Values... values) {
        check(library().append(message_, types, values...), "append to a message"); // NOLINT
    }
    void open(char type, const char* contents) {
        check(library().open_container(message_, type, contents), "open a container");
    }
    void close() { check(library().close_container(message_), "close a container"); }
    void append_pids(const std::vector<std::uint32_t>& pids) {
        check(
            library().append_array(message_, 'u', pids.data(), pids.size() * sizeof(std::uint32_t)),
            "append pids");
    }
    void append_property(const plan::UnitProperty& property);

  private:
    sd_bus_message* message_ = nullptr;
};

void Message::append_property(const plan::UnitProperty& property) {
    const char* name = property.name.c_str();
    if (const bool* flag = std::get_if<bool>(&property.value)) {
        append("(sv)", name, "b", *flag ? 1 : 0);
    } else if (const std::uint64_t* number = std::get_if<std::uint64_t>(&property.value)) {
        append("(sv)", name, "t", *number);
    } else if (const std::string* text = std::get_if<std::string>(&property.value)) {
        append("(sv)", name, "s", text->c_str());
    } else if (const auto* device = std::get_if<plan::DeviceValue>(&property.value)) {
        append("(sv)", name, "a(st)", 1, device->node.c_str(), device->value);
    } else {
        const auto& bytes = std::get<std::vector<std::uint8_t>>(property.value);
        open('r', "sv");
        append("s", name);
        open('v', "ay");
        check(library().append_array(message_, 'y', bytes.data(), bytes.size()), "append bytes");
        close();
        close();
    }
}

BusError error_of(const sd_bus_error& error) {
    constexpr std::size_t most = 4096;
    return {std::string(error.name != nullptr ? error.name : "").substr(0, most),
            std::string(error.message != nullptr ? error.message : "").substr(0, most)};
}

} // namespace

struct Connection::State {
    sd_bus* bus = nullptr;
    bool greeted = false; ///< at some time: it may be gone by now
    bool matching = false;
    std::string job;                                          ///< of the last call that made one
    std::optional<BusError> refused;                          ///< its call has failed
    std::vector<std::pair<std::string, std::string>> removed; ///< jobs and their results

    static int on_job_removed(sd_bus_message* message, void* state, sd_bus_error* error);
    static int on_job_reply(sd_bus_message* message, void* state, sd_bus_error* error);

    [[nodiscard]] std::optional<BusError> await_greeting();
    void match_jobs();
    void call_for_job(const Message& message);
    [[nodiscard]] std::optional<BusError> await_job();
    [[nodiscard]] std::optional<BusError> call(const Message& message,
                                               sd_bus_message** answer = nullptr);
    [[nodiscard]] std::string result_of_job() const;
};

int Connection::State::on_job_removed(sd_bus_message* message, void* state,
                                      sd_bus_error* /*error*/) {
    std::uint32_t id = 0;
    const char* path = nullptr;
    const char* unit = nullptr;
    const char* result = nullptr;
    if (library().read(message, "uoss", &id, &path, &unit, &result) >= 0) { // NOLINT
        static_cast<State*>(state)->removed.emplace_back(path, result);
    }
    return 0;
}

int Connection::State::on_job_reply(sd_bus_message* message, void* state, sd_bus_error* /*error*/) {
    auto* self = static_cast<State*>(state);
    const char* path = nullptr;
    if (const sd_bus_error* error = library().get_error(message); error != nullptr) {
        self->refused = error_of(*error);
    } else if (library().read(message, "o", &path) >= 0) { // NOLINT(*-vararg)
        self->job = path;
    }
    return 0;
}

/// sd-bus itself waits 90 seconds for a bus that takes the connection and says nothing.
std::optional<BusError> Connection::State::await_greeting() {
    Clock::time_point deadline = Clock::now() + greeting_patience;
    while (library().is_ready(bus) <= 0) {
        int done = library().process(bus, nullptr);
        check(done, "connect");
        auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - Clock::now());
        if (left.count() <= 0) {
            return BusError{"", "the bus does not answer"};
        }
        if (done == 0) {
            check(library().wait(bus, static_cast<std::uint64_t>(left.count())), "wait");
        }
    }
    greeted = true;
    return std::nullopt;
}

/// Before the first job is asked for; the answer is not awaited.
void Connection::State::match_jobs() {
    if (!matching) {
        check(library().match_signal_async(bus, nullptr, service, object, manager, "JobRemoved",
                                           on_job_removed, nullptr, this),
              "subscribe to JobRemoved");
        matching = true;
    }
}

void Connection::State::call_for_job(const Message& message) {
    job.clear();
    refused.reset();
    check(library().call_async(bus, nullptr, message.get(), on_job_reply, this, patience_us),
          "call");
}

std::string Connection::State::result_of_job() const {
    for (const auto& [path, result] : removed) {
        if (!job.empty() && path == job) {
            return result;
        }
    }
    return {};
}

std::optional<BusError> Connection::State::await_job() {
    if (std::optional<BusError> failed = await_greeting()) {
        return failed;
    }
    Clock::time_point deadline = Clock::now() + patience;
    for (;;) {
        int done = library().process(bus, nullptr);
        check(done, "connect or read");
        if (refused) {
            return refused;
        }
        std::string result = result_of_job();
        if (!result.empty()) {
            return result == "done" || result == "skipped"
                       ? std::nullopt
                       : std::optional(BusError{"", "the job ended with \"" + result + "\""});
        }
        if (done > 0) {
            continue;
        }
        auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - Clock::now());
        if (left.count() <= 0) {
            return BusError{"", "no answer within 30 seconds"};
        }
        check(library().wait(bus, static_cast<std::uint64_t>(left.count())), "wait");
    }
}

std::optional<BusError> Connection::State::call(const Message& message, sd_bus_message** answer) {
    if (std::optional<BusError> failed = await_greeting()) {
        return failed;
    }
    sd_bus_error error{};
    sd_bus_message* reply = nullptr;
    int result = library().call(bus, message.get(), patience_us, &error, &reply);
    std::optional<BusError> failed;
    if (result < 0) {
        failed = error_of(error);
        if (failed->text.empty()) {
            failed->text = describe_errno(-result);
        }
    } else if (answer != nullptr) {
        *answer = reply;
    } else {
        Message release(reply);
    }
    library().error_free(&error);
    return failed;
}

Connection::Connection(const std::string& socket_path) : state_(std::make_unique<State>()) {
    // In an address every byte but these is escaped: the D-Bus specification, server addresses.
    std::string address = "unix:path=";
    for (char c : socket_path) {
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '-' || c == '_' || c == '/' || c == '.';
        constexpr const char* digits = "0123456789abcdef";
        auto byte = static_cast<unsigned char>(c);
        address +=
            plain ? std::string(1, c) : std::string{'%', digits[byte >> 4U], digits[byte & 15U]};
    }
    check(library().bus_new(&state_->bus), "make a connection");
    check(library().set_address(state_->bus, address.c_str()), "set the address");
    check(library().set_bus_client(state_->bus, 1), "become a client");
    int result = library().start(state_->bus);
    if (result < 0) {
        library().close(state_->bus);
        throw_system(-result, "the bus of systemd: connect to " + printable(socket_path));
    }
}

Connection::~Connection() {
    library().close(state_->bus);
}

bool Connection::has_greeted() const noexcept {
    return state_->greeted;
}

std::optional<BusError> Connection::greet() {
    return state_->await_greeting();
}

BusAnswer Connection::handle(const BusRequest& request) {
    BusAnswer answer;
    switch (request.verb) {
    case BusVerb::start_scope:
        answer.refused = start_scope(request);
        break;
    case BusVerb::is_without_processes:
        answer.yes = is_without_processes(request.unit);
        break;
    case BusVerb::stop_unit:
        answer.refused = stop_unit(request.unit);
        break;
    case BusVerb::reset_failed:
        answer.refused = reset_failed(request.unit);
        break;
    case BusVerb::set_properties:
        answer.refused = set_properties(request);
        break;
    case BusVerb::attach:
        answer.refused = attach(request);
        break;
    }
    return answer;
}

std::optional<BusError> Connection::start_scope(const BusRequest& request) {
    state_->match_jobs();
    Message message(state_->bus, "StartTransientUnit");
    message.append("ss", request.unit.c_str(), "fail");
    message.open('a', "(sv)");
    for (const plan::UnitProperty& property : request.properties) {
        message.append_property(property);
    }
    if (library().is_253) {
        message.append_property({"OOMPolicy", request.oom_policy});
    }
    message.open('r', "sv");
    message.append("s", "PIDs");
    message.open('v', "au");
    message.append_pids(request.pids);
    message.close();
    message.close();
    message.close();
    message.append("a(sa(sv))", 0);
    state_->call_for_job(message);
    return state_->await_job();
}

std::optional<BusError> Connection::stop_unit(const std::string& name) {
    state_->match_jobs();
    Message message(state_->bus, "StopUnit");
    message.append("ss", name.c_str(), "replace");
    state_->call_for_job(message);
    return state_->await_job();
}

bool Connection::is_without_processes(const std::string& name) {
    Message message(state_->bus, "GetUnitProcesses");
    message.append("s", name.c_str());
    sd_bus_message* reply = nullptr;
    if (state_->call(message, &reply)) {
        return false; // no such unit
    }
    Message answer(reply);
    return library().enter_container(reply, 'a', "(sus)") >= 0 && library().at_end(reply, 0) > 0;
}

std::optional<BusError> Connection::reset_failed(const std::string& name) {
    Message message(state_->bus, "ResetFailedUnit");
    message.append("s", name.c_str());
    return state_->call(message);
}

std::optional<BusError> Connection::set_properties(const BusRequest& request) {
    Message message(state_->bus, "SetUnitProperties");
    message.append("sb", request.unit.c_str(), 1);
    message.open('a', "(sv)");
    for (const plan::UnitProperty& property : request.properties) {
        message.append_property(property);
    }
    message.close();
    return state_->call(message);
}

std::optional<BusError> Connection::attach(const BusRequest& request) {
    Message message(state_->bus, "AttachProcessesToUnit");
    message.append("ss", request.unit.c_str(), request.sub_cgroup.c_str());
    message.append_pids(request.pids);
    return state_->call(message);
}

} // namespace coracle::cgroup
