// The container side alone, as a small static-PIE ELF (floor_same_work --variant small-elf).
// argv: --container-side SOCKET ROOTFS PROGRAM
#include "floor_container.h"

#include "floor.h"

int main(int argc, char** argv) {
    if (argc < 5)
        return 64;
    run_container_side(argv[2][0] - '0', argv[3], argv + 4);
}
