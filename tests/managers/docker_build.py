"""docker build: the classic builder, and BuildKit, which starts the runtime itself."""

DOCKERFILE = """FROM box:1
ENV A=b
RUN echo "$A" >/made && id -u >>/made
RUN ["/bin/sh", "-c", "cat /made"]
WORKDIR /new
USER user
RUN id -un && touch /tmp/x
CMD ["cat", "/made"]
"""


def build(docker, kit, text=DOCKERFILE):
    """`docker build` of `text`, recorded without its log."""
    place = docker.directory / "context"
    place.mkdir(exist_ok=True)
    (place / "Dockerfile").write_text(text)
    outcome = docker.docker("build", "--network=none", "--no-cache", "--progress=plain", "--tag=built",
                            place, env={"DOCKER_BUILDKIT": str(kit)})
    docker.note("build", f"exit code {outcome.code}")
    return outcome.out + outcome.err


def add(step):
    for kit, name in ((0, "the classic builder"), (1, "BuildKit")):
        @step(f"build: {name}", quick=True)
        def _(docker, kit=kit):
            build(docker, kit)
            docker.do("run", "--rm", "--network=none", "built")

        @step(f"build: {name}, a command that fails, a program that is missing", quick=True)
        def _(docker, kit=kit):
            docker.note("exit code shown", "7" in build(docker, kit, "FROM box:1\nRUN exit 7\n"))
            said = build(docker, kit, 'FROM box:1\nRUN ["/bin/missing"]\n')
            docker.note("cause shown", "no such file or directory" in said)
