#include "settings_private.h"

#include "coracle/base/error.h"
#include "coracle/base/size.h"
#include "coracle/base/text.h"
#include "coracle/sys/file.h"

#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace coracle::sandbox {

namespace {

constexpr std::size_t max_file_bytes = std::size_t{64} << 20;

/// "SOURCE" or "SOURCE:DESTINATION". The first colon divides: a name with a colon is for profiles
/// and scripts that bind its directory.
Share make_share(const std::string& value, const Origin& origin, Access access, Missing missing) {
    std::size_t colon = value.find(':');
    Share share;
    share.source = resolve(value.substr(0, colon), origin);
    share.destination = share.source;
    if (colon != std::string::npos) {
        std::string destination = value.substr(colon + 1);
        if (!destination.starts_with('/')) {
            refuse(value, "what follows the colon must be an absolute path in the sandbox");
        }
        share.destination = clean_absolute(destination);
    }
    share.access = access;
    share.missing = missing;
    return share;
}

/// "--rw /" is about the root itself, unless it has another place.
void share_path(Options& options, const std::string& value, const Origin& origin, Access access,
                Missing missing) {
    Share share = make_share(value, origin, access, missing);
    if (share.destination != "/") {
        options.shares.push_back(std::move(share));
    } else if (share.source != "/") {
        refuse(value, "the root of the sandbox is given by rootfs");
    } else {
        options.writable_root = options.writable_root || access == Access::writable;
    }
}

void share_device(Options& options, const std::string& value, const Origin& origin,
                  Missing missing) {
    Share share = make_share(value, origin, Access::writable, missing);
    share.devices = true;
    if (share.destination == "/") {
        refuse(value, "a device or a directory of devices is needed");
    }
    options.shares.push_back(std::move(share));
}

void add_tmpfs(Options& options, const std::string& value, const Origin& origin) {
    std::size_t colon = value.find(':');
    EmptyDirectory directory;
    directory.path = resolve(value.substr(0, colon), origin);
    directory.shared_mode = true;
    if (colon != std::string::npos) {
        std::optional<std::int64_t> size = parse_size(value.substr(colon + 1), "size");
        if (!size || *size <= 0) {
            refuse(value, "the size after the colon must be above 0");
        }
        directory.size = std::to_string(*size);
    }
    options.empty_directories.push_back(std::move(directory));
}

/// "PATH=TEXT" or "PATH=fd:N".
struct Assignment {
    std::string name;
    std::string value;
};
Assignment split_assignment(const std::string& value, const char* form) {
    std::size_t equals = value.find('=');
    if (equals == std::string::npos || equals == 0) {
        refuse(value, std::string("must be ") + form);
    }
    return {value.substr(0, equals), value.substr(equals + 1)};
}

std::string read_descriptor(const std::string& value, const std::string& number) {
    std::optional<std::uint64_t> fd = parse_unsigned(number, 1U << 20U);
    if (!fd || ::fcntl(static_cast<int>(*fd), F_GETFD) < 0) {
        refuse(value, "fd:" + printable(number) + " is not an open file descriptor");
    }
    return sys::read_all(static_cast<int>(*fd), max_file_bytes, "fd " + number);
}

void add_file(Options& options, const std::string& value, const Origin& origin) {
    Assignment parts = split_assignment(value, "PATH=TEXT or PATH=fd:N");
    MadeFile file;
    file.path = resolve(parts.name, origin);
    file.content = parts.value.starts_with("fd:") ? read_descriptor(value, parts.value.substr(3))
                                                  : parts.value;
    file.mode = 0444;
    options.files.push_back(std::move(file));
}

/// systemd.exec(5), CREDENTIALS_DIRECTORY.
std::string credential_path(const std::string& value, const std::string& name) {
    const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
    if (directory == nullptr || *directory == '\0') {
        refuse(value, "there are no credentials: CREDENTIALS_DIRECTORY is not set (systemd sets it "
                      "for a unit with LoadCredential=)");
    }
    if (!is_path_component(name)) {
        refuse(value, "not the name of a credential");
    }
    return std::string(directory) + "/" + name;
}

/// A message about it must not hold the value: it may be the secret itself, given by mistake.
void add_secret(Options& options, const std::string& value, const Origin& origin) {
    std::size_t equals = value.find('=');
    std::string name = value.substr(0, equals);
    if (equals == std::string::npos || !is_path_component(name)) {
        refuse(equals == std::string::npos ? "" : name,
               "must be NAME=FILE, NAME=fd:N or NAME=credential:NAME");
    }
    std::string from = value.substr(equals + 1);
    MadeFile file;
    file.path = "/run/secrets/" + name;
    file.mode = 0400;
    file.secret = true;
    if (from.starts_with("fd:")) {
        file.content = read_descriptor(name, from.substr(3));
    } else {
        std::string path = from.starts_with("credential:") ? credential_path(name, from.substr(11))
                                                           : resolve(from, origin);
        file.content = in_context([&] { return name; },
                                  [&] {
                                      sys::Fd open = sys::open_at(AT_FDCWD, path,
                                                                  O_RDONLY | O_NONBLOCK | O_NOCTTY);
                                      if (!S_ISREG(sys::stat_of(open.get(), path).st_mode)) {
                                          refuse(path, "not a regular file");
                                      }
                                      return sys::read_all(open.get(), max_file_bytes, path);
                                  });
    }
    options.files.push_back(std::move(file));
}

void add_symlink(Options& options, const std::string& value, const Origin& origin) {
    std::size_t colon = value.rfind(':');
    if (colon == std::string::npos || colon == 0) {
        refuse(value, "must be TARGET:PATH");
    }
    options.symlinks.push_back({resolve(value.substr(colon + 1), origin), value.substr(0, colon)});
}

} // namespace

