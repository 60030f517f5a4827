#pragma once

#include "coracle/launch/launch.h"
#include "coracle/spec/documents.h"
#include "coracle/sys/fd.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The state root and the directory of each container in it. Only here are the names of the files
/// in them known:
///     <root>/.filters/             compiled seccomp filters: src/container/filter_store_private.h
///     <root>/<id>/                 locked by flock(2) while it is made or deleted
///     <root>/<id>/record.json      written whole, by rename
///     <root>/<id>/record.copy     the same once init runs, for a record that gets damaged
///     <root>/<id>/config.json      the configuration, as it was when the container was made
///     <root>/<id>/start.sock       the start gate
///     <root>/<id>/notify.sock      where the payload's notifications come to, bound into it
///     <root>/<id>/rootfs, files, layers    of a sandbox, whose bundle the directory is
///     <root>/<id>/deleted.json     the record while poststop hooks run: the container is no more
namespace coracle::container {

/// Throws invalid_config unless `id` is [A-Za-z0-9_+-][A-Za-z0-9_+.-]*, at most 255 bytes.
void require_valid_id(const std::string& id);

/// What decides where the state root is, when --root is not given.
struct RootInputs {
    std::uint32_t euid = 0;
    bool initial_user_namespace = true;
    std::string xdg_runtime_dir;  ///< empty: unset
    std::string user;             ///< $USER, empty: unset
    bool run_user_exists = false; ///< /run/user/UID is there and the caller's
};
/// /run/coracle for real root, else $XDG_RUNTIME_DIR/coracle, /run/user/UID/coracle or, last,
/// /tmp/coracle-UID. Pure.
[[nodiscard]] std::string default_state_root(const RootInputs& inputs);

/// The path of the notification socket of the container `id` in the state root `root`.
[[nodiscard]] std::string notify_socket_in(const std::string& root, const std::string& id);

/// The path of the state directory of the container `id` in the state root `root`.
[[nodiscard]] std::string state_directory_in(const std::string& root, const std::string& id);

enum class MissingRoot { make, is_empty };

class StateRoot {
  public:
    /// Opens the root; with `make` missing directories are made, 0700. Nothing if it is missing
    /// and `is_empty` was said. The root must be a directory of the caller that nobody else may
    /// write to; to root that only reads, it may be any user's.
    /// Throws: denied, naming owner and mode; system.
    enum class Access { change, read };
    static std::optional<StateRoot> open(const std::string& path, MissingRoot missing,
                                         Access access = Access::change);

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    /// Whose it is, and every container in it.
    [[nodiscard]] std::uint32_t owner() const noexcept { return owner_; }
    /// What in it bears a name that may be an id, sorted.
    [[nodiscard]] std::vector<std::string> ids() const;
    /// Whether the id is that of a container of its owner, and not of a file, of what is just being
    /// made, or of another user's directory. Throws: system.
    [[nodiscard]] bool has_record(const std::string& id) const;
    /// Takes away what bears an id's name and is no container of the caller's: a file, or a
    /// directory of another user, whatever is in it. Whether there was one. Throws: system.
    [[nodiscard]] bool remove_stray(const std::string& id) const;

  private:
    StateRoot(sys::Fd fd, std::uint32_t owner) : fd_(std::move(fd)), owner_(owner) {}
    sys::Fd fd_;
    std::uint32_t owner_;
};

class ContainerDir {
  public:
    /// Makes and locks the directory of a new container.
    /// Throws: wrong_state "container with given ID already exists".
    static ContainerDir create(const StateRoot& root, const std::string& id);
    /// Opens an existing one, without a lock; nothing if there is none.
    static std::optional<ContainerDir> find(const StateRoot& root, const std::string& id);

    /// Locks it against create and delete, waiting for one that is at work. False if it was
    /// deleted meanwhile. Throws: wrong_state after 40 seconds.
    [[nodiscard]] bool lock();
    /// Others may delete it again.
    void unlock() const noexcept;
    /// Whether a process that makes or deletes it is at work now.
    [[nodiscard]] bool is_locked_by_another() const;

    /// Nothing if there is no record yet. Throws: invalid_config if it is not one of ours;
    /// denied if another user owns it.
    [[nodiscard]] std::optional<spec::Record> load() const;
    /// What stands in for a record that load refuses: its copy, else spec::salvage_record of it.
    [[nodiscard]] std::optional<spec::Record> salvage() const;
    /// The intent, while the record has no pid; else it takes its place. Throws: system.
    void save(const spec::Record& record);
    /// What save will most likely be given is on disk, ahead of time. A failure is save's to tell.
    void stage(const spec::Record& record);
    /// record.copy is what save was given last. Throws: system.
    void save_copy() const;
    /// The container is no more, but for poststop hooks that are still to run: load finds nothing
    /// any more, load_retired does, whatever becomes of this process. Throws: system.
    void retire() const;
    /// As load. Throws: as load.
    [[nodiscard]] std::optional<spec::Record> load_retired() const;

    /// The text of the configuration that the container was made from: what the bundle holds may
    /// change. Throws: system; as load.
    void save_config(const std::string& text) const;
    [[nodiscard]] std::string load_config() const;

    /// The directory itself, for what a sandbox has in it.
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    /// The state root.
    [[nodiscard]] int root_fd() const noexcept { return root_.get(); }

    /// The listening socket of the start gate.
    [[nodiscard]] sys::Fd listen_at_gate() const;
    [[nodiscard]] bool is_gate_waiting() const;
    /// The socket of notify_socket_in.
    [[nodiscard]] sys::Fd bind_notify_socket() const;
    /// launch::open_gate on it.
    void open_gate(const launch::WaitingInit& init, launch::Stage& failed_stage) const;

    /// Takes the directory and all that is in it away; what is gone already is no error.
    void remove() const;

  private:
    std::optional<spec::Record> load(const char* name) const;
    ContainerDir(sys::Fd root, sys::Fd fd, std::string id)
        : root_(std::move(root)), fd_(std::move(fd)), id_(std::move(id)) {}
    sys::Fd root_;
    sys::Fd fd_;
    std::string id_;
    std::optional<std::string> staged_; ///< the text of the record at record_temporary
    std::string saved_;
};

} // namespace coracle::container
