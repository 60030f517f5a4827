#include "coracle/base/error.h"
#include "coracle/base/names.h"
#include "coracle/base/text.h"
#include "coracle/container/operations.h"
#include "coracle/host/detect.h"
#include "coracle/launch/launch.h"
#include "coracle/sys/file.h"
#include "version.h"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>

namespace coracle::container {

std::string features() {
    spec::BuildFeatures build;
    build.version = CORACLE_VERSION;
    build.commit = CORACLE_COMMIT;
    build.libseccomp_version = launch::seccomp_library_version();
    for (int number = 0; number < capability_count(); ++number) {
        build.capabilities.emplace_back(capability_name(number));
    }
    return spec::write_features(build);
}

void write_spec(const SpecOptions& options) {
    spec::TemplateOptions choice;
    choice.rootless = options.rootless;
    choice.host_uid = host::effective_uid();
    choice.host_gid = host::effective_gid();
    std::string text = spec::write_template(choice);

    sys::Fd directory = sys::open_at(AT_FDCWD, options.directory, O_PATH | O_DIRECTORY);
    sys::Fd file;
    int errnum = sys::try_open_at(directory.get(), options.file,
                                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644, file);
    if (errnum == EEXIST) {
        throw_error(ErrorKind::wrong_state,
                    "File " + printable(options.file) + " exists. Remove it first");
    }
    if (errnum != 0) {
        throw_system(errnum, "create " + printable(options.file));
    }
    try {
        sys::write_all(file.get(), text, options.file);
        sys::close_written(std::move(file), options.file);
    } catch (Error&) { // catch: takes the part away, rethrows
        (void)sys::try_unlink(directory.get(), options.file, 0);
        throw;
    }
}

void prepare_process() {
    // A caller that ignores it would make the kernel reap our children before we can.
    (void)::signal(SIGCHLD, SIG_DFL);
    // Errors like others, so that nothing stays half made: EFBIG of RLIMIT_FSIZE, and EPIPE of a
    // standard stream that nobody reads any more. Init resets what is ignored.
    (void)::signal(SIGXFSZ, SIG_IGN);
    (void)::signal(SIGPIPE, SIG_IGN);
    // The heap grows in a few large steps and is not given back: a verb ends soon. Pages that are
    // not used cost nothing.
    (void)::mallopt(M_TOP_PAD, 512 << 10);
    (void)::mallopt(M_TRIM_THRESHOLD, 64 << 20);
    // What the caller takes from its own rights would lock it out of the state directory.
    (void)::umask(::umask(0) & (S_IRWXG | S_IRWXO));
    sys::require_standard_streams();
    host::require_not_privileged_by_file();
}

} // namespace coracle::container