const std::vector<Setting>& path_settings() {
    using Kind = SettingKind;
    static const std::vector<Setting> all{
        {"rootfs", Kind::value, "DIR", "the root directory; default: the host's files, read-only",
         [](Options& o, const std::string& v, const Origin& from) { o.rootfs = resolve(v, from); },
         ValueForm::path},
        {"ro", Kind::list, "PATH[:DEST]", "show a file or directory of the host, read-only",
         [](Options& o, const std::string& v, const Origin& from) {
             share_path(o, v, from, Access::read_only, Missing::is_error);
         },
         ValueForm::share},
        {"rw", Kind::list, "PATH[:DEST]", "the same, writable; / with --rootfs: the root",
         [](Options& o, const std::string& v, const Origin& from) {
             share_path(o, v, from, Access::writable, Missing::is_error);
         },
         ValueForm::share},
        {"ro-try", Kind::list, "PATH[:DEST]", "as --ro, if it exists",
         [](Options& o, const std::string& v, const Origin& from) {
             share_path(o, v, from, Access::read_only, Missing::is_left_out);
         },
         ValueForm::share},
        {"rw-try", Kind::list, "PATH[:DEST]", "as --rw, if it exists",
         [](Options& o, const std::string& v, const Origin& from) {
             share_path(o, v, from, Access::writable, Missing::is_left_out);
         },
         ValueForm::share},
        {"dev", Kind::list, "PATH[:DEST]", "as --rw, and device nodes work",
         [](Options& o, const std::string& v, const Origin& from) {
             share_device(o, v, from, Missing::is_error);
         },
         ValueForm::share},
        {"dev-try", Kind::list, "PATH[:DEST]", "as --dev, if it exists",
         [](Options& o, const std::string& v, const Origin& from) {
             share_device(o, v, from, Missing::is_left_out);
         },
         ValueForm::share},
    };
    return all;
}

const std::vector<Setting>& place_settings() {
    using Kind = SettingKind;
    static const std::vector<Setting> all{
        {"tmpfs", Kind::list, "PATH[:SIZE]", "an empty writable directory in memory", add_tmpfs,
         ValueForm::sized_place},
        {"dir", Kind::list, "PATH", "an empty directory of the sandbox's user, in memory",
         [](Options& o, const std::string& v, const Origin& from) {
             o.empty_directories.push_back({resolve(v, from), "", false});
         },
         ValueForm::place},
        {"symlink", Kind::list, "TARGET:PATH", "a symbolic link", add_symlink, ValueForm::link},
        {"file", Kind::list, "PATH=TEXT", "a read-only file; its content may be fd:N", add_file,
         ValueForm::file},
        {"secret", Kind::list, "NAME=FILE",
         "a file /run/secrets/NAME, mode 0400, never on a disk; also =fd:N, =credential:NAME",
         add_secret, ValueForm::secret},
        {"overlay", Kind::list, "DIR", "show it writable, and throw away what is written",
         [](Options& o, const std::string& v, const Origin& from) {
             o.overlays.push_back({resolve(v, from)});
         },
         ValueForm::place},
        {"overlay-to", Kind::value, "LAYER", "the directory that keeps what overlays take",
         [](Options& o, const std::string& v, const Origin& from) {
             o.overlay_to = resolve(v, from);
         },
         ValueForm::path},
        {"hide", Kind::list, "PATH", "show it empty",
         [](Options& o, const std::string& v, const Origin& from) {
             o.hidden.push_back(resolve(v, from));
         },
         ValueForm::place},
    };
    return all;
}

} // namespace coracle::sandbox
