// The payload of every benchmark: as little as a process can do.
int main(void) {
    return 0;
}
