#include "bus_library_private.h"

#include "coracle/base/error.h"

#include <dlfcn.h>
#include <string>

namespace coracle::cgroup {

void* Library::look_up(const char* name) const {
    void* found = ::dlsym(handle, name);
    if (found == nullptr) {
        throw_error(ErrorKind::unsupported,
                    std::string("libsystemd.so.0 has no ") + name + ": it is too old");
    }
    return found;
}

Library::Library() : handle(::dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL)) {
    if (handle == nullptr) {
        const char* why = ::dlerror(); // NOLINT(concurrency-mt-unsafe): one thread
        throw_error(ErrorKind::unsupported,
                    std::string("a systemd cgroup needs libsystemd: ") +
                        (why != nullptr ? why : "dlopen failed") +
                        "; install libsystemd0, or give --cgroup-manager=cgroupfs");
    }
    find(bus_new, "sd_bus_new");
    find(set_address, "sd_bus_set_address");
    find(set_bus_client, "sd_bus_set_bus_client");
    find(start, "sd_bus_start");
    find(close, "sd_bus_close_unref"); // what was to be said has been answered, or never will be
    find(is_ready, "sd_bus_is_ready");
    find(call, "sd_bus_call");
    find(call_async, "sd_bus_call_async");
    find(process, "sd_bus_process");
    find(wait, "sd_bus_wait");
    find(match_signal_async, "sd_bus_match_signal_async");
    find(new_method_call, "sd_bus_message_new_method_call");
    find(unref, "sd_bus_message_unref");
    find(append, "sd_bus_message_append");
    find(append_array, "sd_bus_message_append_array");
    find(open_container, "sd_bus_message_open_container");
    find(close_container, "sd_bus_message_close_container");
    find(read, "sd_bus_message_read");
    find(enter_container, "sd_bus_message_enter_container");
    find(at_end, "sd_bus_message_at_end");
    find(get_error, "sd_bus_message_get_error");
    find(error_free, "sd_bus_error_free");
    is_253 = ::dlsym(handle, "sd_bus_emit_signal_to") != nullptr; // came with it
}

const Library& library() {
    static const Library loaded;
    return loaded;
}

} // namespace coracle::cgroup
