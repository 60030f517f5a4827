#include "coracle/base/log.h"
#include "coracle/cli/app.h"

#include <exception>

int main(int argc, char** argv) {
    try {
        return coracle::cli::run_app(argc, argv);
    } catch (const std::exception& error) {
        coracle::log::error(error.what());
        return 1;
    }
}
