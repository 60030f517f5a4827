#pragma once

#include "coracle/sys/fd.h"
#include "protocol_private.h"

#include <chrono>
#include <optional>
#include <span>
#include <vector>

/// Typed ends of a packet socket: only the sends that the diagram in protocol_private.h shows
/// exist. fds go beside the first packet of a message.
namespace coracle::launch {

/// What came, and the fds beside it.
struct Received {
    Message message;
    std::vector<sys::Fd> fds;
};

class ChannelEnd {
  public:
    explicit ChannelEnd(sys::Fd socket) : socket_(std::move(socket)) {}
    [[nodiscard]] int fd() const noexcept { return socket_.get(); }
    void close() noexcept { socket_.reset(); }

    /// The next message; nothing if the peer has closed. Throws: system, internal.
    [[nodiscard]] std::optional<Received> receive();
    /// The same for a message that a stranger may have sent: of one packet, so that this never
    /// waits for a second. Throws: system, internal.
    [[nodiscard]] std::optional<Received> receive_short();
    /// The text of the Diagnosis that may follow a Failed; "" if none comes before EOF and in time.
    [[nodiscard]] std::string receive_diagnosis() noexcept;

  protected:
    /// The errno, or 0.
    [[nodiscard]] int try_send(const Message& message, std::span<const int> fds = {});
    void send(const Message& message, std::span<const int> fds = {});

  private:
    enum class Length { any, one_packet };
    std::optional<Received> receive(Length length);

    sys::Fd socket_;
};

/// The parent's end. A send to a peer that is gone (EPIPE) is not an error here: the next receive
/// tells why it went.
class ParentEnd : public ChannelEnd {
  public:
    using ChannelEnd::ChannelEnd;
    void send_id_map_done() { post(IdMapDone{}); }
    void send_copy_ready() { post(CopyReady{}); }
    /// `gate` and `notify` are borrowed; -1 for GateKind::channel, and where there is none.
    void send_plan(const plan::InitPlan& plan, int gate, int notify = -1);
    /// `trees` are borrowed; in as many messages as the kernel's limit of fds asks for.
    void send_mount_sources(std::span<const sys::Fd> trees);
    /// `fds` are borrowed, one for each of plan.joins.
    void send_exec_plan(const plan::ExecPlan& plan, std::span<const int> fds) {
        post(ExecPlanMessage{plan}, fds);
    }
    void send_cgroup_ready() { post(CgroupReady{}); }
    /// `fds` are borrowed.
    void send_hook_states(HookStates states, std::span<const int> fds) {
        post(std::move(states), fds);
    }
    void send_hooks_done() { post(HooksDone{}); }
    void send_filter(std::vector<std::uint8_t> program) { post(Filter{std::move(program)}); }
    void send_committed() { post(Committed{}); }
    void send_start() { post(Start{}); }

  private:
    void post(const Message& message, std::span<const int> fds = {});
};

/// The end of intermediate and init.
class ChildEnd : public ChannelEnd {
  public:
    using ChannelEnd::ChannelEnd;
    void send_need_id_map() { send(NeedIdMap{}); }
    void send_init_started(pid_t pid) { send(InitStarted{pid}); }
    /// `manager` is borrowed.
    void send_console(int manager);
    void send_ready(std::vector<plan::Degradation> degraded) {
        send(ReadyMessage{std::move(degraded)});
    }
    void send_at_hooks() { send(AtHooks{}); }
    /// `listener` is borrowed.
    void send_listener(int listener);
    void send_accepted() { send(Accepted{}); }
    /// The errno, or 0.
    [[nodiscard]] int try_send_accepted(std::span<const int> fds) {
        return try_send(Accepted{}, fds);
    }
    /// Sends why this process cannot go on. Never throws: the peer sees EOF if it fails.
    void send_failed(Stage stage, const std::exception& exception) noexcept;
    /// What was seen after the Failed of a refused execve(2).
    void send_diagnosis(std::string text) { (void)try_send(Diagnosis{std::move(text)}); }

    /// The next message, which must be an `Expected`; EOF means that the parent is gone, and ends
    /// the process without a word.
    template <class Expected>
    Expected require(std::vector<sys::Fd>* fds = nullptr) {
        std::optional<Received> received = receive();
        if (!received) {
            leave();
        }
        Expected* expected = std::get_if<Expected>(&received->message);
        if (expected == nullptr) {
            throw_error(ErrorKind::internal,
                        std::string("unexpected message ") + name_of(received->message));
        }
        if (fds != nullptr) {
            *fds = std::move(received->fds);
        }
        return std::move(*expected);
    }

  private:
    [[noreturn]] static void leave() noexcept;
};

/// The end of a client of the start gate, and of the parent of `run` once it has committed.
class StartEnd : public ChannelEnd {
  public:
    using ChannelEnd::ChannelEnd;
    /// The errno, or 0.
    [[nodiscard]] int try_send_start() { return try_send(Start{}); }
};

} // namespace coracle::launch
