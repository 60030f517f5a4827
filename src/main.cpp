#include "coracle/base/exception.h"
#include "coracle/base/log.h"
#include "coracle/cli/app.h"

#include <exception>
#include <new>

int main(int argc, char** argv) {
    try {
        return coracle::cli::run_app(argc, argv);
    } catch (const std::bad_alloc&) {
        coracle::log::error("no memory is left for coracle (see RLIMIT_AS and memory.max)");
        return 1;
    } catch (const std::exception& error) {
        coracle::log::error(coracle::describe_exception(error));
        return 1;
    }
}
