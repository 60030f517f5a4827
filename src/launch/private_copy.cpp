#include "private_copy_private.h"

#include "coracle/base/error.h"
#include "coracle/launch/launch.h"
#include "coracle/sys/process.h"

#include <unistd.h>

extern "C" const char coracle_init_image_begin[]; // NOLINT: symbols of init_image.o
extern "C" const char coracle_init_image_end[];   // NOLINT

namespace coracle::launch {

namespace {

std::string_view image() noexcept {
    return {coracle_init_image_begin,
            static_cast<std::size_t>(coracle_init_image_end - coracle_init_image_begin)};
}

} // namespace

sys::ProgramFile make_private_copy() {
    return {"coracle-init", image()};
}

[[gnu::no_sanitize_address]] // its stack is not the one that ASan knows
int execute_private_copy(void* argument) noexcept {
    CopyStart& start = *static_cast<CopyStart*>(argument);
    try {
        sys::set_parent_death_signal();
        sys::set_process_name(start.name);
        if (start.copy == CopyStart::Copy::awaited) {
            (void)start.channel.require<CopyReady>();
        }
        sys::keep_over_exec(start.channel.fd());
        sys::execute_fd(start.private_copy, {start.program, std::to_string(start.channel.fd())});
    } catch (const std::exception& error) { // catch: a role's edge
        start.channel.send_failed(Stage::begin, error);
    }
    ::_exit(1);
}

std::size_t private_copy_bytes() noexcept {
    return image().size();
}

} // namespace coracle::launch
