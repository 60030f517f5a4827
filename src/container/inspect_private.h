#pragma once

#include "context_private.h"
#include "coracle/host/facts.h"
#include "coracle/spec/config.h"
#include "coracle/spec/reports.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

/// What `inspect` looks at, a file each. Runs in: parent. All of them throw `system` for what
/// cannot be read; the payload has a say in every text of /proc, so what is kept of it is escaped.
namespace coracle::container {

/// A living container, held by its pidfd and its directory in /proc.
struct Subject {
    const Found& found;
    const spec::Config& config;
    int proc_fd;
    int directory; ///< /proc/PID
    std::map<std::string, std::string> status;
    bool executed = false; ///< the program runs; else init waits at the start gate
    /// Of the container's user namespace, if that is not the reader's.
    bool own_user_namespace = false;
    std::vector<host::IdMapLine> uid_map;
    std::vector<host::IdMapLine> gid_map;
};

/// The lines of the report.
class Findings {
  public:
    explicit Findings(std::vector<spec::InspectLine>& lines) : lines_(lines) {}
    /// The line is equal if both texts are.
    void compare(const std::string& name, const std::string& asked, const std::string& found,
                 const std::string& why = {});
    void add(spec::InspectLine line);
    /// Nothing was asked for: what is there is shown.
    void show(const std::string& name, const std::string& found);
    /// What cannot be read is one line of its own.
    void attempt(const std::string& name, const std::function<void()>& work);

  private:
    std::vector<spec::InspectLine>& lines_;
};

/// A file below /proc/PID, at most 64 MiB. Throws: system.
[[nodiscard]] std::string read_process_file(const Subject& subject, const std::string& name);

/// Ids, capabilities, filters, labels, limits, scheduling.
void inspect_process(const Subject& subject, Findings& findings);
/// Namespaces, id maps, cgroup.
void inspect_place(const Subject& subject, Findings& findings);
/// Mounts and open files.
void inspect_mounts(const Subject& subject, Findings& findings);

} // namespace coracle::container
