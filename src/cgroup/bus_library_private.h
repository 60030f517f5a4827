#pragma once

#include <systemd/sd-bus.h>

namespace coracle::cgroup {

/// The functions of libsystemd that are used, found at run time.
struct Library {
    void* handle = nullptr;
    decltype(&::sd_bus_new) bus_new = nullptr;
    decltype(&::sd_bus_set_address) set_address = nullptr;
    decltype(&::sd_bus_set_bus_client) set_bus_client = nullptr;
    decltype(&::sd_bus_start) start = nullptr;
    decltype(&::sd_bus_close_unref) close = nullptr;
    decltype(&::sd_bus_is_ready) is_ready = nullptr;
    decltype(&::sd_bus_call) call = nullptr;
    decltype(&::sd_bus_call_async) call_async = nullptr;
    decltype(&::sd_bus_process) process = nullptr;
    decltype(&::sd_bus_wait) wait = nullptr;
    decltype(&::sd_bus_match_signal_async) match_signal_async = nullptr;
    decltype(&::sd_bus_message_new_method_call) new_method_call = nullptr;
    decltype(&::sd_bus_message_unref) unref = nullptr;
    decltype(&::sd_bus_message_append) append = nullptr;
    decltype(&::sd_bus_message_append_array) append_array = nullptr;
    decltype(&::sd_bus_message_open_container) open_container = nullptr;
    decltype(&::sd_bus_message_close_container) close_container = nullptr;
    decltype(&::sd_bus_message_read) read = nullptr;
    decltype(&::sd_bus_message_enter_container) enter_container = nullptr;
    decltype(&::sd_bus_message_at_end) at_end = nullptr;
    decltype(&::sd_bus_message_get_error) get_error = nullptr;
    decltype(&::sd_bus_error_free) error_free = nullptr;
    bool is_253 = false;

    Library();

  private:
    template <class Function>
    void find(Function& function, const char* name) const {
        function = reinterpret_cast<Function>(look_up(name)); // NOLINT: dlsym(3)
    }
    [[nodiscard]] void* look_up(const char* name) const;
};

/// Opened when it is asked for first, and never closed: the process ends soon. Runs in:
/// coracle-bus. Throws: unsupported.
[[nodiscard]] const Library& library();

} // namespace coracle::cgroup
