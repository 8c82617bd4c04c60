# tagsweep as an image: small, as a user without a name, with a root file system that may be read-only.
#
#   docker build -t tagsweep .
#   docker run --rm --read-only --tmpfs /tmp -v tagsweep-state:/state -v "$PWD:/work:ro" tagsweep plan -c tagsweep.yaml
#
# PYTHON is the base: any image with Python 3.11 or newer in which apt-get works. Whoever needs builds that can be repeated
# names it by its digest: --build-arg PYTHON=docker.io/library/python@sha256:…
#
# There is no HEALTHCHECK: a command that ends by itself is healthy if it exits with 0. `tagsweep watch`, which does not
# end, has --health-file for a liveness probe.
ARG PYTHON=docker.io/library/python:3.13-slim-trixie

# hadolint ignore=DL3006
FROM ${PYTHON} AS build
WORKDIR /src
COPY requirements/run.txt requirements/build.txt requirements/
RUN python3 -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/build.txt \
    && python3 -m venv --without-pip /opt/tagsweep \
    && /opt/build/bin/pip --python /opt/tagsweep/bin/python3 install --no-cache-dir --require-hashes \
        --only-binary :all: -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/build/bin/python3 -m hatchling build -t wheel -d /dist \
    && /opt/build/bin/pip --python /opt/tagsweep/bin/python3 install --no-cache-dir --no-deps /dist/*.whl

# hadolint ignore=DL3006
FROM ${PYTHON}
# git and ssh are what the source git/… works with. Their versions are the base's: an older one is not to be had later.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 65532 -g 65532 -m 0700 /state \
    && install -d -o 65532 -g 65532 /work
COPY --from=build /opt/tagsweep /opt/tagsweep
# The state is on the volume, or in a registry (TAGSWEEP_STATE=oci://…) with a working copy there.
ENV PATH=/opt/tagsweep/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    XDG_STATE_HOME=/state \
    PYTHONDONTWRITEBYTECODE=1
VOLUME /state
WORKDIR /work
USER 65532:65532
ENTRYPOINT ["tagsweep"]
CMD ["--help"]
