#pragma once

#include <string>

namespace coracle::launch {

/// Why the program `path` was not executed, for the brackets behind the kernel's words: the
/// interpreter or ELF loader that is missing, another architecture, CR LF, a mount with noexec,
/// the component that may not be searched. "" if a look at the file does not tell.
/// Every file is regular, opened without blocking and read up to a bound.
/// Runs in: init after pivot, as the payload's user, once execve(2) or the look-up has failed.
/// Source: execve(2), Linux fs/binfmt_script.c and fs/binfmt_elf.c.
[[nodiscard]] std::string explain_not_executed(const std::string& path, int errnum);

} // namespace coracle::launch
