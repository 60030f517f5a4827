#pragma once

#include "coracle/sys/fd.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace coracle::container {

/// The program that gives a sandbox its network, and a process of ours that watches it: it ends
/// when this object is destroyed, when init ends, and when this process is killed; if the watcher
/// is killed, when this object is destroyed. The program cannot be told to die with us, since the
/// kernel forgets that when it joins a user namespace. Source: prctl(2), PR_SET_PDEATHSIG.
/// Runs in: parent of a sandbox, after init is ready and before it is started.
class NetworkHelper {
  public:
    /// Returns once the network is there. `command`: of pasta(1), without namespaces; it gets no
    /// environment and no fd. Throws: system, with its last words.
    NetworkHelper(const std::vector<std::string>& command, pid_t init);
    NetworkHelper(const NetworkHelper&) = delete;
    NetworkHelper& operator=(const NetworkHelper&) = delete;
    NetworkHelper(NetworkHelper&&) = delete;
    NetworkHelper& operator=(NetworkHelper&&) = delete;
    ~NetworkHelper();

  private:
    void end() noexcept;

    sys::Fd lifeline_; ///< the watcher ends at its end of file
    pid_t watcher_ = -1;
    pid_t program_ = 0; ///< 0: not known
};

} // namespace coracle::container
