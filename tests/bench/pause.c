// The payload of a container that others are measured beside, or enter: it waits to be killed.
#include <unistd.h>

int main(void) {
    for (;;)
        pause();
}
